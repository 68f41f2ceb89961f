"""Several gateways of a router, asked of fake switches: by which a packet leaves, as whom, and how the answer comes."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    BLUE,
    MACS,
    NEAR,
    OUTSIDE,
    R2,
    RED,
    SOMEBODY,
    TO_BLUE,
    TO_RED,
)
from tests.unit.services.l3.gateways.test_flows import sent as sent_to

from netweft.model import FixedIp, FloatingIp, GatewayPort, HostRoute, Network, Port, Router
from netweft.services.addresses import Prefix, mac, prefix, text
from netweft.services.l3.values import GatewayPlace
from netweft.testing import packets
from netweft.testing.region import (
    Region,
    floating_ip,
    gateway,
    interface,
    network,
    port,
    port_forwarding,
    router,
    subnet,
)
from netweft.testing.switch import Delivery, Packet

SECOND = network(8, "vlan", "public")
R = router(1)
FIRST_PORT = gateway(1, R, OUTSIDE, "hv1", "203.0.113.5", "2001:db8:1::5")
OTHER_PORT = gateway(2, R, SECOND, "hv1", "198.51.100.5", "2001:db8:2::5")
TWIN_PORT = gateway(3, R, OUTSIDE, "hv1", "203.0.113.6", "2001:db8:1::6")
HOPS = {FIRST_PORT: "203.0.113.1", OTHER_PORT: "198.51.100.1"}
HOPS_6 = {FIRST_PORT: "2001:db8:1::1", OTHER_PORT: "2001:db8:2::1"}
MAC = {FIRST_PORT: "02:00:00:00:01:01", OTHER_PORT: "02:00:00:00:02:01"}
FLOWS = [f"192.0.2.{number}" for number in range(40)]
SIX = port(12, BLUE, "10.0.0.12", "fd00:a::12")
TO_BLUE_6 = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")


def with_gateways(*more: GatewayPort, ecmp: bool = True) -> Router:
    return replace(R, first_gateway=FIRST_PORT.id, extra_gateways=tuple(one.id for one in more), ecmp=ecmp)


@pytest.fixture
def region() -> Region:
    """hv1: B1, SIX and the gateways; hv2: B2, R2."""
    made = Region(nodes=2)
    made.create(BLUE, RED, OUTSIDE, SECOND, B1, B2, R2, SIX, TO_BLUE_6, TO_RED)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(BLUE, "fd00:a::/64"), subnet(RED, "10.0.1.0/24"))
    for net, first in ((OUTSIDE, FIRST_PORT), (SECOND, OTHER_PORT)):
        for hop, length in ((HOPS[first], 24), (HOPS_6[first], 64)):
            cidr = f"{hop.rpartition('.')[0]}.0/24" if length == 24 else f"{hop[:-1]}/64"
            made.create(subnet(net, cidr, gateway_ip=hop))
    made.create(with_gateways(OTHER_PORT), FIRST_PORT, OTHER_PORT)
    made.plug("hv1", B1, SIX)
    made.plug("hv2", B2, R2)
    made.settle()
    for net, first in ((OUTSIDE, FIRST_PORT), (SECOND, OTHER_PORT)):
        for hop in (HOPS[first], HOPS_6[first]):
            made.nodes["hv1"].rendering.learn(net.id, hop, MAC[first])
    made.nodes["hv1"].rendering.learn(OUTSIDE.id, NEAR, MACS[NEAR])
    made.settle()
    return made


def leaves(region: Region, frm: Port, to: str) -> Packet:
    (packet,) = sent_to(region, frm, to)
    return packet


def leaves_as(region: Region, frm: Port, to: str) -> tuple[str, int, int]:
    """(source address, source MAC, destination MAC)"""
    packet = leaves(region, frm, to)
    return text(Prefix(4, packet["ipv4_src"], None)), packet["eth_src"], packet["eth_dst"]


def by(one: GatewayPort, hop: GatewayPort | None = None) -> tuple[str, int, int]:
    return one.fixed_ips[0].ip_address, mac(one.mac_address), mac(MAC[hop or one])


def comes_in(region: Region, packet: Packet, net: Network) -> list[Delivery]:
    tag = net.segments[0].segmentation_id
    return list(region.wires["public"].carry(None, {"vlan_vid": 0x1000 | tag if tag else 0, **packet}))


@pytest.mark.parametrize("frm", [B1, B2, R2])
def test_each_leaves_as_itself_and_answers_come_back(region: Region, frm: Port) -> None:
    """A host keeps its gateway towards another host, whatever the ports."""
    found = {to: leaves_as(region, frm, to) for to in FLOWS}
    assert set(found.values()) == {by(FIRST_PORT), by(OTHER_PORT)}
    assert found == {to: leaves_as(region, frm, to) for to in FLOWS}
    for to in FLOWS[:8]:
        one = FIRST_PORT if found[to] == by(FIRST_PORT) else OTHER_PORT
        answer = packets.udp(MAC[one], one.mac_address, to, found[to][0], 53, 1000)
        (delivery,) = comes_in(region, answer, OUTSIDE if one is FIRST_PORT else SECOND)
        assert region.ids_of([delivery]) == [frm.id]


def test_without_ecmp_the_first_leads_out(region: Region) -> None:
    region.create(with_gateways(OTHER_PORT, ecmp=False))
    region.settle()
    for frm in (B1, B2):
        assert {leaves_as(region, frm, to) for to in FLOWS} == {by(FIRST_PORT)}
        packet = leaves(region, frm, "198.51.100.1")
        assert packet["ipv4_src"] == prefix("198.51.100.5").value, "but a network of its own is reached by each"


def test_who_is_silent_is_left_out(region: Region) -> None:
    before = {to: leaves_as(region, B1, to) for to in FLOWS}
    region.nodes["hv1"].rendering.fall_silent(SECOND.id, [HOPS[OTHER_PORT]])
    region.settle()
    assert {leaves_as(region, B1, to) for to in FLOWS} == {by(FIRST_PORT)}
    region.nodes["hv1"].rendering.fall_silent(SECOND.id, [])
    region.settle()
    assert {to: leaves_as(region, B1, to) for to in FLOWS} == before


def test_two_on_one_network(region: Region) -> None:
    """One next hop, two addresses."""
    region.create(with_gateways(TWIN_PORT), TWIN_PORT)
    region.gateway_ports.pop(OTHER_PORT.id)
    region.settle()
    found = {to: leaves_as(region, B1, to) for to in FLOWS}
    assert set(found.values()) == {by(FIRST_PORT), by(TWIN_PORT, FIRST_PORT)}
    to = next(to for to, how in found.items() if how == by(TWIN_PORT, FIRST_PORT))
    answer = packets.udp(MAC[FIRST_PORT], TWIN_PORT.mac_address, to, "203.0.113.6", 53, 1000)
    (delivery,) = comes_in(region, answer, OUTSIDE)
    assert region.ids_of([delivery]) == [B1.id]


def lent(number: int, net: Network, address: str, to: Port, *, with_vm: bool = True) -> FloatingIp:
    return floating_ip(number, R, net, address, to.fixed_ips[0].ip_address, to if with_vm else None)


def settle_with(region: Region, *objects: FloatingIp | Router) -> None:
    """All next hops are known on the VM's own node, too."""
    region.create(*objects)
    region.settle()
    for net, first in ((OUTSIDE, FIRST_PORT), (SECOND, OTHER_PORT)):
        region.nodes["hv2"].rendering.learn(net.id, HOPS[first], MAC[first])
    region.nodes["hv2"].rendering.learn(OUTSIDE.id, NEAR, MACS[NEAR])
    region.settle()


