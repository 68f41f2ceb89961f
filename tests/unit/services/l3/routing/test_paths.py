"""Several next hops for one destination, asked of fake switches: who gets which flows, and who keeps them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples
from tests.unit.services.l3.gateways.test_flows import B1 as INSIDE
from tests.unit.services.l3.gateways.test_flows import MACS, NEAR, OUTSIDE, own, sent
from tests.unit.services.l3.gateways.test_flows import R2 as FAR_INSIDE
from tests.unit.services.l3.gateways.test_flows import R as ROUTER_OUTSIDE
from tests.unit.services.l3.gateways.test_flows import region as with_gateway
from tests.unit.services.l3.routing.test_flows import B1, B2, R1, R2, TO_BLUE, R, region

from netweft.model import HostRoute, Port
from netweft.services.addresses import Prefix, mac, prefix
from netweft.services.l3.routing.paths import Elsewhere, shares
from netweft.testing import packets
from netweft.testing.region import Region, interface, network, port, router, subnet

__all__ = ["region", "with_gateway"]

FLOWS = range(50)
TO = {4: "192.0.2.0/24", 6: "2001:db8:1::/64"}
HOPS = {4: ("10.0.1.20", "10.0.1.21", "10.0.0.11"), 6: ("fd00:b::20", "fd00:b::21", "fd00:a::11")}
OTHER_ROUTER = "203.0.113.2"


def routes(version: int, *hops: str) -> tuple[HostRoute, ...]:
    return tuple(HostRoute(TO[version], hop) for hop in hops)


def chosen(region: Region, frm: Port, version: int) -> list[str]:
    """Who gets each of many flows."""
    found = []
    for flow in FLOWS:
        to = f"192.0.2.{flow}" if version == 4 else f"2001:db8:1::{flow:x}"
        make = packets.ping if version == 4 else packets.ping6
        src = next(one.ip_address for one in frm.fixed_ips if prefix(one.ip_address).version == version)
        packet = make(frm.mac_address, TO_BLUE.mac_address, src, to)
        (receiver,) = region.receivers(frm, {**packet, "ip_ttl": 64})
        found.append(receiver)
    return found


@pytest.mark.parametrize("version", [4, 6])
def test_flows_are_spread_and_stay_where_they_are(region: Region, version: int) -> None:
    """The same from every node; one next hop more or less moves what it gets or had."""
    region.create(replace(R, routes=routes(version, *HOPS[version])))
    region.settle()
    three = chosen(region, B1, version)
    assert three == chosen(region, B1, version)
    shares = Counter(three)
    assert set(shares) == {R1.id, R2.id, B2.id}
    assert min(shares.values()) > len(FLOWS) / 10
    region.create(replace(R, routes=routes(version, *HOPS[version][:2])))
    region.settle()
    two = chosen(region, B1, version)
    assert all(before == after for before, after in zip(three, two, strict=True) if before != B2.id)
    assert set(two) == {R1.id, R2.id}


def test_a_flow_is_its_ends(region: Region) -> None:
    """Ports count, but not of what comes in fragments: later ones have none."""
    region.create(replace(R, routes=routes(4, *HOPS[4][:2])))
    region.settle()

    def receivers(source: int, *, pieces: int) -> set[str]:
        packet = {
            **packets.udp(B1.mac_address, TO_BLUE.mac_address, "10.0.0.10", "192.0.2.1", source, 53),
            "ip_ttl": 64,
        }
        sent = packets.fragments(packet, pieces) if pieces else [packet]
        return {one for piece in sent for one in region.receivers(B1, piece)}

    assert len(set.union(*(receivers(source, pieces=0) for source in FLOWS))) == 2
    assert len(set.union(*(receivers(source, pieces=3) for source in FLOWS))) == 1


def test_a_next_hop_out_of_reach_is_left_out(region: Region) -> None:
    region.create(replace(R, routes=routes(4, "10.0.1.20", "10.0.0.11")))
    region.create(replace(TO_BLUE, admin_state_up=True))
    region.settle()
    assert set(chosen(region, B1, 4)) == {R1.id, B2.id}
    red = next(one for one in region.router_ports.values() if one.network_id == R1.network_id)
    region.create(replace(red, admin_state_up=False))
    region.settle()
    assert set(chosen(region, B1, 4)) == {B2.id}


def test_only_who_may_takes_such_a_route(region: Region) -> None:
    """Of next hops in several address scopes, each flow's own."""
    green = network(5)
    g1 = port(50, green, "10.0.5.50")
    scoped = replace(green, ipv4_address_scope="50000000-0000-4000-8000-000000000001")
    region.create(scoped, g1, subnet(green, "10.0.5.0/24"), interface(5, R, green, "10.0.5.1"))
    region.create(replace(R, routes=routes(4, "10.0.1.20", "10.0.5.50")))
    region.plug("hv1", g1)
    region.settle()
    found = []
    for flow in FLOWS:
        packet = packets.udp(B1.mac_address, TO_BLUE.mac_address, "10.0.0.10", f"192.0.2.{flow}", 1000, 53)
        found += region.receivers(B1, {**packet, "ip_ttl": 64})
    assert set(found) == {R1.id}, "what has the other next hop ends"
    assert len(found) < len(FLOWS)


