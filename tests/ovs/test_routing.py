"""Routers in a real Open vSwitch: it takes the flows, and its trace says what becomes of a packet."""

import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.ovs.sandbox import Sandbox
from tests.ovs.test_recirculations import NODE, OPEN, Switch, built

from netweft.model import HostRoute, Port
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import text_of_mac
from netweft.services.pipeline import RECIRCULATIONS
from netweft.testing.node import UPLINKS
from netweft.testing.region import WIRE_PORT, Region, floating_ip, gateway, interface, network, port, router, subnet

BLUE, RED, PURPLE = network(1), network(2, "vlan"), replace(network(3), mtu=1300)
R = router(
    1,
    routes=(
        HostRoute("10.0.2.0/24", "10.0.1.2"),
        HostRoute("fd00:c::/64", "fd00:b::2"),
        *(HostRoute("192.0.2.0/24", hop) for hop in ("10.0.1.20", "10.0.1.22")),
        *(HostRoute("2001:db8:1::/64", hop) for hop in ("fd00:b::20", "fd00:b::22")),
    ),
)
CHAINED = router(2, routes=(HostRoute("10.0.0.0/24", "10.0.1.1"), HostRoute("fd00:a::/64", "fd00:b::1")))
INTERFACES = (
    TO_BLUE := interface(1, R, BLUE, "10.0.0.1", "fd00:a::1"),
    interface(2, R, RED, "10.0.1.1", "fd00:b::1"),
    interface(3, CHAINED, RED, "10.0.1.2", "fd00:b::2"),
    interface(4, CHAINED, PURPLE, "10.0.2.1", "fd00:c::1"),
)
HERE = (
    B1 := port(10, BLUE, "10.0.0.10", "fd00:a::10"),
    FREE := port(11, BLUE, "10.0.0.11", "fd00:a::11", **OPEN),
    R1 := port(20, RED, "10.0.1.20", "fd00:b::20"),
    HOP := port(22, RED, "10.0.1.22", "fd00:b::22"),
    P1 := port(30, PURPLE, "10.0.2.30", "fd00:c::30"),
)
OUTSIDE = network(4, "flat", "public")
GATEWAY = gateway(1, R, OUTSIDE, NODE, "203.0.113.5")
FLOATING = floating_ip(1, R, OUTSIDE, "203.0.113.50", "10.0.1.20")
NEXT = "203.0.113.1"
THERE = (R2 := port(21, RED, "10.0.1.21", "fd00:b::21"),)


@pytest.fixture(scope="module")
def region() -> Region:
    region = Region(nodes=2)
    region.create(BLUE, RED, PURPLE, R, CHAINED, *INTERFACES, *HERE, *THERE)
    for net, letter, number in ((BLUE, "a", 0), (RED, "b", 1), (PURPLE, "c", 2)):
        region.create(subnet(net, f"10.0.{number}.0/24"), subnet(net, f"fd00:{letter}::/64"))
    region.plug(NODE, *HERE)
    region.plug("hv2", *THERE)
    region.create(OUTSIDE, GATEWAY, FLOATING, subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=NEXT))
    region.settle()
    region.nodes[NODE].rendering.learn(OUTSIDE.id, NEXT, "02:00:00:00:00:01")
    region.settle()
    return region


@pytest.fixture(scope="module")
def switch(ovs: Sandbox, region: Region) -> Iterator[Switch]:
    with built(ovs, region.nodes[NODE]) as switch:
        yield switch


def packet(switch: Switch, frm: Port, to: str, *, what: str = "udp,udp_dst=80", ttl: int = 64) -> str:
    version = 6 if ":" in to else 4
    kind, *rest = what.split(",")
    own = frm.fixed_ips[version == 6].ip_address
    ends = f"nw_src={own},nw_dst={to}" if version == 4 else f"ipv6_src={own},ipv6_dst={to}"
    words = f"in_port={switch.ofport(frm)}", kind + ("6" if version == 6 else ""), f"dl_src={frm.mac_address}"
    return ",".join((*words, f"dl_dst={TO_BLUE.mac_address}", ends, f"nw_ttl={ttl}", *rest))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("path", "frm", "to"),
    [
        ("through routers, between guarded ports of one node", B1, R1),
        ("through routers, between guarded ports of one node", B1, P1),
        ("through routers, from a guarded port to another node, or from an unguarded port to a guarded one", B1, R2),
        ("through routers, from a guarded port to another node, or from an unguarded port to a guarded one", FREE, P1),
    ],
)
def test_recirculations(switch: Switch, path: str, frm: Port, to: Port, version: int) -> None:
    sent = packet(switch, frm, to.fixed_ips[version == 6].ip_address)
    assert switch.recirculations("int", sent) == RECIRCULATIONS[path]
    assert switch.recirculations("int", sent, "trk,new") == RECIRCULATIONS[path]