@pytest.mark.parametrize("ecmp", [True, False])
@pytest.mark.parametrize(("frm", "with_vm"), [(B1, True), (B2, True), (B2, False)])
def test_a_floating_ip_leaves_by_its_own_gateway(region: Region, frm: Port, *, with_vm: bool, ecmp: bool) -> None:
    """Or on its VM's node, hv2, as by it."""
    one = lent(5, SECOND, "198.51.100.50", frm, with_vm=with_vm)
    settle_with(region, one, with_gateways(OTHER_PORT, ecmp=ecmp))
    floating = ("198.51.100.50", mac(one.mac_address), by(OTHER_PORT)[2])
    assert {leaves_as(region, frm, to) for to in FLOWS} == {floating}
    assert leaves_as(region, frm, NEAR)[:2] == by(FIRST_PORT)[:2], "but not into another network with its address"
    came = packets.udp(MAC[OTHER_PORT], one.mac_address, SOMEBODY, "198.51.100.50", 1000, 53)
    (delivery,) = comes_in(region, came, SECOND)
    assert region.ids_of([delivery]) == [frm.id]
    assert not comes_in(region, came, OUTSIDE), "it is not there"
    assert not comes_in(region, {**came, "eth_dst": mac(FIRST_PORT.mac_address)}, OUTSIDE), "it is not that one's"


