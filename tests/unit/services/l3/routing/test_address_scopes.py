"""Address scopes at a router: what crosses from one into another does so translated, or not at all."""

import pytest
from msgspec.structs import replace

from netweft.model import FixedIp, HostRoute, Network, Port
from netweft.services.addresses import prefix
from netweft.services.fields import Reason, owner
from netweft.testing import packets
from netweft.testing.region import Region, floating_ip, gateway, interface, network, port, router, subnet
from netweft.testing.switch import Delivery, Packet

A, B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001"
BLUE, RED, OUTSIDE = network(1), network(2, "vlan"), network(9, "flat", "public")
R = router(1)
TO_BLUE = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")
TO_RED = interface(2, R, RED, "10.0.1.1", "fd00:b::1")
GATEWAY = replace(
    gateway(1, R, OUTSIDE, "hv1", "203.0.113.5"),
    fixed_ips=(
        FixedIp(subnet(OUTSIDE, "203.0.113.0/24").id, "203.0.113.5"),
        FixedIp(subnet(OUTSIDE, "2001:db8::/64").id, "2001:db8::5"),
    ),
)
FLOATING = floating_ip(1, R, OUTSIDE, "203.0.113.50", "10.0.0.10")
B1, B2 = port(10, BLUE, "10.0.0.10", "fd00:a::10"), port(11, BLUE, "10.0.0.11", "fd00:a::11")
R2 = port(20, RED, "10.0.1.20", "fd00:b::20")
NEXT = {4: "203.0.113.1", 6: "2001:db8::1"}
FAR = {4: "8.8.8.8", 6: "2001:db8:ffff::7"}
NEXT_MAC = "02:00:00:00:00:01"


def within(net: Network, four: str | None = None, six: str | None = None) -> Network:
    return replace(net, ipv4_address_scope=four, ipv6_address_scope=six)


@pytest.fixture
def region() -> Region:
    """hv1: B1 and the gateway; hv2: B2 and R2."""
    made = Region(nodes=2)
    made.create(BLUE, RED, OUTSIDE, B1, B2, R2, R, TO_BLUE, TO_RED, GATEWAY)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(RED, "10.0.1.0/24"))
    made.create(subnet(BLUE, "fd00:a::/64"), subnet(RED, "fd00:b::/64"))
    made.create(
        subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=NEXT[4]), subnet(OUTSIDE, "2001:db8::/64", gateway_ip=NEXT[6])
    )
    made.plug("hv1", B1)
    made.plug("hv2", B2, R2)
    made.settle()
    for address in NEXT.values():
        made.nodes["hv1"].rendering.learn(OUTSIDE.id, address, NEXT_MAC)
    made.settle()
    return made


def own(one: Port, version: int) -> str:
    return next(f.ip_address for f in one.fixed_ips if prefix(f.ip_address).version == version)


def across(region: Region, frm: Port, to: Port, version: int) -> list[str]:
    by = TO_BLUE if frm.network_id == BLUE.id else TO_RED
    packet = packets.udp(frm.mac_address, by.mac_address, own(frm, version), own(to, version), 1000, 53)
    return region.ids_of(region.send(frm, packet))


def out(region: Region, frm: Port, version: int = 4) -> list[Packet]:
    heard = region.wires["public"].heard
    heard.clear()
    by = TO_BLUE if frm.network_id == BLUE.id else TO_RED
    region.send(frm, packets.udp(frm.mac_address, by.mac_address, own(frm, version), FAR[version], 1000, 53))
    return list(heard)


def source(region: Region, frm: Port) -> list[int]:
    return [packet["ipv4_src"] for packet in out(region, frm)]


def comes_in(region: Region, to: str, version: int = 4) -> list[Delivery]:
    packet = packets.udp(NEXT_MAC, GATEWAY.mac_address, FAR[version], to, 53, 1000)
    return list(region.wires["public"].carry(None, {"vlan_vid": 0, **packet}))


@pytest.mark.parametrize("frm, to", [(B1, R2), (B2, R2), (R2, B1), (R2, B2)])
@pytest.mark.parametrize(
    ("blue", "red", "passes"), [((A, A), (A, A), True), ((A, A), (B, B), False), ((A, A), (None, None), False)]
)
def test_between_networks(
    region: Region,
    frm: Port,
    to: Port,
    blue: tuple[str | None, str | None],
    red: tuple[str | None, str | None],
    passes: bool,
) -> None:
    region.create(within(BLUE, *blue), within(RED, *red))
    region.settle()
    for version in (4, 6):
        assert across(region, frm, to, version) == ([to.id] if passes else [])
    region.create(within(BLUE), within(RED))
    region.settle()
    for version in (4, 6):
        assert across(region, frm, to, version) == [to.id], "it is told of another scope"


def test_each_version_has_its_own(region: Region) -> None:
    region.create(within(BLUE, A, A), within(RED, A, B))
    region.settle()
    assert across(region, B1, R2, 4) == [R2.id]
    assert across(region, B1, R2, 6) == []


def test_the_longest_prefix_decides_and_then_the_scope(region: Region) -> None:
    """A default route, or one to the same prefix, is no way round what a connected one refuses."""
    routes = tuple(HostRoute(to, "10.0.0.11") for to in ("0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24"))
    region.create(within(BLUE, A), within(RED, B), replace(R, routes=routes))
    region.settle()
    assert across(region, B1, R2, 4) == []
    far = packets.udp(R2.mac_address, TO_RED.mac_address, own(R2, 4), "10.9.9.9", 1000, 53)
    assert region.send(R2, far) == [], "by a route into the other scope"
    far = packets.udp(B1.mac_address, TO_BLUE.mac_address, own(B1, 4), "10.9.9.9", 1000, 53)
    assert region.ids_of(region.send(B1, far)) == [B2.id], "and in its own it leads"


