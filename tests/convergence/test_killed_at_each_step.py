"""At no step of a change, in whatever order its parts are done, does anything pass that neither the state before nor
the state after lets pass; what both let pass, passes.  So too for an agent that is killed there, and the next one."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Probe, Situation
from tests.convergence.story import Story

from netweft.model import (
    AddressPair,
    BandwidthLimit,
    FixedIp,
    GroupMember,
    Node,
    Object,
    PacketRateLimit,
    Peer,
    Port,
    QosPolicy,
    SecurityGroup,
    SecurityGroupRule,
    key_of,
)
from netweft.services.fields import tagged
from netweft.services.l2.bridges import overlay_port
from netweft.services.pipeline import INT, TUN, physical_role
from netweft.testing import packets
from netweft.testing.region import network, port

pytestmark = pytest.mark.slow

A, B, WIRED = network(1), network(2), network(3, "vlan")
EGRESS = SecurityGroupRule(id="out", direction="egress", ethertype="IPv4")
DNS = SecurityGroupRule(
    id="dns", direction="ingress", ethertype="IPv4", protocol=17, port_range_min=53, port_range_max=53
)
WEB = replace(DNS, id="web", port_range_min=80, port_range_max=80)
FRIENDS = SecurityGroupRule(id="friends", direction="ingress", ethertype="IPv4", remote_group_id="g1")


def group(id: str, *rules: SecurityGroupRule) -> SecurityGroup:
    return SecurityGroup(id=id, rules=(EGRESS, *rules))


def peer(of: Port, host: str = "hv11") -> Peer:
    addresses = tuple(fixed.ip_address for fixed in of.fixed_ips)
    return Peer(id=of.id, network_id=of.network_id, mac_address=of.mac_address, ip_addresses=addresses, host_id=host)


NODES = [Node(name=f"hv{n}", tunnel_ip=f"192.0.2.{n}", tunnel_types=("vxlan",)) for n in (11, 12)]
G1, G2 = group("g1", DNS), group("g2", WEB)
A1, A2, AWAY = (port(n, A, f"10.0.0.{n}", security_groups=("g1",)) for n in (1, 2, 3))
B1, B2 = (port(n, B, f"10.0.0.{n - 10}", security_groups=("g1",)) for n in (11, 12))  # A's addresses
W1 = port(21, WIRED, "10.0.0.21", security_groups=("g1",))
PORTS = {"a1": A1, "a2": A2, "away": AWAY, "b1": B1, "b2": B2, "w1": W1}
BASE: tuple[Object, ...] = (A, B, WIRED, *NODES, G1, G2, A1, A2, peer(AWAY))


def state(*objects: Object, without: Sequence[Object] = (), plugged: Sequence[Port] = (A1, A2)) -> Situation:
    """BASE with these instead of, or beside, what is there."""
    all = {key_of(obj): obj for obj in (*BASE, *objects)}
    for obj in without:
        del all[key_of(obj)]
    return Situation(list(all.values()), [one.id for one in plugged])


MORE_ADDRESSES = replace(A1, fixed_ips=(*A1.fixed_ips, FixedIp("subnet", "10.0.0.66")))
PAIR = replace(A1, allowed_address_pairs=(AddressPair(ip_address="10.0.0.66", mac_address="fa:16:3e:00:00:66"),))
LOOSE = replace(A2, port_security_enabled=False, security_groups=())
MEMBERS = [
    GroupMember(group_id="g1", port_id=one.id, ip_addresses=(one.fixed_ips[0].ip_address,)) for one in (A1, AWAY)
]
IN_FRIENDS = group("g2", FRIENDS)
OF_G2 = replace(A2, security_groups=("g2",))
LIMITED = replace(A1, qos_policy_id="q")
SLOW = QosPolicy(id="q", bandwidth_limits=(BandwidthLimit(max_kbps=9), BandwidthLimit(max_kbps=9, direction="ingress")))
MARKED = QosPolicy(id="q", dscp_mark=46, packet_rate_limits=(PacketRateLimit(max_kpps=9, direction="ingress"),))

CHANGES: dict[str, tuple[Situation, Situation]] = {
    "another group on a port": (state(), state(OF_G2)),
    "a group more on a port, one less": (
        state(replace(A2, security_groups=("g1", "g2"))),
        state(replace(A2, security_groups=("g2", "g3")), group("g3")),
    ),
    "a rule removed": (state(), state(group("g1"))),
    "a rule added": (state(group("g1")), state()),
    "a rule replaced": (state(), state(group("g1", WEB))),
    "a member less": (state(OF_G2, IN_FRIENDS, *MEMBERS), state(OF_G2, IN_FRIENDS, MEMBERS[1])),
    "a member more": (state(OF_G2, IN_FRIENDS, MEMBERS[1]), state(OF_G2, IN_FRIENDS, *MEMBERS)),
    "a port plugged in": (state(plugged=(A1,)), state()),
    "a port unplugged": (state(), state(plugged=(A1,))),
    "a fixed IP removed": (state(MORE_ADDRESSES), state()),
    "an allowed address pair removed": (state(PAIR), state()),
    "port security on": (state(LOOSE), state()),
    "port security off": (state(), state(LOOSE)),
    "the network gone": (state(B1, plugged=(A1, A2, B1)), state(B1, without=(A, A1, A2), plugged=(A1, A2, B1))),
    "a peer moved": (state(), state(peer(AWAY, "hv12"))),
    "a peer comes here": (
        state(replace(AWAY, active=False), plugged=(A1, AWAY)),
        state(AWAY, without=(peer(AWAY),), plugged=(A1, AWAY)),
    ),
    "the local VLAN for another network": (
        state(B1, B2, peer(replace(AWAY, id="p", network_id=B.id))),
        state(B1, B2, peer(replace(AWAY, id="p", network_id=B.id)), plugged=(B1, B2)),
    ),
    "the local VLAN for a network on a wire": (state(W1), state(W1, plugged=(W1,))),
    "the local VLAN of a network on a wire": (state(W1, plugged=(W1,)), state(W1)),
    "a QoS policy on a port": (state(), state(LIMITED, SLOW)),
    "a QoS policy on a port no more": (state(LIMITED, SLOW), state()),
    "a QoS policy's rules replaced": (state(LIMITED, SLOW), state(LIMITED, MARKED)),
    "a limited port unplugged": (state(LIMITED, SLOW), state(LIMITED, SLOW, plugged=(A2,))),
}


def probes() -> Iterator[Probe]:
    for name, one in PORTS.items():
        me, ip = one.mac_address, one.fixed_ips[0].ip_address
        for its_name, other in PORTS.items():
            if other is not one and other.network_id == one.network_id:
                yield from between(f"{name} to {its_name}", one, other)
        yield Probe(f"{name} to all", INT.role, one.id, packets.udp(me, packets.BROADCAST, ip, ip, 997, 53))
        yield Probe(f"{name} arp", INT.role, one.id, packets.arp(me, ip, "10.0.0.99"))
    for net, key in ((A, 1001), (B, 1002)):
        for target in (*(one.mac_address for one in PORTS.values() if one.network_id == net.id), packets.BROADCAST):
            frame = packets.udp("fa:16:3e:00:00:03", target, "10.0.0.3", "10.0.0.1", 998, 53)
            yield Probe(f"overlay {key} to {target}", TUN.role, overlay_port("vxlan"), {**frame, "tun_id": key})
    for tag in (1003, 1, 2):
        frame = packets.arp("fa:16:3e:00:00:77", "10.0.0.77", "10.0.0.21")
        yield Probe(f"wire {tag}", physical_role("physnet1"), "nic", {**frame, "vlan_vid": tagged(tag)})


def between(name: str, one: Port, other: Port) -> Iterator[Probe]:
    me, to = one.mac_address, other.mac_address
    ip, its = one.fixed_ips[0].ip_address, other.fixed_ips[0].ip_address
    for number in (53, 80):
        asks = f"{name} port {number}"
        yield Probe(asks, INT.role, one.id, packets.udp(me, to, ip, its, 999, number))
        yield Probe(f"answer to {asks}", INT.role, other.id, packets.udp(to, me, its, ip, number, 999), asks)
    yield Probe(f"{name} as .66", INT.role, one.id, packets.udp(me, to, "10.0.0.66", its, 999, 53))
    stranger = packets.udp("fa:16:3e:00:00:66", to, "10.0.0.66", its, 999, 53)
    yield Probe(f"{name} as another", INT.role, one.id, stranger)


PROBES = list(probes())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("choose", [min, max])
async def test_nothing_passes_that_should_not(change: str, choose: Callable[[list[str]], str], tmp_path: Path) -> None:
    story = Story(CHANGES[change], PROBES, tmp_path, "1:1" if "local VLAN" in change else "1:9")
    await story.tell(choose, on_disk=choose is max)
