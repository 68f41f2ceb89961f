"""What trace says of a packet by the rows is what becomes of it: random rules and packets, through flows that are
rendered for them, in a switch that forwards packets."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.control.trace.packet import ICMP, TCP, UDP, Packet
from netweft.control.trace.walk import Start, answer, walk
from netweft.control.trace.way import PORT, Way
from netweft.dataplane.openflow.fields import PROTO_ICMP
from netweft.model import SecurityGroup, SecurityGroupRule
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
    return [SecurityGroup(id=id, rules=tuple(draw(st.lists(rules(), max_size=4))), stateful=stateful) for id in GROUPS]


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Ports 1 and 2 on one network, 3 on another, a router between them."""
    region, router = Region(nodes=2), made.router(1, admin_state_up=draw(st.sampled_from([True, True, True, False])))
    nets = [made.network(1), made.network(2, draw(st.sampled_from(["vxlan", "vlan"])))]
    region.create(router, *draw(groups()))
    for number, net in enumerate(nets, 1):
        region.create(net, made.subnet(net, f"10.0.{number}.0/24", gateway_ip=f"10.0.{number}.1"))
        region.create(made.interface(number, router, net, f"10.0.{number}.1"))
    of = st.sampled_from([(GROUPS[0],), (GROUPS[1],), GROUPS, (), (ANYTHING.id,)])
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


@settings(max_examples=examples(100))
@given(regions(), st.permutations(range(3)), st.sampled_from([TCP, UDP, ICMP]), st.sampled_from(PORTS), st.booleans())
def test_the_verdict_is_what_the_packet_does(
    region: Region, order: list[int], protocol: int, dport: int, spoofed: bool
) -> None:
    region.settle()
    frm, to = (list(region.ports.values())[number] for number in order[:2])
    src = STRANGER if spoofed and order[0] < 2 else frm.fixed_ips[0].ip_address
    ports: dict[str, Any] = {} if protocol == ICMP else {"sport": 40000, "dport": dport}
    packet = Packet(src, to.fixed_ips[0].ip_address, protocol, **ports)
    snapshot = seen(rows_of(region))
    snapshot = type(snapshot)(snapshot.rows, whole=frozenset({"agents", "ports"}))
    start = Start(snapshot.get("ports", frm.id), snapshot.rows["networks"][frm.network_id])
    there = walk(snapshot, start, packet, snapshot.get("ports", to.id))
    assert passes(there) == (received(region, frm.id, there, packet) == [to.id]), [one.code for one in there.findings]
    back = answer(snapshot, there, start)
    if not passes(there) or back is None or src == STRANGER:
        return
    frame = framed(packet.answered(), to.mac_address, back.mac)
    if protocol == ICMP:
        frame = echo_reply(frame)
    assert passes(back) == (region.receivers(region.ports[to.id], frame) == [frm.id]), [
        one.code for one in back.findings
    ]