def test_its_own_addresses_answer_whatever_the_scope(region: Region) -> None:
    region.create(within(BLUE, A), within(RED, B))
    region.settle()
    asked = packets.ping(B1.mac_address, TO_BLUE.mac_address, own(B1, 4), "10.0.1.1")
    assert region.ids_of(region.send(B1, asked)) == [B1.id]


@pytest.mark.parametrize("frm", [B1, B2])
def test_snat_where_scopes_differ(region: Region, frm: Port) -> None:
    region.create(within(BLUE, A), within(OUTSIDE, B))
    region.settle()
    assert source(region, frm) == [prefix("203.0.113.5").value]
    assert region.ids_of(comes_in(region, "203.0.113.5")) == [frm.id]
    assert comes_in(region, own(frm, 4)) == []


@pytest.mark.parametrize("frm", [B1, B2])
def test_no_snat_in_one_scope(region: Region, frm: Port) -> None:
    region.create(within(BLUE, A), within(OUTSIDE, A))
    region.settle()
    assert source(region, frm) == [prefix(own(frm, 4)).value]
    assert region.ids_of(comes_in(region, own(frm, 4))) == [frm.id]
    assert source(region, R2) == [prefix("203.0.113.5").value], "red is in no scope"
    assert region.ids_of(comes_in(region, "203.0.113.5")) == [R2.id]
    assert comes_in(region, own(R2, 4)) == []


BEHIND = "10.7.0.7"  # a host that a route of its owner's leads to


def behind(region: Region, to: str, red: str | None = None) -> list[int]:
    """Whom the outside sees, when a host behind B1 asks; B1 passes on what is its."""
    free = replace(B1, port_security_enabled=False, security_groups=())
    routed = replace(R, routes=(HostRoute(to, own(B1, 4)),))
    region.create(within(BLUE, A), within(RED, red), within(OUTSIDE, A), free, routed)
    region.settle()
    heard = region.wires["public"].heard
    heard.clear()
    region.send(free, packets.udp(free.mac_address, TO_BLUE.mac_address, BEHIND, FAR[4], 1000, 53))
    return [packet["ipv4_src"] for packet in heard]


def test_who_is_behind_a_route_is_in_the_scope_of_the_network_it_leads_by(region: Region) -> None:
    """As in Neutron, which marks what comes in by an interface."""
    assert behind(region, "10.7.0.0/24") == [prefix(BEHIND).value]
    assert region.ids_of(comes_in(region, BEHIND)) == [B1.id]


@pytest.mark.parametrize("to", ["10.0.0.0/8", "0.0.0.0/0"])
def test_but_no_network_of_another_scope_with_it(region: Region, to: str) -> None:
    """Red, which the route's destination is around, leaves translated only."""
    behind(region, to, red=B)
    assert prefix(own(R2, 4)).value not in source(region, R2)
    assert comes_in(region, own(R2, 4)) == []


def test_no_scope_at_either_end_is_no_reason_to_leave_snat(region: Region) -> None:
    assert source(region, B1) == [prefix("203.0.113.5").value]
    assert comes_in(region, own(B1, 4)) == []


def test_without_snat_only_what_is_in_the_scope_of_the_external_network(region: Region) -> None:
    region.create(within(BLUE, A), within(RED, B), within(OUTSIDE, A), replace(R, enable_snat=False))
    region.settle()
    assert source(region, B2) == [prefix(own(B2, 4)).value]
    assert region.ids_of(comes_in(region, own(B2, 4))) == [B2.id]
    assert source(region, R2) == []
    assert comes_in(region, own(R2, 4)) == []


def test_a_floating_ip_crosses_and_only_it(region: Region) -> None:
    for snat in (True, False):
        region.create(within(BLUE, A), within(OUTSIDE, B), replace(R, enable_snat=snat), FLOATING)
        region.settle()
        assert source(region, B1) == [prefix("203.0.113.50").value]
        assert region.ids_of(comes_in(region, "203.0.113.50")) == [B1.id]
        assert source(region, B2) == ([prefix("203.0.113.5").value] if snat else [])
        assert comes_in(region, own(B2, 4)) == []


@pytest.mark.parametrize("frm", [B1, B2])
def test_ipv6_outside(region: Region, frm: Port) -> None:
    for scope, passes in ((A, True), (B, False), (None, False)):
        region.create(within(BLUE, None, A), within(OUTSIDE, None, scope))
        region.settle()
        assert len(out(region, frm, 6)) == passes
        assert region.ids_of(comes_in(region, own(frm, 6), 6)) == ([frm.id] if passes else [])


@pytest.mark.parametrize("scope", [None, A])
def test_one_scope_costs_no_flow(region: Region, scope: str | None) -> None:
    region.create(*(within(net, scope, scope) for net in (BLUE, RED, OUTSIDE)), replace(R, enable_snat=False))
    region.settle()
    flows = [flow for node in region.nodes.values() for flow in node.bridges["int"].flows.values()]
    assert [flow for flow in flows if (whose := owner(flow.cookie)) and whose.reason is Reason.ROUTER_SCOPE] == []
