"""What comes up from outside: each kind of each router has a meter of its own, in every flow that hands it up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import FLOATING, GATEWAY, OUTSIDE, region

from netweft.dataplane.openflow.flow import Controller, Flow, Meter
from netweft.dataplane.openflow.meters import DropMeter
from netweft.model import FixedIp
from netweft.services.fields import (
    IN_PORT,
    METERS_MASK,
    OUR_METERS,
    ROUTER,
    Limit,
    Reason,
    RouterLimit,
    logical_port,
    meter_number,
    outside_meter,
    owner,
    router_meter_number,
)
from netweft.testing.node import UPLINKS
from netweft.testing.region import Region, gateway, interface, network, router, subnet

__all__ = ["region"]
FROM_OUTSIDE = (Reason.ROUTER_RESOLVE, Reason.ROUTER_ERROR_IN, Reason.ROUTER_ERROR_OUT)
OTHER, TO_GREEN = router(2), interface(4, router(2), network(4), "10.9.0.1")
IPV6 = (subnet(OUTSIDE, "2001:db8::/64", gateway_ip="2001:db8::1"),)

kinds = st.sampled_from(list(RouterLimit))
zones = st.integers(1, 65535)
places = st.builds(lambda ofport, vlan: logical_port(ofport, vlan), st.integers(1, 0xFEFF), st.integers(0, 4095))


@given(st.lists(st.tuples(zones, kinds), min_size=2, max_size=2, unique=True))
def test_no_two_have_the_same(pair: list[tuple[int, RouterLimit]]) -> None:
    one, other = (router_meter_number(*of) for of in pair)
    assert one != other
    assert one & METERS_MASK == OUR_METERS
    assert one < 0xFFFF0000, "the most that Open vSwitch takes"


@given(zones, kinds, places, st.sampled_from(list(Limit)), st.uuids())
def test_none_is_a_ports_or_a_floating_ips(zone: int, kind: RouterLimit, place: int, limit: Limit, id: object) -> None:
    assert router_meter_number(zone, kind) not in (meter_number(place, limit), outside_meter(str(id), limit))


@pytest.fixture
def full(region: Region) -> Region:
    """Two routers with gateways on hv1, in IPv4 and IPv6, one with a floating IP."""
    address = FixedIp(IPV6[0].id, "2001:db8::5")
    second = gateway(2, OTHER, OUTSIDE, "hv1", "203.0.113.6")
    region.create(FLOATING, replace(GATEWAY, fixed_ips=(*GATEWAY.fixed_ips, address)), *IPV6)
    region.create(network(4), OTHER, TO_GREEN, second, subnet(network(4), "10.9.0.0/24"))
    region.settle()
    return region


def up(region: Region) -> list[Flow]:
    """Flows by which the agent gets what comes from outside."""
    flows = region.nodes["hv1"].bridges["int"].flows.values()
    handed = (flow for flow in flows if any(isinstance(action, Controller) for action in flow.actions))
    return [flow for flow in handed if _is_from_outside(flow)]


def of_networks(region: Region, node: str) -> set[int]:
    """By their local VLANs."""
    vlans = region.nodes[node].rendering.vlans.assigned.values()
    return {router_meter_number(vlan, kind) for vlan in vlans for kind in RouterLimit}


def of_routers(region: Region, node: str) -> set[int]:
    applied = region.nodes[node].applied.values()
    return {item.id for item in applied if isinstance(item, DropMeter)} - of_networks(region, node)


def _is_from_outside(flow: Flow) -> bool:
    whose = owner(flow.cookie)
    if whose is None:
        return False
    return whose.reason in FROM_OUTSIDE or (whose.reason is Reason.ROUTER_HAND_UP and whose.object != "0" * 10)


def meter_of(flow: Flow) -> int | None:
    """None: it is handed up without a limit."""
    first = flow.actions[0]
    return first.id if isinstance(first, Meter) else None


def test_nothing_comes_up_without_a_limit(full: Region) -> None:
    assert len(up(full)) > 10
    assert [flow for flow in up(full) if meter_of(flow) is None] == []


def test_each_limit_is_one_routers_and_one_kinds(full: Region) -> None:
    """By what the flows' cookies say: whose they are, and why."""
    found: dict[int, set[object]] = {}
    for flow in up(full):
        whose, meter = owner(flow.cookie), meter_of(flow)
        assert whose is not None and meter is not None
        found.setdefault(meter, set()).add(whose)
    assert all(len(owners) == 1 for owners in found.values()), found
    meters = of_routers(full, "hv1")
    assert found.keys() - of_networks(full, "hv1") <= meters
    of_firewalls = {RouterLimit.LOGGED, RouterLimit.REJECTED}
    assert len(meters) == 2 * len(set(RouterLimit) - of_firewalls), "those are not of what comes from outside"


def test_what_next_hops_say_is_apart(full: Region) -> None:
    heard = [flow for flow in up(full) if (whose := owner(flow.cookie)) and whose.reason is Reason.ROUTER_RESOLVE]
    next_hops = {meter_of(flow) for flow in heard if flow.priority == 28}
    others = {meter_of(flow) for flow in heard if flow.priority != 28}
    assert len([flow for flow in heard if flow.priority == 28]) == 4, "two in IPv4, one in IPv6, one of the floating IP"
    assert next_hops.isdisjoint(others)


def test_ways_into_the_node_have_their_own(full: Region) -> None:
    flows = [flow for flow in up(full) if (whose := owner(flow.cookie)) and whose.reason is Reason.ROUTER_HAND_UP]
    by: dict[tuple[int, int | None], int | None] = {}
    for flow in flows:
        match = {name: value for name, value, _ in flow.match}
        by[match[ROUTER], match[IN_PORT]] = meter_of(flow)
    outside, tunnels = UPLINKS.physical["public"].near, UPLINKS.tun.near
    numbers = sorted({number for number, _ in by})
    assert len(numbers) == 2
    for number in numbers:
        assert by[number, outside] != by[number, tunnels]
    for one, other in itertools.combinations(numbers, 2):
        assert {by[one, outside], by[one, tunnels]}.isdisjoint({by[other, outside], by[other, tunnels]})


def test_without_meters_it_is_as_before(full: Region) -> None:
    node = full.nodes["hv1"]
    before = {flow.key for flow in node.bridges["int"].flows.values()}
    node.rendering.set_abilities(meters=False, lengths=True, nic_problems={})
    node.settle()
    after = node.bridges["int"].flows
    assert after.keys() == before
    assert not any(isinstance(action, Meter) for flow in after.values() for action in flow.actions)
    assert not any(isinstance(item, DropMeter) for item in node.applied.values())


def test_nodes_without_the_gateway_have_none(full: Region) -> None:
    assert not of_routers(full, "hv2")
