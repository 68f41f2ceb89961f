"""Like `test_gateways_at_each_step`, for what stands beside NAT of IPv4: IPv6 by a gateway, QoS policies of floating
IPs and gateways, conntrack helpers."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation
from tests.convergence.story import Story, taken_at_once
from tests.convergence.test_gateways_at_each_step import EXT, HOP_MAC, MORE, Outside

from netweft.model import BandwidthLimit, ConntrackHelper, Node, Object, PacketRateLimit, Port, QosPolicy, key_of
from netweft.services.pipeline import INT, physical_role
from netweft.testing import packets
from netweft.testing.region import ANYTHING, floating_ip, gateway, interface, network, port, port_forwarding, router
from netweft.testing.region import subnet as made

pytestmark = pytest.mark.slow

A, C = network(1), network(3)
R, S = router(1), router(2)
RA = interface(1, R, A, "10.0.0.254", "2001:db8::fe")
SC = interface(3, S, C, "10.0.0.254", "2001:db8::fe")  # another tenant's, with the same ranges
A1, A2, C1 = (
    *(port(1, A, "10.0.0.1", "2001:db8::1"), port(2, A, "10.0.0.2", "2001:db8::2")),
    port(5, C, "10.0.0.1", "2001:db8::1"),
)
SOMEBODY, SOMEBODY6 = "192.0.2.77", "2001:db8:77::77"
R_OUT = gateway(1, R, EXT, "hv1", "203.0.113.5", "2001:db8:8::5")
R_OTHER = replace(R_OUT, fixed_ips=gateway(1, R, EXT, "", "203.0.113.5", "2001:db8:8::7").fixed_ips)
R_ONLY_IPV4 = replace(R_OUT, fixed_ips=R_OUT.fixed_ips[:1])
R_ELSEWHERE = replace(R_OUT, host_id="hv11", hosts=("hv11",))
R_MORE = gateway(3, R, MORE, "hv1", "198.51.100.5", "2001:db8:9::5")
S_OUT = gateway(2, S, EXT, "hv1", "203.0.113.6", "2001:db8:8::6")
BASE: tuple[Object, ...] = (
    *(A, C, EXT, MORE, ANYTHING, R, S, RA, SC, S_OUT),
    *(made(net, cidr) for net in (A, C) for cidr in ("10.0.0.0/24", "2001:db8::/64")),
    *(made(EXT, "203.0.113.0/24", gateway_ip="203.0.113.1"), made(EXT, "2001:db8:8::/64", gateway_ip="fe80::1")),
    *(made(MORE, "198.51.100.0/24", gateway_ip="198.51.100.1"), made(MORE, "2001:db8:9::/64", gateway_ip="fe80::2")),
    Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",)),
)


def state(*objects: Object, plugged: Sequence[Port] = (A1, A2, C1)) -> Situation:
    all = {key_of(obj): obj for obj in (*BASE, *plugged, *objects)}
    return Situation(list(all.values()), [one.id for one in plugged])


BOTH = replace(R, first_gateway=R_OUT.id, extra_gateways=(R_MORE.id,))
FLOATING = floating_ip(5, R, EXT, "203.0.113.50", "10.0.0.2")
FORWARDED = port_forwarding(6, R, EXT, ("203.0.113.60", "8053"), ("10.0.0.1", "53"))
HOLDER = floating_ip(7, R, EXT, "203.0.113.60", "")


def policy(id: str, kbps: int, kpps: int = 0) -> QosPolicy:
    both = ("egress", "ingress")
    rates = tuple(PacketRateLimit(max_kpps=kpps, direction=end) for end in both) if kpps else ()
    return QosPolicy(
        id=id, bandwidth_limits=tuple(BandwidthLimit(max_kbps=kbps, direction=end) for end in both),
        packet_rate_limits=rates,
    )  # fmt: skip


SLOW, SLOWER, FAST = policy("iron", 1000), policy("iron", 500, 1), policy("gold", 9000)
LIMITED, R_LIMITED = replace(FLOATING, qos_policy_id="iron"), replace(R, qos_policy_id="iron")
TFTP, FTP = ConntrackHelper("tftp", "udp", 69), ConntrackHelper("ftp", "tcp", 21)


def helped(*helpers: ConntrackHelper) -> Situation:
    return state(R_OUT, replace(R, helpers=helpers))


CHANGES: dict[str, tuple[Situation, Situation]] = {
    "a gateway with IPv6 added": (state(), state(R_OUT)),
    "a gateway with IPv6 removed": (state(R_OUT), state()),
    "IPv6 added": (state(R_ONLY_IPV4), state(R_OUT)),
    "IPv6 removed": (state(R_OUT), state(R_ONLY_IPV4)),
    "another IPv6 address": (state(R_OUT), state(R_OTHER)),
    "IPv6 without SNAT": (state(R_OUT), state(R_OUT, replace(R, enable_snat=False))),
    "IPv6 goes to another node": (state(R_OUT), state(R_ELSEWHERE)),
    "IPv6 comes here": (state(R_ELSEWHERE), state(R_OUT)),
    "a second gateway with IPv6": (state(R_OUT), state(R_OUT, R_MORE, BOTH)),
    "the second with IPv6 becomes the first": (
        state(R_OUT, R_MORE, BOTH),
        state(R_MORE, replace(R, first_gateway=R_MORE.id)),
    ),
    "the router goes down": (state(R_OUT), state(R_OUT, replace(R, admin_state_up=False))),
    "the floating IP is limited": (state(R_OUT, FLOATING), state(R_OUT, LIMITED, SLOW)),
    "the floating IP is limited no more": (state(R_OUT, LIMITED, SLOW), state(R_OUT, FLOATING)),
    "otherwise": (state(R_OUT, LIMITED, SLOW), state(R_OUT, LIMITED, SLOWER)),
    "by its network's policy": (
        state(R_OUT, LIMITED, SLOW, FAST),
        state(R_OUT, FLOATING, FAST, replace(EXT, qos_policy_id="gold")),
    ),
    "a limited floating IP for another port": (
        state(R_OUT, LIMITED, SLOW),
        state(R_OUT, replace(LIMITED, fixed_ip_address="10.0.0.1"), SLOW),
    ),
    "a limited floating IP removed": (state(R_OUT, LIMITED, SLOW), state(R_OUT)),
    "the gateway is limited": (state(R_OUT), state(R_OUT, R_LIMITED, SLOW)),
    "the gateway is limited no more": (state(R_OUT, R_LIMITED, SLOW), state(R_OUT)),
    "a limited gateway has another address": (
        state(R_OUT, R_LIMITED, SLOW),
        state(replace(R_OUT, fixed_ips=gateway(1, R, EXT, "", "203.0.113.7").fixed_ips), R_LIMITED, SLOW),
    ),
    "forwarded ports are limited": (
        state(R_OUT, HOLDER, FORWARDED),
        state(R_OUT, replace(HOLDER, qos_policy_id="iron"), FORWARDED, SLOW),
    ),
    "helpers added": (helped(), helped(TFTP, FTP)),
    "helpers removed": (helped(TFTP, FTP), helped()),
    "a helper on another port": (helped(TFTP), helped(replace(TFTP, port=70))),
    "a helped gateway has another address": (
        helped(TFTP, FTP),
        state(
            replace(R_OUT, fixed_ips=gateway(1, R, EXT, "", "203.0.113.7").fixed_ips), replace(R, helpers=(TFTP, FTP))
        ),
    ),
    "helpers, and SNAT off": (helped(TFTP, FTP), state(R_OUT, replace(R, helpers=(TFTP, FTP), enable_snat=False))),
}


def probes() -> Iterator[Probe]:
    wire = physical_role("public")
    for name, one, by, out, own in (
        ("a1", A1, RA, R_OUT, "203.0.113.5"),
        ("a2", A2, RA, R_OUT, "203.0.113.5"),
        ("c1", C1, SC, S_OUT, "203.0.113.6"),
    ):
        me, (ip, ip6) = one.mac_address, [fixed.ip_address for fixed in one.fixed_ips]
        for number in (53, 69):
            asks = packets.udp(me, by.mac_address, ip, SOMEBODY, 999, number)
            yield Probe(f"{name} to {number}", INT.role, one.id, asks)
            said = packets.udp(HOP_MAC, out.mac_address, SOMEBODY, own, number, 999)
            yield Probe(f"answer to {name} of {number}", wire, "nic", said, f"{name} to {number}")
        ftp = packets.tcp(me, by.mac_address, ip, SOMEBODY, 999, 21)
        yield Probe(f"{name} to ftp", INT.role, one.id, ftp)
        said = packets.tcp(HOP_MAC, out.mac_address, SOMEBODY, own, 21, 999)
        yield Probe(f"answer to {name} of ftp", wire, "nic", said, f"{name} to ftp")
        for target in (SOMEBODY6, "2001:db8:8::6"):
            asks = packets.udp(me, by.mac_address, ip6, target, 999, 53)
            yield Probe(f"{name} to {target}", INT.role, one.id, asks)
    for port_ in (R_OUT, S_OUT, R_MORE):
        for target in ("2001:db8::1", "2001:db8::2", "2001:db8:8::5"):
            frame = packets.udp(HOP_MAC, port_.mac_address, SOMEBODY6, target, 1000, 53)
            yield Probe(f"in to {target} by {port_.id[:8]}", wire, "nic", frame)
        for target, number in (("203.0.113.5", 69), ("203.0.113.50", 53), ("203.0.113.60", 8053), ("10.0.0.1", 69)):
            frame = packets.udp(HOP_MAC, port_.mac_address, SOMEBODY, target, 1000, number)
            yield Probe(f"in to {target} {number} by {port_.id[:8]}", wire, "nic", frame)


PROBES = list(probes())


@pytest.mark.parametrize(("change", "choose"), [(name, (min, max)[place % 2]) for place, name in enumerate(CHANGES)])
async def test_nothing_passes_that_should_not(
    change: str, choose: Callable[[list[str]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_at_once(monkeypatch)
    story = Story(CHANGES[change], PROBES, tmp_path, world=Outside)
    await story.tell(choose, on_disk=choose is max)
