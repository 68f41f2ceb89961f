"""Metadata: what VMs ask of it reaches the agent with who asks, its answer him who has asked, and nothing else does."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.dataplane.openflow.fields import VLAN_PRESENT
from netweft.model import Port, SecurityGroup, SubPort, Trunk
from netweft.services.addresses import mac
from netweft.services.fields import logical_port
from netweft.services.metadata import ends
from netweft.services.values import Asked
from netweft.testing import packets
from netweft.testing.node import UPLINKS
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Delivery, Packet

NET, RED, BLUE = network(1), network(2), network(3)
SILENT = SecurityGroup(id="00000001-2222-4000-8000-000000000000")
ASKER = port(1, NET, "10.0.0.1", "2001:db8::1", security_groups=(SILENT.id,))
TWIN = replace(port(2, RED, "10.0.0.1", "2001:db8::1"), mac_address=ASKER.mac_address)
FREE = port(3, NET, "10.0.0.3", port_security_enabled=False, security_groups=())
PARENT, SUB = port(4, NET, "10.0.0.4"), port(5, BLUE, "10.0.1.5", "2001:db8:1::5")
OTHER = port(6, NET, "10.0.0.6", "2001:db8::6")
ALL = (ASKER, TWIN, FREE, PARENT, SUB, OTHER)
SERVER, SERVER_6 = str(ends.SERVER_4), str(ends.SERVER_6)
TRUNK = Trunk(
    id="00000001-3333-4000-8000-000000000000",
    port_id=PARENT.id,
    sub_ports=(SubPort(port_id=SUB.id, segmentation_id=7),),
)
GATEWAY_MAC = "fa:16:3e:99:99:99"


@pytest.fixture
def region() -> Region:
    found = Region(nodes=1)
    found.groups[SILENT.id] = SILENT
    found.create(NET, RED, BLUE, *ALL, TRUNK)
    found.plug("hv1", ASKER, TWIN, FREE, PARENT, OTHER)
    found.settle()
    return found


def link_local(of: Port) -> str:
    return f"fe80::f816:3eff:fe00:{of.mac_address[-1]}"


def asks(of: Port, src: str = "", dport: int = 80, sport: int = 4000, to: str = ends.MAC) -> Packet:
    src = src or of.fixed_ips[0].ip_address
    return packets.tcp(of.mac_address, to, src, SERVER_6 if ":" in src else SERVER, sport, dport)


def taken(region: Region, frm: Port, packet: Packet) -> list[Packet]:
    """What comes to the agent; and nobody else gets any of it."""
    found = region.send(frm, packet)
    assert all(one.ofport == UPLINKS.metadata for one in found)
    return [one.packet for one in found]


def answer(region: Region, asked: Packet) -> list[Delivery]:
    """As the kernel says it."""
    kind = "udp" if "udp_src" in asked else "tcp"
    turned = {f"{name}_{end}": asked[f"{name}_{other}"] for name in ("eth", kind) for end, other in ENDS}
    version = "ipv6" if "ipv6_src" in asked else "ipv4"
    addresses = {f"{version}_{end}": asked[f"{version}_{other}"] for end, other in ENDS}
    own = {"eth_src": mac(ends.MAC), "eth_dst": mac(ends.MAC)}
    assert UPLINKS.metadata is not None
    packet = {**asked, **turned, **addresses, **own}
    return list(region.nodes["hv1"].bridges["int"].receive(packet, UPLINKS.metadata))


ENDS = (("src", "dst"), ("dst", "src"))


def number_of(region: Region, one: Port) -> int:
    parent, tag = region.sub_ports().get(one.id, (one.id, 0))
    ofport = region.nodes["hv1"].vifs[parent].ofport
    assert ofport
    return logical_port(ofport, tag, guarded=one.port_security_enabled)


@pytest.mark.parametrize("to", [ends.MAC, GATEWAY_MAC])
@pytest.mark.parametrize("who", [ASKER, TWIN, FREE, SUB], ids=["guarded", "same addresses", "unguarded", "sub-port"])
@pytest.mark.parametrize("source", ["IPv4", "link-local", "global"])
def test_answers_go_to_the_client_alone(region: Region, who: Port, source: str, to: str) -> None:
    """Though his group lets nothing out or in."""
    src, version = link_local(who) if source == "link-local" else "2001:db8:aa:bb::99", 4 if source == "IPv4" else 6
    if source == "IPv4" or (source == "global" and who is not FREE):
        src = who.fixed_ips[source == "global"].ip_address
    packet = asks(who, src, to=to)
    [asked] = taken(region, who, packet)
    came_from = ip_address(asked["ipv4_src"] if version == 4 else asked["ipv6_src"])
    assert number_of(region, who) in ends.numbers(came_from)
    assert (asked["tcp_dst"], asked["eth_dst"]) == (ends.PORT, mac(ends.MAC))
    told = "" if source == "global" and who is FREE else src  # nobody knows of it
    assert ends.asked_from(who, came_from, ip_address(asked[f"ipv{version}_dst"])) == told
    [said] = answer(region, asked)
    assert region.ids_of([said]) == [who.id]
    ip = f"ipv{version}"
    assert {name: said.packet[name] for name in (f"{ip}_src", f"{ip}_dst", "tcp_src", "tcp_dst", "eth_dst")} == {
        f"{ip}_src": packet[f"{ip}_dst"],
        f"{ip}_dst": packet[f"{ip}_src"],
        "tcp_src": 80,
        "tcp_dst": packet["tcp_src"],
        "eth_dst": packet["eth_src"],
    }
    assert said.packet["vlan_vid"] == (VLAN_PRESENT | 7 if who is SUB else 0)


@pytest.mark.parametrize("spoken", [packets.udp, packets.tcp], ids=["udp", "tcp"])
@pytest.mark.parametrize("version", [4, 6])
def test_dns_goes_the_same_way(region: Region, spoken: Any, version: int) -> None:
    kind = spoken.__name__
    src = ASKER.fixed_ips[version == 6].ip_address
    packet = spoken(ASKER.mac_address, ends.MAC, src, SERVER_6 if version == 6 else SERVER, 4000, 53)
    [asked] = taken(region, ASKER, packet)
    assert number_of(region, ASKER) in ends.numbers(ip_address(asked[f"ipv{version}_src"]))
    assert asked[f"{kind}_dst"] == ends.DNS_PORT
    [said] = answer(region, asked)
    assert region.ids_of([said]) == [ASKER.id]
    assert (said.packet[f"{kind}_src"], said.packet[f"{kind}_dst"]) == (53, 4000)
    assert said.packet[f"ipv{version}_src"] == packet[f"ipv{version}_dst"]


def test_twins_have_connections_of_their_own(region: Region) -> None:
    [one], [other] = taken(region, ASKER, asks(ASKER)), taken(region, TWIN, asks(TWIN))
    assert region.ids_of(answer(region, one)) == [ASKER.id]
    assert region.ids_of(answer(region, other)) == [TWIN.id]


def test_a_fragment_is_no_request(region: Region) -> None:
    for piece in packets.fragments(asks(ASKER)):
        assert taken(region, ASKER, piece) == []


@pytest.mark.parametrize("src", ["10.0.0.6", "fe80::f816:3eff:fe00:6"])
def test_a_guarded_port_cannot_ask_as_another(region: Region, src: str) -> None:
    assert taken(region, ASKER, asks(ASKER, src)) == []


def test_an_unguarded_port_is_itself_whatever_it_claims(region: Region) -> None:
    [asked] = taken(region, FREE, {**asks(FREE, "10.0.0.6"), "eth_src": mac(OTHER.mac_address)})
    assert number_of(region, FREE) in ends.numbers(ip_address(asked["ipv4_src"]))
    assert region.ids_of(answer(region, asked)) == [FREE.id]


@pytest.mark.parametrize("dport", [22, 443, 8080, ends.PORT])
@pytest.mark.parametrize("src", ["10.0.0.1", link_local(ASKER)])
def test_nothing_else_is_open(region: Region, dport: int, src: str) -> None:
    assert taken(region, ASKER, asks(ASKER, src, dport)) == []
    datagram = packets.udp(ASKER.mac_address, ends.MAC, src, SERVER_6 if ":" in src else SERVER, 4000, 80)
    assert taken(region, ASKER, datagram) == []


def test_nothing_begins_at_the_agents_end(region: Region) -> None:
    [asked] = taken(region, ASKER, asks(ASKER))
    assert answer(region, {**asked, "ipv4_src": ends.ASKERS_4 | number_of(region, OTHER) & 0xFFFFFFF}) == []
    assert answer(region, {**asked, "tcp_src": 4001}) == []
    assert answer(region, {**asked, "tcp_dst": 22}) == []


def test_the_servers_addresses_are_nobody_elses(region: Region) -> None:
    reply = packets.arp(FREE.mac_address, SERVER, "10.0.0.1", op=2, dst=ASKER.mac_address)
    advert = packets.advertise(FREE.mac_address, SERVER_6, SERVER_6, tll=FREE.mac_address)
    assert region.receivers(FREE, reply) == region.receivers(FREE, advert) == []


def test_who_looks_for_the_server_finds_it(region: Region) -> None:
    [reply] = region.send(ASKER, packets.arp(ASKER.mac_address, "10.0.0.1", SERVER))
    assert (reply.packet["arp_sha"], region.ids_of([reply])) == (mac(ends.MAC), [ASKER.id])
    region.send(ASKER, packets.solicit(ASKER.mac_address, link_local(ASKER), SERVER_6))
    [punted] = region.nodes["hv1"].bridges["int"].punted
    assert punted["nd_target"] == int(ends.SERVER_6)


def test_one_that_connects_without_end_is_not_heard_and_others_are(region: Region) -> None:
    node = region.nodes["hv1"]
    node.rendering.listen(ASKER.id, Asked.METADATA, again=False)
    node.settle()
    assert taken(region, ASKER, asks(ASKER)) == taken(region, ASKER, asks(ASKER, link_local(ASKER))) == []
    assert len(taken(region, OTHER, asks(OTHER))) == 1
    node.rendering.listen(ASKER.id, Asked.METADATA, again=True)
    node.settle()
    assert len(taken(region, ASKER, asks(ASKER))) == 1


def test_a_node_may_leave_it_to_others() -> None:
    region = Region(nodes=1)
    node = region.nodes["hv1"]
    node.host = replace(node.host, metadata=False, dns=False)
    node.restart()
    region.create(NET, FREE, OTHER)
    region.plug("hv1", FREE, OTHER)
    region.settle()
    assert not [key for key in node.applied if key[0] == "link"]
    # whoever has the address there is found, and asked
    answered = packets.tcp(OTHER.mac_address, FREE.mac_address, "10.0.0.6", SERVER, 4000, 80)
    assert region.receivers(OTHER, answered) == [FREE.id]


@given(ofport=st.integers(1, 0xFEFF), tag=st.integers(0, 4094), guarded=st.booleans())
def test_a_logical_port_is_its_address(ofport: int, tag: int, guarded: bool) -> None:
    number = logical_port(ofport, tag, guarded=guarded)
    address = ip_address(ends.ASKERS_4 | number & (1 << ends.NUMBER_BITS) - 1)
    assert number in ends.numbers(address)
    assert address.exploded.rpartition(".")[0] != "240.0.255"
    assert address.exploded != "255.255.255.255"
