"""Like `test_gateways_at_each_step`, for NAT66: no state lets a unique local address out as it is that should not, nor
anything into another tenant's network with the same prefix."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation
from tests.convergence.story import Story, taken_at_once
from tests.convergence.test_gateways_at_each_step import EXT, HOP_MAC, MORE, Outside

from netweft.model import Node, Object, Port, key_of
from netweft.services.pipeline import INT, physical_role
from netweft.testing import packets
from netweft.testing.region import ANYTHING, gateway, interface, network, port, router
from netweft.testing.region import subnet as made

pytestmark = pytest.mark.slow

A, B, C = network(1), network(2), network(3)
R, S = router(1), router(2)
RA, RB = interface(1, R, A, "fd00:a::fe"), interface(2, R, B, "2001:db8:b::fe")
SC = interface(3, S, C, "fd00:a::fe")  # another tenant's, with the same prefix
A1, B1, C1 = port(1, A, "fd00:a::1"), port(2, B, "2001:db8:b::1"), port(5, C, "fd00:a::1")
SOMEBODY = "2001:db8:77::77"
EXT66, MORE66 = replace(EXT, nat66=True), replace(MORE, nat66=True)
R_OUT = gateway(1, R, EXT, "hv1", "203.0.113.5", "2001:db8:8::5")
R_OTHER = replace(R_OUT, fixed_ips=gateway(1, R, EXT, "", "203.0.113.5", "2001:db8:8::7").fixed_ips)
R_ONLY_IPV4 = replace(R_OUT, fixed_ips=R_OUT.fixed_ips[:1])
R_ELSEWHERE = replace(R_OUT, host_id="hv11", hosts=("hv11",))
R_MORE = gateway(3, R, MORE, "hv1", "198.51.100.5", "2001:db8:9::5")
S_OUT = gateway(2, S, EXT, "hv1", "203.0.113.6", "2001:db8:8::6")
BASE: tuple[Object, ...] = (
    *(A, B, C, EXT66, MORE66, ANYTHING, R, S, RA, RB, SC, S_OUT),
    *(made(A, "fd00:a::/64"), made(B, "2001:db8:b::/64"), made(C, "fd00:a::/64")),
    *(made(EXT, "203.0.113.0/24", gateway_ip="203.0.113.1"), made(EXT, "2001:db8:8::/64", gateway_ip="fe80::1")),
    *(made(MORE, "198.51.100.0/24", gateway_ip="198.51.100.1"), made(MORE, "2001:db8:9::/64", gateway_ip="fe80::2")),
    Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",)),
)


def state(*objects: Object, plugged: Sequence[Port] = (A1, B1, C1)) -> Situation:
    all = {key_of(obj): obj for obj in (*BASE, *plugged, *objects)}
    return Situation(list(all.values()), [one.id for one in plugged])


BOTH = replace(R, first_gateway=R_OUT.id, extra_gateways=(R_MORE.id,))
CHANGES: dict[str, tuple[Situation, Situation]] = {
    "a gateway added": (state(), state(R_OUT)),
    "a gateway removed": (state(R_OUT), state()),
    "asked for": (state(R_OUT, EXT), state(R_OUT)),
    "no longer asked for": (state(R_OUT), state(R_OUT, EXT)),
    "IPv6 added": (state(R_ONLY_IPV4), state(R_OUT)),
    "IPv6 removed": (state(R_OUT), state(R_ONLY_IPV4)),
    "another address": (state(R_OUT), state(R_OTHER)),
    "without SNAT": (state(R_OUT), state(R_OUT, replace(R, enable_snat=False))),
    "with SNAT": (state(R_OUT, replace(R, enable_snat=False)), state(R_OUT)),
    "it goes to another node": (state(R_OUT), state(R_ELSEWHERE)),
    "it comes here": (state(R_ELSEWHERE), state(R_OUT)),
    "a second gateway": (state(R_OUT), state(R_OUT, R_MORE, BOTH)),
    "the second becomes the first": (state(R_OUT, R_MORE, BOTH), state(R_MORE, replace(R, first_gateway=R_MORE.id))),
    "the router goes down": (state(R_OUT), state(R_OUT, replace(R, admin_state_up=False))),
    "into the network's own scope": (
        state(R_OUT),
        state(R_OUT, replace(EXT66, ipv6_address_scope="one"), replace(A, ipv6_address_scope="one")),
    ),
    "into another scope": (state(R_OUT), state(R_OUT, *(replace(one, ipv6_address_scope="two") for one in (A, B)))),
}


def probes() -> Iterator[Probe]:
    wire = physical_role("public")
    for name, one, by, out, own in (
        ("a1", A1, RA, R_OUT, "2001:db8:8::5"),
        ("b1", B1, RB, R_OUT, "2001:db8:b::1"),
        ("c1", C1, SC, S_OUT, "2001:db8:8::6"),
    ):
        for target in (SOMEBODY, "2001:db8:8::6"):
            asks = packets.udp(one.mac_address, by.mac_address, one.fixed_ips[0].ip_address, target, 999, 53)
            yield Probe(f"{name} to {target}", INT.role, one.id, asks)
        said = packets.udp(HOP_MAC, out.mac_address, SOMEBODY, own, 53, 999)
        yield Probe(f"answer to {name}", wire, "nic", said, f"{name} to {SOMEBODY}")
    for port_ in (R_OUT, S_OUT, R_MORE):
        for target in ("fd00:a::1", "2001:db8:b::1", "2001:db8:8::5", "2001:db8:8::6"):
            frame = packets.udp(HOP_MAC, port_.mac_address, SOMEBODY, target, 1000, 53)
            yield Probe(f"in to {target} by {port_.id[:8]}", wire, "nic", frame)


PROBES = list(probes())


@pytest.mark.parametrize(("change", "choose"), [(name, (min, max)[place % 2]) for place, name in enumerate(CHANGES)])
async def test_nothing_passes_that_should_not(
    change: str, choose: Callable[[list[str]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_at_once(monkeypatch)
    story = Story(CHANGES[change], PROBES, tmp_path, world=Outside)
    await story.tell(choose, on_disk=choose is max)
