"""Routers added, changed and taken away: at no step does a packet get into a network that it gets into neither before
nor after, nor is one lost that gets there before and after; so too where the agent is killed there."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation
from tests.convergence.story import Story

from netweft.model import (
    FixedIp,
    HostRoute,
    Node,
    Object,
    Peer,
    Port,
    SecurityGroup,
    SecurityGroupRule,
    key_of,
)
from netweft.services.pipeline import INT
from netweft.testing import packets
from netweft.testing.region import ANYTHING, interface, network, port, router, subnet
from netweft.testing.switch import Packet

pytestmark = pytest.mark.slow

A, B, C, D, W = network(1), network(2), network(3), network(4), network(5, "vlan")
SUBNETS = (
    *(subnet(A, "10.0.0.0/24"), subnet(B, "10.0.1.0/24"), subnet(W, "10.0.2.0/24")),
    *(subnet(C, "10.0.0.0/24"), subnet(D, "10.0.1.0/24")),  # another tenant's, with the same ranges
)
R, S = router(1), router(2)
RA, RB, RW = interface(1, R, A, "10.0.0.254"), interface(2, R, B, "10.0.1.254"), interface(5, R, W, "10.0.2.254")
SC, SD = interface(3, S, C, "10.0.0.254"), interface(4, S, D, "10.0.1.254")
S_ON_A, S_ON_B = interface(6, S, A, "10.0.0.253"), interface(7, S, B, "10.0.1.253")
A1, A2, B1, B2 = port(1, A, "10.0.0.1"), port(2, A, "10.0.0.2"), port(3, B, "10.0.1.1"), port(4, B, "10.0.1.2")
C1, D1, D2, W1 = port(5, C, "10.0.0.1"), port(6, D, "10.0.1.1"), port(8, D, "10.0.1.2"), port(7, W, "10.0.2.1")
ONLY_ASKS = SecurityGroup(id="asks", rules=(SecurityGroupRule(id="out", direction="egress", ethertype="IPv4"),))
THEIR_NETS = (C.id, D.id)
PORTS = {"a1": A1, "a2": A2, "b1": B1, "b2": B2, "c1": C1, "d1": D1, "w1": W1}
BASE: tuple[Object, ...] = (
    A,
    B,
    C,
    D,
    W,
    *SUBNETS,
    ANYTHING,
    Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",)),
)


def peer(of: Port) -> Peer:
    addresses = tuple(fixed.ip_address for fixed in of.fixed_ips)
    return Peer(id=of.id, network_id=of.network_id, mac_address=of.mac_address, ip_addresses=addresses, host_id="hv11")


def state(*objects: Object, plugged: Sequence[Port] = (A1, B1)) -> Situation:
    all = {key_of(obj): obj for obj in (*BASE, *plugged, *objects)}
    return Situation(list(all.values()), [one.id for one in plugged])


ROUTED: tuple[Object, ...] = (R, RA, RB, peer(B2))
THEIRS: tuple[Object, ...] = (S, SC, SD, peer(D2))
BY_B1, BY_A2 = (replace(R, routes=(HostRoute("10.9.0.0/16", hop),)) for hop in ("10.0.1.1", "10.0.0.2"))
HALF = replace(R, routes=(HostRoute("10.9.0.0/17", "10.0.0.2"), HostRoute("10.9.0.0/16", "10.0.1.1")))
MORE = replace(RA, fixed_ips=(*RA.fixed_ips, FixedIp(RA.fixed_ips[0].subnet_id, "10.0.0.252")))
HERS = replace(port(9, B, "10.0.1.1"), security_groups=("asks",))

CHANGES: dict[str, tuple[Situation, Situation]] = {
    "a router added": (state(peer(B2)), state(*ROUTED)),
    "a router removed": (state(*ROUTED), state(peer(B2))),
    "an interface added": (state(R, RA, peer(B2)), state(*ROUTED)),
    "an interface removed": (state(*ROUTED), state(R, RA, peer(B2))),
    "an interface goes to another router": (state(*ROUTED, S, S_ON_A), state(R, RA, S, S_ON_A, S_ON_B, peer(B2))),
    "another router instead, with other MACs": (state(*ROUTED), state(S, S_ON_A, S_ON_B, peer(B2))),
    "a router of the same pair more": (state(*ROUTED), state(*ROUTED, S, S_ON_A, S_ON_B)),
    "a router of the same pair less": (state(*ROUTED, S, S_ON_A, S_ON_B), state(*ROUTED)),
    "another tenant's router added": (
        state(*ROUTED, peer(D2), plugged=(A1, B1, C1, D1)),
        state(*ROUTED, *THEIRS, plugged=(A1, B1, C1, D1)),
    ),
    "another tenant's router removed": (
        state(*ROUTED, *THEIRS, plugged=(A1, B1, C1, D1)),
        state(*ROUTED, peer(D2), plugged=(A1, B1, C1, D1)),
    ),
    "down": (state(*ROUTED), state(replace(R, admin_state_up=False), RA, RB, peer(B2))),
    "up": (state(replace(R, admin_state_up=False), RA, RB, peer(B2)), state(*ROUTED)),
    "an interface down": (state(*ROUTED), state(R, RA, replace(RB, admin_state_up=False), peer(B2))),
    "an interface with another MAC": (
        state(*ROUTED),
        state(R, replace(RA, mac_address="fa:16:3e:ff:00:77"), RB, peer(B2)),
    ),
    "an interface with an address more": (state(*ROUTED), state(R, MORE, RB, peer(B2))),
    "a route by another port": (
        state(*ROUTED, BY_B1, plugged=(A1, A2, B1)),
        state(*ROUTED, BY_A2, plugged=(A1, A2, B1)),
    ),
    "a longer route": (state(*ROUTED, BY_B1, plugged=(A1, A2, B1)), state(*ROUTED, HALF, plugged=(A1, A2, B1))),
    "a longer route no more": (state(*ROUTED, HALF, plugged=(A1, A2, B1)), state(*ROUTED, BY_B1, plugged=(A1, A2, B1))),
    "the first port of a network that is routed": (state(*ROUTED, plugged=(A1,)), state(*ROUTED, plugged=(A1, B1))),
    "the last port of a network that is routed": (state(*ROUTED, plugged=(A1, B1)), state(*ROUTED, plugged=(A1,))),
    "the first port of all": (state(*ROUTED, *THEIRS, plugged=(C1,)), state(*ROUTED, *THEIRS, plugged=(C1, A1))),
    "a wire's network becomes routed": (state(R, RA, RB, plugged=(A1, W1)), state(R, RA, RB, RW, plugged=(A1, W1))),
    "a wire's network is routed no more": (state(R, RA, RB, RW, plugged=(A1, W1)), state(R, RA, RB, plugged=(A1, W1))),
    "a smaller MTU": (state(*ROUTED), state(*ROUTED, replace(B, mtu=1400))),
    "an address for another port": (
        state(*ROUTED, ONLY_ASKS, plugged=(A1, B1)),
        state(*ROUTED, ONLY_ASKS, HERS, plugged=(A1, HERS)),
    ),
    "the local VLANs for other networks": (state(*ROUTED, plugged=(A1, B1)), state(*THEIRS, plugged=(C1, D1))),
}


def probes() -> Iterator[Probe]:
    for name, one in {**PORTS, "hers": HERS}.items():
        me, ip = one.mac_address, one.fixed_ips[0].ip_address
        for at in (RA, RB, SC, SD, RW, S_ON_A, S_ON_B):
            if at.network_id != one.network_id:
                continue
            for target in ("10.0.0.1", "10.0.1.1", "10.0.1.2", "10.0.2.1", "10.9.1.1", "10.9.200.1"):
                asks = f"{name} to {target} by {at.id[:8]}"
                yield Probe(asks, INT.role, one.id, packets.udp(me, at.mac_address, ip, target, 999, 53))
                more = large(packets.udp(me, at.mac_address, ip, target, 99, 53))
                yield Probe(f"{asks}, large", INT.role, one.id, more)
                for other in PORTS.values():
                    tenants = {one.network_id in THEIR_NETS, other.network_id in THEIR_NETS}
                    if other.fixed_ips[0].ip_address == target and len(tenants) == 1 and one is not HERS:
                        yield from answer(asks, other, one, target)


def large(packet: Packet) -> Packet:
    return {**packet, "length": 1514}


def answer(asks: str, frm: Port, to: Port, own: str) -> Iterator[Probe]:
    for by in (RA, RB, SC, SD, RW, S_ON_A, S_ON_B):
        if by.network_id == frm.network_id:
            said = packets.udp(frm.mac_address, by.mac_address, own, to.fixed_ips[0].ip_address, 53, 999)
            yield Probe(f"answer by {frm.id[:8]} and {by.id[:8]} to {asks}", INT.role, frm.id, said, asks)


PROBES = list(probes())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("choose", [min, max])
async def test_nothing_passes_that_should_not(change: str, choose: Callable[[list[str]], str], tmp_path: Path) -> None:
    story = Story(CHANGES[change], PROBES, tmp_path, "1:2" if "local VLANs" in change else "1:9")
    await story.tell(choose, on_disk=choose is max)