@pytest.mark.parametrize("frm", [B1, B2])
def test_two_floating_ips_of_one_address(region: Region, frm: Port) -> None:
    """One of each network: each is there in its network, and the first gateway's beyond."""
    first, other = lent(9, OUTSIDE, "203.0.113.50", frm), lent(5, SECOND, "198.51.100.50", frm)
    settle_with(region, first, other)
    for to, one in ((NEAR, first), (HOPS[OTHER_PORT], other), (SOMEBODY, first)):
        assert leaves_as(region, frm, to)[:2] == (one.floating_ip_address, mac(one.mac_address))
    for one, net in ((first, OUTSIDE), (other, SECOND)):
        came = packets.udp(MACS[NEAR], one.mac_address, SOMEBODY, one.floating_ip_address, 1000, 53)
        (delivery,) = comes_in(region, came, net)
        assert delivery.packet["ipv4_dst"] == prefix(one.fixed_ip_address).value


@pytest.mark.parametrize("frm", [B1, B2])
def test_a_floating_ip_belongs_to_the_gateway_on_its_link(region: Region, frm: Port) -> None:
    """Of several on one network, which has several subnets."""
    twin = replace(TWIN_PORT, fixed_ips=(FixedIp("twin", "192.0.2.5"),))
    region.create(subnet(OUTSIDE, "192.0.2.0/24", gateway_ip="192.0.2.1", id="twin"), twin)
    region.gateway_ports.pop(OTHER_PORT.id)
    region.gateway_ports[FIRST_PORT.id] = replace(FIRST_PORT, fixed_ips=FIRST_PORT.fixed_ips[:1])
    one = lent(5, OUTSIDE, "192.0.2.50", frm)
    settle_with(region, with_gateways(twin), one)
    region.nodes[region.bound[frm.id]].rendering.learn(OUTSIDE.id, "192.0.2.1", "02:00:00:00:03:01")
    region.settle()
    assert leaves_as(region, frm, SOMEBODY) == ("192.0.2.50", mac(one.mac_address), mac("02:00:00:00:03:01"))
    assert leaves_as(region, frm, NEAR)[0] == "203.0.113.5", "the first gateway's link"


@pytest.mark.parametrize("one", [FIRST_PORT, OTHER_PORT])
def test_each_replies_by_the_gateway_of_the_request(region: Region, one: GatewayPort) -> None:
    """Whoever asks: not as the hash of the two addresses says."""
    heard = region.wires["public"].heard
    for to in FLOWS[:12]:
        asks = packets.ping(MAC[one], one.mac_address, to, one.fixed_ips[0].ip_address)
        comes_in(region, {**asks, "ip_ttl": 64}, OUTSIDE if one is FIRST_PORT else SECOND)
        (answer,) = [packet for packet in heard if packet.get("ipv4_dst") == prefix(to).value]
        assert (answer["eth_src"], answer["eth_dst"]) == by(one)[1:]
        assert answer["ipv4_src"] == prefix(one.fixed_ips[0].ip_address).value
        heard.clear()


def test_ipv6_by_each(region: Region) -> None:
    heard, found = region.wires["public"].heard, set()
    for number in range(40):
        heard.clear()
        ping = packets.ping6(SIX.mac_address, TO_BLUE.mac_address, "fd00:a::12", f"2001:db8:ffff::{number:x}")
        region.send(SIX, {**ping, "ip_ttl": 64})
        (packet,) = heard
        found.add((packet["eth_src"], packet["eth_dst"]))
    assert found == {by(FIRST_PORT)[1:], by(OTHER_PORT)[1:]}


