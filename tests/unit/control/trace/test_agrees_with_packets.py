"""What trace says of a packet by the rows is what becomes of it: random rules and packets, through flows that are
rendered for them, in a switch that forwards packets."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.control.explain.snapshot import Snapshot
from netweft.control.trace.packet import ICMP, TCP, UDP, Packet
from netweft.control.trace.walk import answer, walk
from netweft.control.trace.walker import Start
from netweft.control.trace.way import OUTSIDE, PORT, Way
from netweft.dataplane.openflow.fields import PROTO_ICMP
from netweft.model import Port, SecurityGroup, SecurityGroupRule
from netweft.services.addresses import prefix
from netweft.testing import packets
from netweft.testing import region as made
from netweft.testing.explained import rows_of, seen
from netweft.testing.region import ANYTHING, Region
from netweft.testing.switch import Packet as Frame

GROUPS = tuple(f"{number:08x}-2222-4000-8000-000000000000" for number in (1, 2))
ADDRESSES = ("10.0.1.11", "10.0.1.12", "10.0.2.13")
STRANGER = "10.0.1.77"
PORTS = (22, 80, 443)
remotes = st.sampled_from([None, "10.0.1.0/24", "10.0.2.13/32", "192.168.0.0/16", *GROUPS])


@st.composite
def rules(draw: st.DrawFn) -> SecurityGroupRule:
    protocol = draw(st.sampled_from([None, TCP, UDP, ICMP]))
    low, high = sorted((draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))))
    ranged = protocol in (TCP, UDP) and draw(st.booleans())
    remote = draw(remotes)
    return SecurityGroupRule(
        id=draw(st.uuids()).hex,
        direction=draw(st.sampled_from(["ingress", "egress"])),
        ethertype=draw(st.sampled_from(["IPv4", "IPv4", "IPv4", "IPv6"])),
        protocol=protocol,
        port_range_min=low if ranged else None,
        port_range_max=high if ranged else None,
        remote_ip_prefix=remote if remote and "/" in remote else None,
        remote_group_id=remote if remote in GROUPS else None,
    )


@st.composite
def groups(draw: st.DrawFn) -> list[SecurityGroup]:
    stateful = draw(st.booleans())
    return [
        SecurityGroup(id=id, rules=tuple(draw(st.lists(rules(), min_size=1, max_size=5))), stateful=stateful)
        for id in GROUPS
    ]


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Ports 1 and 2 on one network, 3 on another, a router between them."""
    region, router = Region(nodes=2), made.router(1, admin_state_up=draw(st.sampled_from([True, True, True, False])))
    nets = [made.network(1), made.network(2, draw(st.sampled_from(["vxlan", "vlan"])))]
    region.create(router, *draw(groups()))
    for number, net in enumerate(nets, 1):
        region.create(net, made.subnet(net, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1"))
        region.create(made.interface(number, router, net, f"10.0.{number}.1"))
    of = st.sampled_from([(GROUPS[0],), (GROUPS[1],), GROUPS, (), *3 * [(ANYTHING.id,)]])
    for number, address in enumerate(ADDRESSES, 1):
        more = {"security_groups": draw(of), "port_security_enabled": draw(st.sampled_from([True, True, True, False]))}
        port = made.port(number, nets[number // 3], address, **more)
        region.create(port)
        region.plug(f"hv{1 + number % 2}", port)
    return region


def framed(packet: Packet, src: str, dst: str) -> Frame:
    if packet.protocol == PROTO_ICMP:
        return packets.ping(src, dst, packet.src, packet.dst)
    make: Callable[..., Frame] = packets.tcp if packet.protocol == TCP else packets.udp
    return make(src, dst, packet.src, packet.dst, packet.sport, packet.dport)


def passes(way: Way | None) -> bool:
    return way is not None and way.end == PORT and not way.blocked


def received(region: Region, frm: str, way: Way, packet: Packet) -> list[str]:
    port = region.ports[frm]
    return region.receivers(port, framed(packet, port.mac_address, way.mac or "fa:16:3e:00:00:63"))


def echo_reply(frame: Frame) -> Frame:
    return {**frame, "icmpv4_type": 0}


class Sent(NamedTuple):
    """spoofed: from an address that is nobody's, where the two ports are on one network."""

    protocol: int
    dport: int
    spoofed: bool


sent = st.builds(Sent, st.sampled_from([TCP, UDP, ICMP]), st.sampled_from(PORTS), st.booleans())


@settings(max_examples=examples(100))
@given(regions(), st.lists(sent, min_size=6, max_size=6))
def test_the_verdict_is_what_the_packet_does(region: Region, sending: list[Sent]) -> None:
    """A packet from each port to each other one, and what is answered to those that pass: 600 in all."""
    region.settle()
    snapshot = replace(seen(rows_of(region)), whole=frozenset({"agents", "ports"}))
    pairs = permutations(region.ports.values(), 2)
    for (frm, to), (protocol, dport, spoofed) in zip(pairs, sending, strict=True):
        forget(region)
        src = STRANGER if spoofed and frm.network_id == to.network_id else frm.fixed_ips[0].ip_address
        ports: dict[str, Any] = {} if protocol == ICMP else {"sport": 40000, "dport": dport}
        packet = Packet(src, to.fixed_ips[0].ip_address, protocol, **ports)
        compare(region, snapshot, frm, to, packet)


def compare(region: Region, snapshot: Snapshot, frm: Port, to: Port, packet: Packet) -> None:
    start = Start(snapshot.get("ports", frm.id), snapshot.rows["networks"][frm.network_id])
    there = walk(snapshot, start, packet, snapshot.get("ports", to.id))
    assert passes(there) == (received(region, frm.id, there, packet) == [to.id]), [one.code for one in there.findings]
    back = answer(snapshot, there, start)
    if not passes(there) or back is None or packet.src == STRANGER:
        return
    frame = framed(packet.answered(), to.mac_address, back.mac)
    arrived = region.receivers(region.ports[to.id], echo_reply(frame) if packet.protocol == ICMP else frame) == [frm.id]
    assert passes(back) == arrived, [one.code for one in back.findings]


def forget(region: Region) -> None:
    """Each packet is the first of its connection."""
    for node in region.nodes.values():
        for bridge in node.bridges.values():
            bridge.conntrack.connections.clear()


# -- outside: SNAT and floating IPs

SOMEBODY, NEXT_HOP, NEXT_HOPS_MAC, FLOATING = "8.8.8.8", "203.0.113.1", "02:00:00:00:00:01", "203.0.113.5{}"


@st.composite
def with_outside(draw: st.DrawFn) -> Region:
    """And a gateway on one of the nodes; some ports have floating IPs."""
    region = draw(regions())
    (router,) = region.routers.values()
    outside = made.network(90, "flat", "public")
    region.create(outside, made.subnet(outside, "203.0.113.0/24", gateway_ip=NEXT_HOP))
    region.create(made.gateway(1, router, outside, draw(st.sampled_from(["hv1", "hv2"])), "203.0.113.2"))
    for number, port in enumerate(region.ports.values()):
        if draw(st.booleans()):
            address = FLOATING.format(number)
            region.create(made.floating_ip(number, router, outside, address, port.fixed_ips[0].ip_address, port))
    region.settle()
    known = {NEXT_HOP: NEXT_HOPS_MAC}  # as by ARP
    known |= {one.floating_ip_address: one.mac_address for one in region.floating_ips.values()}
    for node in region.nodes.values():
        for address, its_mac in known.items():
            node.rendering.learn(outside.id, address, its_mac)
    region.settle()
    return region


def rows_with_outside(region: Region) -> Snapshot:
    rows = rows_of(region)
    for network in rows["networks"].values():
        network["router:external"] = network["provider:network_type"] == "flat"
    return replace(seen(rows), whole=frozenset({"agents", "ports"}))


@settings(max_examples=examples(50))
@given(with_outside(), st.sampled_from([TCP, UDP, ICMP]), st.sampled_from(PORTS))
def test_what_leaves_and_what_comes_in(region: Region, protocol: int, dport: int) -> None:
    snapshot = rows_with_outside(region)
    ports: dict[str, Any] = {} if protocol == ICMP else {"sport": 40000, "dport": dport}
    for port in region.ports.values():
        forget(region)
        packet = Packet(port.fixed_ips[0].ip_address, SOMEBODY, protocol, **ports)
        start = Start(snapshot.get("ports", port.id), snapshot.rows["networks"][port.network_id])
        there = walk(snapshot, start, packet)
        heard = region.wires["public"].heard
        heard.clear()
        received(region, port.id, there, packet)
        left = [one["ipv4_src"] for one in heard if one.get("ipv4_dst") == prefix(SOMEBODY).value]
        expected = [prefix(there.packet.src).value] if there.end == OUTSIDE and not there.blocked else []
        assert left == expected, [one.code for one in there.findings]
    for one in region.floating_ips.values():
        forget(region)
        packet = Packet(SOMEBODY, one.floating_ip_address, protocol, **ports)
        there = walk(snapshot, Start(None, snapshot.rows["networks"][one.floating_network_id]), packet)
        frame = {"vlan_vid": 0, **framed(packet, NEXT_HOPS_MAC, there.mac)}
        arrived = region.ids_of(region.wires["public"].carry(None, frame)) == [one.port_id]
        assert passes(there) == arrived, [one.code for one in there.findings]


# -- healthy


def test_of_two_hundred_healthy_pairs_not_one_false_word() -> None:
    """Fifteen VMs on three nodes and three kinds of networks, behind one router."""
    region, router = Region(nodes=3), made.router(1)
    region.create(router)
    for number, kind in enumerate(("vxlan", "vlan", "geneve"), 1):
        net = made.network(number, kind)
        region.create(net, made.subnet(net, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1"))
        region.create(made.interface(number, router, net, f"10.0.{number}.1"))
        for vm in range(1, 6):
            port = made.port(10 * number + vm, net, f"10.0.{number}.{10 + vm}")
            region.create(port)
            region.plug(f"hv{1 + vm % 3}", port)
    region.settle()
    snapshot = replace(seen(rows_of(region)), whole=frozenset({"agents", "ports"}))
    pairs = list(permutations(region.ports.values(), 2))
    for number, (frm, to) in enumerate(pairs):
        forget(region)
        protocol = (TCP, UDP, ICMP)[number % 3]
        ports: dict[str, Any] = {} if protocol == ICMP else {"sport": 40000, "dport": 443}
        packet = Packet(frm.fixed_ips[0].ip_address, to.fixed_ips[0].ip_address, protocol, **ports)
        start = Start(snapshot.get("ports", frm.id), snapshot.rows["networks"][frm.network_id])
        there = walk(snapshot, start, packet, snapshot.get("ports", to.id))
        back = answer(snapshot, there, start)
        assert (passes(there), passes(back), there.findings, back and back.findings) == (True, True, [], [])
        assert not there.assumptions
        compare(region, snapshot, frm, to, packet)
    assert len(pairs) >= 200
