"""What routers advertise to each port here, and what a port has to hear when that changes."""

from ipaddress import IPv6Address, IPv6Network

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.routing.test_flows import B1, B2, BLUE, G1, GREEN, R1, RED, TO_BLUE, TO_RED, R

from netweft.dataplane.packets.router_advert import Advertisement, Domain, PrefixInfo, Server
from netweft.model import Port, SubPort, Trunk
from netweft.services.addresses import octets
from netweft.services.fields import IN_PORT, LOCAL_VLAN
from netweft.services.l3.neighbours.router_advertisements import to_say
from netweft.services.values import Advertised, Asked
from netweft.testing import packets
from netweft.testing.region import Region, interface, port, router, subnet

V6 = "fd00:a::/64"
SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
PREFIX, SERVER = IPv6Network(V6), IPv6Address("2001:db8::53")
OURS = Server(IPv6Address("fe80::a9fe:a9fe"), 1800)
SECOND = router(2)
AT_BLUE_TOO = interface(3, SECOND, BLUE, "fd00:a::2")


@pytest.fixture
def region() -> Region:
    """hv1: B1 R1 G1; hv2: B2.  R joins BLUE and RED; GREEN has no router."""
    made = Region(nodes=2)
    made.create(BLUE, RED, GREEN, B1, B2, R1, G1, R, TO_BLUE, TO_RED)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(BLUE, V6, gateway_ip="fd00:a::1", **SLAAC))
    made.create(subnet(RED, "10.0.1.0/24"), subnet(RED, "fd00:b::/64"), subnet(GREEN, V6, **SLAAC))
    made.plug("hv1", B1, R1, G1)
    made.plug("hv2", B2)
    made.settle()
    return made


def heard(region: Region, one: Port) -> Advertised | None:
    """What the node of a port has to say to it."""
    node = region.nodes[region.hosts()[one.id]]
    found = [item for (part, _), item in node.applied.items() if part == "advertised" and isinstance(item, Advertised)]
    here = node.rendering.local_port(one.id)
    assert here is not None
    return next((item for item in found if item.number == here.number), None)


def of(region: Region, one: Port) -> Advertisement:
    """Of its only router."""
    said = heard(region, one)
    assert said is not None
    (only,) = said.routers
    return only


@pytest.mark.parametrize("one", [B1, B2])
def test_each_port_of_the_network_hears_its_router(region: Region, one: Port) -> None:
    assert of(region, one) == Advertisement(
        mac=octets(TO_BLUE.mac_address),
        source=IPv6Address("fe80::f816:3eff:feff:1"),
        lifetime=1800,
        mtu=1500,
        prefixes=(PrefixInfo(PREFIX, True, 86400, 14400),),
        servers=(OURS,),
    )


def test_nobody_else_hears_anything(region: Region) -> None:
    assert heard(region, R1) is None, "no subnet of its network is advertised"
    assert heard(region, G1) is None, "another tenant's network, the same prefix, no router"