def test_one_gateway_costs_what_it_did(region: Region) -> None:
    """Further ones bring the slots, and what each has."""
    region.create(with_gateways(), FIRST_PORT)
    region.gateway_ports.pop(OTHER_PORT.id)
    region.settle()
    paths = [flow for flow in region.nodes["hv1"].bridges["int"].flows.values() if "multipath" in str(flow)]
    assert not paths
    assert {leaves_as(region, B1, to) for to in FLOWS} == {by(FIRST_PORT)}


@pytest.mark.parametrize("host", ["hv1", "hv2"])
def test_both_where_the_first_is(region: Region, host: str) -> None:
    """Also after another node has taken them over; an answer to either address is that node's to give."""
    order = ("hv1", "hv2")
    region.create(*(replace(one, hosts=order) for one in (FIRST_PORT, OTHER_PORT)))
    for net, first in ((OUTSIDE, FIRST_PORT), (SECOND, OTHER_PORT)):
        region.nodes["hv2"].rendering.learn(net.id, HOPS[first], MAC[first])
    for name, node in region.nodes.items():
        for one in (FIRST_PORT, OTHER_PORT):
            node.rendering.choose(one.id, GatewayPlace(host, here=name == host, answers=name == host))
    region.settle()
    used = {leaves_as(region, frm, to)[1] for frm in (B1, B2) for to in FLOWS}
    assert used == {mac(FIRST_PORT.mac_address), mac(OTHER_PORT.mac_address)}
    assert [len(node.rendering.routers.gateways()) for node in region.nodes.values()] == [
        2 * (name == host) for name in order
    ]
    assert [len(node.rendering.routers.standbys()) for node in region.nodes.values()] == [
        2 * (name != host) for name in order
    ]


HAS, LEFT, SENDS_ON = (
    GatewayPlace("hv1", here=True, answers=True),
    GatewayPlace("hv1", here=True),
    GatewayPlace("hv2", here=True),
)


@pytest.mark.parametrize("ecmp", [True, False])
@pytest.mark.parametrize("place", [HAS, LEFT, SENDS_ON, GatewayPlace("hv2")])
def test_floating_ips_while_gateways_go(region: Region, place: GatewayPlace, *, ecmp: bool) -> None:
    """From hv1 to hv2, one after the other: they come and go by their own networks, all where the gateways are."""
    order = ("hv1", "hv2")
    theirs = GatewayPlace("hv2", here=True, answers=True) if place.host == "hv2" else GatewayPlace("hv1")
    of_hv1 = [lent(5, SECOND, "198.51.100.50", B1), lent(6, OUTSIDE, "203.0.113.56", SIX)]
    of_hv2 = [lent(7, SECOND, "198.51.100.57", B2), lent(8, OUTSIDE, "203.0.113.58", R2)]
    region.create(*(replace(one, hosts=order) for one in (FIRST_PORT, OTHER_PORT)), *of_hv1, *of_hv2)
    for one in (FIRST_PORT, OTHER_PORT):
        for name, seen in (("hv1", place), ("hv2", theirs)):
            region.nodes[name].rendering.choose(one.id, seen)
    settle_with(region, with_gateways(OTHER_PORT, ecmp=ecmp))
    for frm, floating in zip((B1, SIX, B2, R2), (*of_hv1, *of_hv2), strict=True):
        gateway_ = OTHER_PORT if floating.floating_network_id == SECOND.id else FIRST_PORT
        its = (floating.floating_ip_address, mac(floating.mac_address), mac(MAC[gateway_]))
        assert {leaves_as(region, frm, to) for to in FLOWS[:8]} == {its}
        net = SECOND if gateway_ is OTHER_PORT else OUTSIDE
        came = packets.udp(MAC[gateway_], floating.mac_address, SOMEBODY, floating.floating_ip_address, 1000, 53)
        assert set(region.ids_of(comes_in(region, came, net))) == {frm.id}, "the wire floods"
        error = packets.udp(MAC[gateway_], floating.mac_address, SOMEBODY, frm.fixed_ips[0].ip_address, 1000, 53)
        assert comes_in(region, error, net) == [], "by its MAC to nothing else"