@pytest.mark.parametrize("target", ["10.0.0.1", "10.0.1.1", "10.0.2.1", "fd00:a::1", "fd00:b::1", "fd00:c::1"])
def test_ping_is_answered_by_flows(switch: Switch, target: str) -> None:
    what = "icmp,icmp_type=8,icmp_code=0" if "." in target else "icmp,icmpv6_type=128,icmpv6_code=0"
    path = "to an address of a router's own and back, by a guarded port"
    assert switch.recirculations("int", packet(switch, B1, target, what=what)) == RECIRCULATIONS[path]


@pytest.mark.parametrize("target", ["10.0.1.20", "fd00:b::20"])
def test_a_packet_that_expires_goes_to_the_agent(switch: Switch, target: str) -> None:
    traced = switch.trace("int", packet(switch, B1, target, ttl=1), "trk,est")
    assert re.search(r"Datapath actions: userspace\(pid=\d+,controller\(", traced), traced


@pytest.mark.parametrize("target", ["10.0.2.30", "fd00:c::30"])
def test_what_is_too_big_goes_to_the_agent_and_what_is_not_on(switch: Switch, target: str) -> None:
    """One flow of the datapath's for both, looked up by the length that it compares."""
    traced = switch.trace("int", packet(switch, B1, target), "trk,est")
    found = re.search(r"check_pkt_len\(size=1314,gt\((.*?)\),le\((.*)\)\)$", traced, re.MULTILINE)
    assert found, traced
    assert "controller(" in found[1]
    assert "recirc(" in found[2]
    assert "check_pkt_len" not in switch.trace("int", packet(switch, B1, "10.0.1.20"), "trk,est")


@pytest.mark.parametrize("version", [4, 6])
def test_several_next_hops_cost_nothing_more(switch: Switch, version: int) -> None:
    """Each flow has one of them, and packets in fragments go by their addresses."""
    path = "through routers, from a guarded port to another node, or from an unguarded port to a guarded one"
    to = "192.0.2.7" if version == 4 else "2001:db8:1::7"
    found = set()
    for number in range(16):
        sent = packet(switch, FREE, to, what=f"udp,udp_dst={1000 + number}")
        assert switch.recirculations("int", sent) == RECIRCULATIONS[path]
        found |= set(re.findall(r"set_field:(\S+)->eth_dst", switch.trace("int", sent, "trk,est")))
        pieces = packet(switch, FREE, to, what=f"udp,udp_dst={1000 + number},nw_frag=first")
        assert "multipath(symmetric_l3," in switch.trace("int", pieces, "trk,est")
    assert {R1.mac_address, HOP.mac_address} <= found


SNAT = "by SNAT to the wire from a guarded port of the gateway's node, or the answer to it"
ONCE = "by SNAT to the wire from another node, by a floating IP to a guarded port or from one"


def test_out_of_the_gateways_node(switch: Switch) -> None:
    translated = "trk,est,snat"  # else it does not get out (decision 0444)
    assert switch.recirculations("int", packet(switch, B1, "198.51.100.7"), translated) == RECIRCULATIONS[SNAT]
    by_floating_ip = packet(switch, R1, "198.51.100.7").replace(TO_BLUE.mac_address, INTERFACES[1].mac_address)
    assert switch.recirculations("int", by_floating_ip) == RECIRCULATIONS[ONCE]


def test_from_another_node_to_the_outside(switch: Switch) -> None:
    """By the MAC that this node has for the interface."""
    to_us = text_of_mac(wire_mac(NODE, TO_BLUE.id))
    sent = f"in_port={UPLINKS.overlays['vxlan']},tun_id=1001,udp,dl_src=fa:16:3e:00:00:99,dl_dst={to_us}"
    assert (
        switch.recirculations("tun", f"{sent},nw_src=10.0.0.99,nw_dst=198.51.100.7,nw_ttl=64") == RECIRCULATIONS[ONCE]
    )


def test_in_by_a_floating_ip(switch: Switch) -> None:
    sent = f"in_port={WIRE_PORT},udp,dl_src=02:00:00:00:00:01,dl_dst={GATEWAY.mac_address}"
    assert switch.recirculations("phys:public", f"{sent},nw_src={NEXT},nw_dst=203.0.113.50,nw_ttl=64") == 1
