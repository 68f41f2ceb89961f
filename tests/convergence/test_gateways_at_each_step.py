"""Gateways, floating IPs, forwarded ports added, changed and taken away: at no step, nor where the agent is killed
there, does a packet leave with another address than before or after, or come in to somebody else."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation, SteppedWorld
from tests.convergence.story import Story, taken_at_once

from netweft.model import MeteringLabel, Node, NodeView, Object, Port, key_of
from netweft.model.metering import SHARED, MeteringRule
from netweft.services.pipeline import INT, physical_role
from netweft.testing import packets
from netweft.testing.region import (
    ANYTHING,
    floating_ip,
    gateway,
    interface,
    network,
    port,
    port_forwarding,
    router,
    subnet,
)

pytestmark = pytest.mark.slow

A, B, C, EXT, MORE = network(1), network(2), network(3), network(8, "flat", "public"), network(9, "vlan", "public")
R, S = router(1), router(2)
RA, RB = interface(1, R, A, "10.0.0.254"), interface(2, R, B, "10.0.1.254")
SC = interface(3, S, C, "10.0.0.254")  # another tenant's, with the same range
A1, A2, B1, C1 = (
    *(port(1, A, "10.0.0.1"), port(2, A, "10.0.0.2")),
    *(port(3, B, "10.0.1.1"), port(5, C, "10.0.0.1")),
)
HOP, HOP_MAC, SECOND_HOP, SOMEBODY = "203.0.113.1", "02:00:00:00:01:01", "198.51.100.1", "192.0.2.77"
NEXT_HOPS = ((EXT, HOP), (MORE, SECOND_HOP), (EXT, "fe80::1"), (MORE, "fe80::2"))
R_OUT, S_OUT = gateway(1, R, EXT, "hv1", "203.0.113.5"), gateway(2, S, EXT, "hv1", "203.0.113.6")
R_ELSEWHERE = replace(R_OUT, host_id="hv11", hosts=("hv11",))
R_MORE = gateway(3, R, MORE, "hv1", "198.51.100.5")
BASE: tuple[Object, ...] = (
    *(A, B, C, EXT, MORE, ANYTHING, R, S, RA, RB, SC, S_OUT),
    *(subnet(A, "10.0.0.0/24"), subnet(B, "10.0.1.0/24"), subnet(C, "10.0.0.0/24")),
    *(subnet(EXT, "203.0.113.0/24", gateway_ip=HOP), subnet(MORE, "198.51.100.0/24", gateway_ip=SECOND_HOP)),
    Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",)),
)
PLUGGED = (A1, A2, B1, C1)


def state(*objects: Object, without: Iterable[Object] = (), plugged: Sequence[Port] = PLUGGED) -> Situation:
    all = {key_of(obj): obj for obj in (*BASE, *plugged, *objects)}
    for obj in without:
        del all[key_of(obj)]
    return Situation(list(all.values()), [one.id for one in plugged])


FIRST = replace(R, first_gateway=R_OUT.id)
BOTH = replace(FIRST, extra_gateways=(R_MORE.id,))
FLOATING = floating_ip(5, R, EXT, "203.0.113.50", "10.0.0.1")
FORWARDED = port_forwarding(6, R, EXT, ("203.0.113.60", "8053"), ("10.0.0.1", "53"))
LABEL = MeteringLabel(id="label", metered=SHARED, rules=(MeteringRule(direction="ingress"),))

CHANGES: dict[str, tuple[Situation, Situation]] = {
    "a gateway added": (state(), state(R_OUT)),
    "a gateway removed": (state(R_OUT), state()),
    "a gateway with a floating IP and a forwarded port removed": (state(R_OUT, FLOATING, FORWARDED), state()),
    "another address": (state(R_OUT), state(replace(R_OUT, fixed_ips=gateway(1, R, EXT, "", "203.0.113.7").fixed_ips))),
    "SNAT off": (state(R_OUT), state(R_OUT, replace(R, enable_snat=False))),
    "SNAT on": (state(R_OUT, replace(R, enable_snat=False)), state(R_OUT)),
    "it goes to another node": (state(R_OUT), state(R_ELSEWHERE)),
    "it comes here": (state(R_ELSEWHERE), state(R_OUT)),
    "the router goes down": (state(R_OUT, FLOATING), state(R_OUT, FLOATING, replace(R, admin_state_up=False))),
    "a floating IP added": (state(R_OUT), state(R_OUT, FLOATING)),
    "a floating IP removed": (state(R_OUT, FLOATING), state(R_OUT)),
    "a floating IP for another port": (
        state(R_OUT, FLOATING),
        state(R_OUT, replace(FLOATING, fixed_ip_address="10.0.1.1")),
    ),
    "a floating IP for another tenant": (state(R_OUT, FLOATING), state(R_OUT, replace(FLOATING, router_id=S.id))),
    "a forwarded port added": (state(R_OUT), state(R_OUT, FORWARDED)),
    "a forwarded port removed": (state(R_OUT, FORWARDED), state(R_OUT)),
    "a forwarded port leads elsewhere": (
        state(R_OUT, FORWARDED),
        state(R_OUT, replace(FORWARDED, internal_ip_address="10.0.0.2")),
    ),
    "a forwarded port becomes a floating IP": (
        state(R_OUT, FORWARDED),
        state(R_OUT, replace(FLOATING, floating_ip_address="203.0.113.60")),
    ),
    "a second gateway added": (state(R_OUT, FIRST), state(R_OUT, R_MORE, BOTH)),
    "a second gateway removed": (state(R_OUT, R_MORE, BOTH), state(R_OUT, FIRST)),
    "the second becomes the first": (state(R_OUT, R_MORE, BOTH), state(R_MORE, replace(R, first_gateway=R_MORE.id))),
    "counted": (state(R_OUT), state(R_OUT, LABEL)),
    "the last port inside": (state(R_OUT, FLOATING), state(R_OUT, FLOATING, plugged=(C1,))),
    "the first port inside": (state(R_OUT, FLOATING, plugged=(C1,)), state(R_OUT, FLOATING)),
}


class Outside(SteppedWorld):
    """Next hops have been heard."""

    def see(self, view: NodeView, objects: Iterable[Object]) -> None:
        super().see(view, objects)
        for net, hop in NEXT_HOPS:
            self.desired.learn(net.id, hop, HOP_MAC)


def probes() -> Iterator[Probe]:
    for name, one, by in (("a1", A1, RA), ("a2", A2, RA), ("b1", B1, RB), ("c1", C1, SC)):
        me, ip = one.mac_address, one.fixed_ips[0].ip_address
        for target in (SOMEBODY, "203.0.113.50", "203.0.113.6"):
            asks = f"{name} to {target}"
            yield Probe(asks, INT.role, one.id, packets.udp(me, by.mac_address, ip, target, 999, 53))
        out, own = (S_OUT, "203.0.113.6") if one is C1 else (R_OUT, "203.0.113.5")
        said = packets.udp(HOP_MAC, out.mac_address, SOMEBODY, own, 53, 999)
        yield Probe(f"answer to {name}", physical_role("public"), "nic", said, f"{name} to {SOMEBODY}")
    for mac in (R_OUT.mac_address, S_OUT.mac_address):
        for target in ("203.0.113.5", "203.0.113.50", "203.0.113.60", "10.0.0.1"):
            for number in (53, 8053):
                frame = packets.udp(HOP_MAC, mac, SOMEBODY, target, 1000, number)
                yield Probe(f"in to {target} {number} at {mac}", physical_role("public"), "nic", frame)


PROBES = list(probes())


IN_BOTH_ORDERS = ("another address", "SNAT on", "it goes to another node", "a floating IP for another tenant")
ORDERS = [
    (change, choose)
    for place, change in enumerate(CHANGES)
    for choose in ((min, max) if change in IN_BOTH_ORDERS else ((min, max)[place % 2],))
]


@pytest.mark.parametrize(("change", "choose"), ORDERS)
async def test_nothing_passes_that_should_not(
    change: str, choose: Callable[[list[str]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_at_once(monkeypatch)
    story = Story(CHANGES[change], PROBES, tmp_path, world=Outside)
    await story.tell(choose, on_disk=choose is max)