def answering(region: Region, one: FloatingIp) -> set[str]:
    asked = ("arp_tpa", prefix(one.floating_ip_address).value, None)
    return {
        name
        for name, node in region.nodes.items()
        if any(asked in flow.match and ("arp_op", 1, None) in flow.match for flow in node.bridges["int"].flows.values())
    }


def test_of_several_networks_none_is_with_its_vm(region: Region) -> None:
    """Who has asked by which is known where the gateways are.  With those of one network it is with its VM, on hv2."""
    one = lent(8, OUTSIDE, "203.0.113.58", R2)
    settle_with(region, one)
    assert answering(region, one) == {"hv1"}
    region.gateway_ports.pop(OTHER_PORT.id)
    settle_with(region, with_gateways())
    assert answering(region, one) == {"hv2"}
    region.create(TWIN_PORT)
    settle_with(region, with_gateways(TWIN_PORT))
    assert answering(region, one) == {"hv2"}
    region.create(OTHER_PORT)
    settle_with(region, with_gateways(TWIN_PORT, OTHER_PORT))
    assert answering(region, one) == {"hv1"}


def test_a_floating_ip_whose_gateway_is_nowhere(region: Region) -> None:
    """The first is on this node, that one is on none: it goes by itself, and others by the first."""
    floating = lent(5, SECOND, "198.51.100.50", B1)
    region.create(replace(OTHER_PORT, host_id=""))
    settle_with(region, floating)
    its = (floating.floating_ip_address, mac(floating.mac_address), mac(MAC[OTHER_PORT]))
    assert {leaves_as(region, B1, to) for to in FLOWS[:8]} == {its}
    came = packets.udp(MAC[OTHER_PORT], floating.mac_address, SOMEBODY, floating.floating_ip_address, 1000, 53)
    (delivery,) = comes_in(region, came, SECOND)
    assert region.ids_of([delivery]) == [B1.id]
    assert comes_in(region, {**came, "ipv4_dst": prefix("10.0.0.10").value}, SECOND) == []
    for frm in (SIX, B2):
        assert {leaves_as(region, frm, to) for to in FLOWS[:8]} == {by(FIRST_PORT)}


def test_none_without_the_first(region: Region) -> None:
    """Whose address somebody else may still answer for."""
    region.create(*(replace(one, hosts=("hv1", "hv2")) for one in (FIRST_PORT, OTHER_PORT)))
    region.nodes["hv1"].rendering.choose(FIRST_PORT.id, GatewayPlace("hv2"))
    region.nodes["hv1"].rendering.choose(OTHER_PORT.id, GatewayPlace("hv1", here=True, answers=True))
    region.settle()
    assert region.nodes["hv1"].rendering.routers.gateways() == []
    assert [one.answers for one in region.nodes["hv1"].rendering.routers.standbys()] == [False, False]


def from_near(one: GatewayPort, to: str) -> Packet:
    """NEAR is on the first gateway's link, and comes by somebody's router."""
    return {**packets.udp(MAC[one], one.mac_address, NEAR, to, 1000, 53), "ip_ttl": 64}


def answered(region: Region, frm: Port) -> tuple[str, int, int]:
    """What NEAR's question is answered with."""
    heard = region.wires["public"].heard
    heard.clear()
    own = frm.fixed_ips[0].ip_address
    region.send(frm, {**packets.udp(frm.mac_address, TO_BLUE.mac_address, own, NEAR, 53, 1000), "ip_ttl": 64})
    (packet,) = heard
    return text(Prefix(4, packet["ipv4_src"], None)), packet["eth_src"], packet["eth_dst"]