@pytest.mark.parametrize("address_mode", [None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless"])
@pytest.mark.parametrize(
    ("ra_mode", "managed", "other", "autonomous"),
    [
        ("slaac", False, False, True),
        ("dhcpv6-stateful", True, True, False),
        ("dhcpv6-stateless", False, True, True),
    ],
)
def test_modes(
    region: Region, ra_mode: str, managed: bool, other: bool, autonomous: bool, address_mode: str | None
) -> None:
    """How addresses are given is for the router to say: by its own mode (Neutron refuses most mixtures)."""
    region.create(subnet(BLUE, V6, ipv6_ra_mode=ra_mode, ipv6_address_mode=address_mode))
    region.settle()
    said = of(region, B1)
    assert (said.managed, said.other, said.prefixes[0].autonomous) == (managed, other, autonomous)


def test_without_a_mode_another_router_says_it(region: Region) -> None:
    region.create(subnet(BLUE, V6, ipv6_address_mode="slaac"))
    region.settle()
    assert heard(region, B1) is None
    assert solicit(region, B1) == ["hv2"], "and the agent is not asked"


def test_name_servers_are_those_that_dhcp_alone_does_not_say(region: Region) -> None:
    servers = ("2001:db8::53", "9.9.9.9", "::", "2001:db8::53", "2001:db8::54")
    for mode, expected in (("slaac", 2), ("dhcpv6-stateless", 2), ("dhcpv6-stateful", 0)):
        region.create(subnet(BLUE, V6, ipv6_ra_mode=mode, dns_nameservers=servers))
        region.settle()
        assert [server.lifetime for server in of(region, B1).servers] == [1800] * expected
        assert of(region, B1).servers[:1] == (Server(SERVER, 1800),)[:expected]


@pytest.mark.parametrize(
    ("mode", "four", "expected"),
    [("slaac", (), (OURS,)), ("dhcpv6-stateful", (), ()), ("slaac", ("9.9.9.9",), ()), ("slaac", ("0.0.0.0",), ())],
)
def test_the_node_is_name_server_where_no_other_is_configured(
    region: Region, mode: str, four: tuple[str, ...], expected: tuple[Server, ...]
) -> None:
    region.create(subnet(BLUE, V6, ipv6_ra_mode=mode), subnet(BLUE, "10.0.0.0/24", dns_nameservers=four))
    region.settle()
    assert of(region, B1).servers == expected


def test_a_node_that_answers_for_no_names_is_no_name_server() -> None:
    made = Region(nodes=1)
    made.nodes["hv1"].rendering.set_host(replace(made.nodes["hv1"].host, dns=False, domain="here.test"))
    made.create(BLUE, B1, R, TO_BLUE, subnet(BLUE, V6, gateway_ip="fd00:a::1", **SLAAC))
    made.plug("hv1", B1)
    made.settle()
    assert of(made, B1).servers == ()
    assert of(made, B1).domains == (Domain("here.test", 1800),)


@pytest.mark.parametrize(
    ("mode", "domain", "expected"),
    [
        ("slaac", "corp.test.", (Domain("corp.test", 1800),)),
        ("dhcpv6-stateful", "corp.test.", ()),
        ("slaac", f"{'a' * 64}.test.", ()),
        ("slaac", "a..test.", ()),
    ],
)
def test_names_are_looked_up_in_the_networks_domain(
    region: Region, mode: str, domain: str, expected: tuple[Domain, ...]
) -> None:
    region.create(replace(BLUE, dns_domain=domain), subnet(BLUE, V6, ipv6_ra_mode=mode))
    region.settle()
    assert of(region, B1).domains == expected


def test_only_what_it_has_an_address_in(region: Region) -> None:
    """Of two subnets of one network, of which one is behind another router."""
    other = replace(subnet(BLUE, "fd00:aa::/64", **SLAAC), id="other")
    region.create(other)
    region.settle()
    assert [prefix.network for prefix in of(region, B1).prefixes] == [PREFIX]


def test_one_that_is_not_the_gateway_is_preferred_less(region: Region) -> None:
    region.create(SECOND, AT_BLUE_TOO)
    region.settle()
    said = heard(region, B1)
    assert said is not None
    assert {one.mac: one.low for one in said.routers} == {
        octets(TO_BLUE.mac_address): False,
        octets(AT_BLUE_TOO.mac_address): True,
    }
    region.create(subnet(BLUE, V6, gateway_ip="fe80::f816:3eff:feff:3", **SLAAC))
    region.settle()
    said = heard(region, B1)
    assert said is not None
    assert {one.mac: one.low for one in said.routers} == {
        octets(TO_BLUE.mac_address): True,
        octets(AT_BLUE_TOO.mac_address): False,
    }


@pytest.mark.parametrize("what", ["router", "interface", "no router", "no interface", "no IPv6"])
def test_one_that_is_down_or_gone_says_nothing(region: Region, what: str) -> None:
    match what:
        case "router":
            region.create(replace(R, admin_state_up=False))
        case "interface":
            region.create(replace(TO_BLUE, admin_state_up=False))
        case "no router":
            del region.routers[R.id]
        case "no interface":
            del region.router_ports[TO_BLUE.id]
        case "no IPv6":
            region.create(interface(1, R, BLUE, "10.0.0.1"))
    region.settle()
    assert heard(region, B1) is None
    assert solicit(region, B1) == ["hv2"]
    region.create(R, TO_BLUE)
    region.settle()
    assert of(region, B1).lifetime == 1800


def solicit(region: Region, frm: Port) -> list[str]:
    """Who hears it: nodes of other ports, and the agent's own."""
    got = region.send(frm, packets.router_solicit(frm.mac_address, link_local(frm)))
    nodes = {region.hosts()[id] for id in region.ids_of(got)}
    bridge = region.nodes[region.hosts()[frm.id]].bridges["int"]
    punted, bridge.punted = bridge.punted, []
    return sorted([*nodes, *("agent" for _ in punted)])


def link_local(one: Port) -> str:
    return "fe80::f816:3eff:fe00:" + f"{int(one.mac_address[-2:], 16):x}"


@pytest.mark.parametrize("src", ["", "::"])
def test_a_solicitation_goes_to_the_agent_and_on_its_way(region: Region, src: str) -> None:
    got = region.send(B1, packets.router_solicit(B1.mac_address, src or link_local(B1)))
    assert region.ids_of(got) == [B2.id]
    (asked,) = region.nodes["hv1"].bridges["int"].punted
    here = region.nodes["hv1"].rendering.local_port(B1.id)
    assert here is not None
    assert (asked[IN_PORT], asked[LOCAL_VLAN]) == (here.number, here.network.vlan)


def test_where_no_router_is_the_agent_gets_no_solicitations(region: Region) -> None:
    assert solicit(region, G1) == []


def test_one_with_anothers_address_is_dropped(region: Region) -> None:
    assert region.send(B1, packets.router_solicit(B1.mac_address, link_local(B2))) == []
    assert region.send(B1, packets.router_solicit(B2.mac_address, link_local(B2))) == []
    assert region.nodes["hv1"].bridges["int"].punted == []


def test_nothing_comes_from_a_vm_as_from_a_router(region: Region) -> None:
    assert region.send(B1, packets.router_advertise(B1.mac_address, link_local(B1))) == []


def test_one_that_floods_solicitations_is_ignored_by_the_agent(region: Region) -> None:
    node = region.nodes["hv1"]
    node.rendering.listen(B1.id, Asked.ROUTER, again=False)
    node.settle()
    assert solicit(region, B1) == ["hv2"]
    assert heard(region, B1), "it is told unasked"
    node.rendering.listen(B1.id, Asked.ROUTER, again=True)
    node.settle()
    assert solicit(region, B1) == ["agent", "hv2"]


def test_a_trunks_sub_port_hears_the_router_of_its_own_network(region: Region) -> None:
    sub = port(12, BLUE, "10.0.0.12", "fd00:a::12")
    region.create(sub, Trunk(id="t", port_id=G1.id, sub_ports=(SubPort(sub.id, 7),)))
    region.settle()
    assert of(region, sub) == of(region, B1)
    assert heard(region, G1) is None
    assert solicit(region, sub)[:1] == ["agent"]


def test_a_wrong_prefix_harms_its_own_ports_only(region: Region) -> None:
    region.create(subnet(BLUE, V6, dns_nameservers=("nonsense:",), **SLAAC))
    region.settle()
    broken, well = region.nodes["hv1"].status(B1.id), region.nodes["hv1"].status(R1.id)
    assert broken is not None and "nonsense" in broken.detail
    assert well is not None and not well.detail


# what a port has to hear

SERVERS = (Server(SERVER, 1800), Server(IPv6Address("2001:db8::54"), 1800))
OTHER = PrefixInfo(IPv6Network("fd00:c::/64"), True, 86400, 14400)
FIRST = Advertisement(
    mac=b"first.",
    source=IPv6Address("fe80::1"),
    lifetime=1800,
    prefixes=(PrefixInfo(PREFIX, True, 86400, 14400), OTHER),
    servers=SERVERS,
    domains=(Domain("corp.test", 1800),),
)
SIBLING = replace(FIRST, mac=b"second", source=IPv6Address("fe80::2"), prefixes=(OTHER,), servers=SERVERS[1:])


def told(*routers: Advertisement) -> Advertised:
    return Advertised(number=17, network_id="n", routers=routers)


def test_nothing_new_nothing_said() -> None:
    assert to_say(told(FIRST), told(FIRST)) == []
    assert to_say(None, None) == []


def test_what_is_new_is_said_alone() -> None:
    assert to_say(None, told(FIRST, SIBLING)) == [FIRST, SIBLING]
    assert to_say(told(FIRST), told(FIRST, SIBLING)) == [SIBLING]
    assert to_say(told(FIRST), told(replace(FIRST, managed=True))) == [replace(FIRST, managed=True)]


@pytest.mark.parametrize("after", [None, told()])
def test_a_router_that_is_gone_is_no_router_any_more(after: Advertised | None) -> None:
    (last,) = to_say(told(FIRST), after)
    assert (last.mac, last.source, last.lifetime) == (FIRST.mac, FIRST.source, 0)
    assert [(one.network, one.valid, one.preferred) for one in last.prefixes] == [
        (PREFIX, 86400, 0),
        (OTHER.network, 86400, 0),
    ]
    assert last.servers == tuple(replace(server, lifetime=0) for server in SERVERS)
    assert last.domains == (Domain("corp.test", 0),)


def test_what_another_one_still_says_holds() -> None:
    (last,) = to_say(told(FIRST, SIBLING), told(SIBLING))
    assert last.lifetime == 0
    assert [one.network for one in last.prefixes] == [PREFIX]
    assert last.servers == (replace(SERVERS[0], lifetime=0),)


def test_what_one_says_no_longer_is_said_with_what_it_does() -> None:
    now = replace(FIRST, prefixes=(OTHER,), servers=SERVERS[:1], domains=(Domain("new.test", 1800),))
    (said,) = to_say(told(FIRST), told(now))
    assert said.lifetime == 1800
    assert said.prefixes == (OTHER, replace(FIRST.prefixes[0], preferred=0))
    assert said.servers == (SERVERS[0], replace(SERVERS[1], lifetime=0))
    assert said.domains == (Domain("new.test", 1800), Domain("corp.test", 0))