def outside(region: Region, frm: Port) -> list[int]:
    """The MAC outside that each flow goes to."""
    found = [sent(region, frm, f"192.0.2.{flow}") for flow in FLOWS]
    return [packet["eth_dst"] for one in found for packet in one]


def test_next_hops_outside(with_gateway: Region) -> None:
    """By the gateway's node, wherever a packet starts; who is silent is left out, and nobody else's flows move."""
    region = with_gateway
    rendering = region.nodes["hv1"].rendering
    region.create(replace(ROUTER_OUTSIDE, routes=routes(4, NEAR, OTHER_ROUTER)))
    region.settle()
    rendering.learn(OUTSIDE.id, OTHER_ROUTER, "02:00:00:00:00:02")
    region.settle()
    near, other = mac(MACS[NEAR]), mac("02:00:00:00:00:02")
    for frm in (INSIDE, FAR_INSIDE):
        both = outside(region, frm)
        assert len(both) == len(FLOWS)
        assert set(both) == {near, other}
        rendering.fall_silent(OUTSIDE.id, [NEAR])
        region.settle()
        assert set(outside(region, frm)) == {other}
        rendering.fall_silent(OUTSIDE.id, [])
        region.settle()
        assert outside(region, frm) == both
    rendering.fall_silent(OUTSIDE.id, [NEAR, OTHER_ROUTER])
    region.settle()
    assert set(outside(region, INSIDE)) == {near, other}, "nobody is left: as if all answered"


def test_a_route_outside_with_one_next_hop(with_gateway: Region) -> None:
    """It is not the default route's."""
    with_gateway.create(replace(ROUTER_OUTSIDE, routes=routes(4, NEAR)))
    with_gateway.settle()
    for frm in (INSIDE, FAR_INSIDE):
        assert set(outside(with_gateway, frm)) == {mac(MACS[NEAR])}
        (packet,) = sent(with_gateway, frm, "192.0.2.1")
        assert packet["ipv4_src"] == prefix("203.0.113.5").value
        assert own(frm) != "203.0.113.5"


def hop(number: int) -> Elsewhere:
    return Elsewhere((), Prefix(4, number, None))


@given(numbers=st.sets(st.integers(1, 2**32 - 1), min_size=2, max_size=30), which=st.integers(0))
@settings(max_examples=examples(20))
def test_one_less_moves_only_what_it_had(numbers: set[int], which: int) -> None:
    hops = [hop(number) for number in sorted(numbers)]
    gone = hops[which % len(hops)]
    before, after = (list(shares(some, 256)) for some in (hops, [one for one in hops if one != gone]))
    assert all(one == other for one, other in zip(before, after, strict=True) if one != gone)
    assert list(shares(hops[::-1], 256)) == before


def test_few_rules(region: Region) -> None:
    """None more for a route with one next hop."""
    region.create(replace(R, routes=routes(4, HOPS[4][0])))
    region.settle()
    single = len(region.nodes["hv1"].bridges["int"].flows)
    region.create(replace(R, routes=routes(4, *HOPS[4][:2])))
    region.settle()
    assert len(region.nodes["hv1"].bridges["int"].flows) == single + 65
    assert router(1).id == R.id