@pytest.mark.parametrize("ecmp", [True, False])
@pytest.mark.parametrize("frm", [B1, B2])
@pytest.mark.parametrize("ports", ["", "53:54", "50:60"])
def test_a_client_on_the_other_link_is_answered_by_the_requested_address(
    region: Region, frm: Port, ecmp: bool, ports: str
) -> None:
    """And by its gateway.  What the port itself asks there leaves as ever.  ports: that alone lead in, in order or all
    to one."""
    own = frm.fixed_ips[0].ip_address
    outside = floating_ip(5, R, SECOND, "198.51.100.50", "" if ports else own)
    region.create(outside, with_gateways(OTHER_PORT, ecmp=ecmp))
    if ports:
        inside = ports if ports == "53:54" else "53"
        region.create(port_forwarding(5, R, SECOND, ("198.51.100.50", ports), (own, inside)))
    region.settle()
    if ports != "53:54":
        assert answered(region, frm)[0] == "203.0.113.5", "nobody has asked"
    (delivery,) = comes_in(region, from_near(OTHER_PORT, "198.51.100.50"), SECOND)
    assert region.ids_of([delivery]) == [frm.id]
    assert answered(region, frm) == ("198.51.100.50", *by(OTHER_PORT)[1:])
    assert leaves(region, frm, NEAR)["ipv4_src"] == prefix("203.0.113.5").value


@pytest.mark.parametrize("datapath", ["system", "netdev"])
def test_a_client_on_the_other_link_in_fragments(region: Region, datapath: str) -> None:
    own = B2.fixed_ips[0].ip_address
    region.create(floating_ip(5, R, SECOND, "198.51.100.50", own))
    for node in region.nodes.values():
        node.rendering.set_host(replace(node.host, datapath_type=datapath))
        node.bridges["int"].conntrack.gives_whole = datapath == "system"
    region.settle()
    assert answered(region, B2)[0] == "203.0.113.5", "nobody has asked"
    pieces = packets.fragments(from_near(OTHER_PORT, "198.51.100.50"), 3)
    came = [one for piece in pieces for one in comes_in(region, piece, SECOND)]
    assert region.ids_of(came) == [B2.id] * 3
    assert answered(region, B2) == ("198.51.100.50", *by(OTHER_PORT)[1:])


def test_where_an_extra_route_leads(region: Region) -> None:
    own = B2.fixed_ips[0].ip_address
    behind = HostRoute(f"{FLOWS[0]}/32", NEAR)
    region.create(floating_ip(5, R, SECOND, "198.51.100.50", own), replace(with_gateways(OTHER_PORT), routes=(behind,)))
    region.settle()
    assert leaves(region, B2, FLOWS[0])["ipv4_src"] == prefix("203.0.113.5").value
    asks = packets.udp(MAC[OTHER_PORT], OTHER_PORT.mac_address, FLOWS[0], "198.51.100.50", 53, 1000)
    assert comes_in(region, {**asks, "ip_ttl": 64}, SECOND)
    assert leaves_as(region, B2, FLOWS[0]) == ("198.51.100.50", *by(OTHER_PORT)[1:])


def test_a_port_with_floating_ips_of_both(region: Region) -> None:
    """Each link's hosts are answered by what they asked; the first one's gateway leads out."""
    own = B2.fixed_ips[0].ip_address
    region.create(floating_ip(5, R, SECOND, "198.51.100.50", own), floating_ip(6, R, OUTSIDE, "203.0.113.50", own))
    region.settle()
    assert answered(region, B2)[0] == "203.0.113.50"
    assert comes_in(region, from_near(FIRST_PORT, "203.0.113.50"), OUTSIDE)
    assert answered(region, B2)[0] == "203.0.113.50"


def test_its_own_answer_to_the_other_link(region: Region) -> None:
    heard = region.wires["public"].heard
    heard.clear()
    asks = packets.ping(MAC[OTHER_PORT], OTHER_PORT.mac_address, NEAR, "198.51.100.5")
    comes_in(region, {**asks, "ip_ttl": 64}, SECOND)
    (answer,) = [packet for packet in heard if packet.get("ipv4_dst") == prefix(NEAR).value]
    assert answer["ipv4_src"] == prefix("198.51.100.5").value
    assert (answer["eth_src"], answer["eth_dst"]) == by(OTHER_PORT)[1:]
