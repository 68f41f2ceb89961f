"""Where the datapath can write all of it, a flow answers who looks for a router's IPv6 address: no agent is needed."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from netweft.model import FixedIp, Port
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix, link_local, mac, prefix, text
from netweft.testing import packets
from netweft.testing.region import Region, gateway, interface, network, port, router, subnet
from netweft.testing.switch import Packet

BLUE, RED, OUTSIDE = network(1), network(2, "vlan"), network(9, "flat", "public")
ON_LINK = subnet(OUTSIDE, "2001:db8::/64")
R = router(1)
TO_BLUE = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")
TO_RED = replace(interface(2, R, RED, "10.0.1.1", "fd00:b::1"), answers_on="hv2")
GATEWAY = gateway(1, R, OUTSIDE, "hv1", "203.0.113.5")
GATEWAY = replace(GATEWAY, fixed_ips=(*GATEWAY.fixed_ips, FixedIp(ON_LINK.id, "2001:db8::5")))
B1, R2 = port(10, BLUE, "10.0.0.10", "fd00:a::10"), port(20, RED, "10.0.1.20", "fd00:b::20")
THEIRS = "02:00:00:00:00:99"
FLAGS = 0xE0000000  # router, solicited, override
OWN_MACS = {BLUE.id: mac(TO_BLUE.mac_address), RED.id: mac(TO_RED.mac_address)}


def made(*, discovery: bool) -> Region:
    """hv1: B1 and the gateway; hv2: R2, and it answers physical hosts on RED."""
    found = Region(nodes=2)
    for node in found.nodes.values():
        node.rendering.set_abilities(meters=True, lengths=True, discovery=discovery, nic_problems={})
    found.create(BLUE, RED, OUTSIDE, ON_LINK, B1, R2, R, TO_BLUE, TO_RED, GATEWAY)
    found.create(*(subnet(net, f"fd00:{part}::/64") for net, part in ((BLUE, "a"), (RED, "b"))))
    found.create(*(subnet(net, f"10.0.{part}.0/24") for net, part in ((BLUE, 0), (RED, 1))))
    found.create(subnet(OUTSIDE, "203.0.113.0/24"))
    found.plug("hv1", B1)
    found.plug("hv2", R2)
    found.settle()
    return found


@pytest.fixture
def region() -> Region:
    return made(discovery=True)


def handed_up(region: Region) -> list[Packet]:
    return [packet for node in region.nodes.values() for packet in node.bridges["int"].punted]


def asks(src: str, from_ip: str, target: str, **more: int) -> Packet:
    return {**packets.solicit(src, from_ip, target, sll=src), "ip_ttl": 255, **more}


def by_wire(region: Region, name: str, packet: Packet) -> list[Packet]:
    """The advertisements that are on the wire then."""
    heard = region.wires[name].heard
    heard.clear()
    list(region.wires[name].carry(None, packet))
    return [one for one in heard if one.get("icmpv6_type") == 136]


def is_answer(answer: Packet, target: str, to: str, by: int) -> None:
    assert answer["icmpv6_type"] == 136
    assert answer["ipv6_src"] == answer["nd_target"] == prefix(target).value
    assert (answer["ipv6_dst"], answer["ip_ttl"]) == (prefix(to).value, 255)
    assert answer["eth_src"] == answer["nd_tll"] == by
    assert (answer["nd_options_type"], answer["nd_reserved"]) == (2, FLAGS)


def its_link_local(own_mac: int) -> str:
    return text(Prefix(6, link_local(own_mac), None))


@pytest.mark.parametrize("frm", [B1, R2])
def test_a_vm_is_answered_on_its_node(region: Region, frm: Port) -> None:
    own, by = frm.fixed_ips[1].ip_address, OWN_MACS[frm.network_id]
    for target in ("fd00:a::1" if frm is B1 else "fd00:b::1", its_link_local(by)):
        (delivery,) = region.send(frm, asks(frm.mac_address, own, target))
        assert region.ids_of([delivery]) == [frm.id]
        is_answer(delivery.packet, target, own, by)
    assert not handed_up(region)


def test_a_host_outside_is_answered_by_the_gateways_node(region: Region) -> None:
    by = mac(GATEWAY.mac_address)
    for target in ("2001:db8::5", its_link_local(by)):
        (answer,) = by_wire(region, "public", {**asks(THEIRS, "2001:db8::9", target), "vlan_vid": 0})
        is_answer(answer, target, "2001:db8::9", by)
        assert answer["eth_dst"] == mac(THEIRS)
    assert not handed_up(region)


def test_a_physical_host_is_answered_by_one_node_with_its_own_mac(region: Region) -> None:
    tag = 0x1000 | (RED.segments[0].segmentation_id or 0)
    asked = {**asks(THEIRS, "fd00:b::99", "fd00:b::1"), "vlan_vid": tag}
    (answer,) = by_wire(region, "physnet1", asked)
    is_answer(answer, "fd00:b::1", "fd00:b::99", wire_mac("hv2", TO_RED.id))
    assert not handed_up(region)


def test_without_an_option_to_write_to_it_is_the_agents(region: Region) -> None:
    """A known neighbour may be asked so; who looks for duplicates always does."""
    asked = packets.solicit(B1.mac_address, "fd00:a::10", "fd00:a::1")
    assert region.send(B1, {**asked, "ip_ttl": 255}) == []
    assert by_wire(region, "public", {**packets.solicit(THEIRS, "::", "2001:db8::5"), "ip_ttl": 255}) == []
    assert [one["nd_target"] for one in handed_up(region)] == [prefix("fd00:a::1").value, prefix("2001:db8::5").value]


@pytest.mark.parametrize("wrong", [{"ip_ttl": 254}, {"ipv6_src": 0}])
def test_nonsense_is_not_answered(region: Region, wrong: dict[str, int]) -> None:
    """From farther than the link; from nobody, although with a MAC."""
    assert by_wire(region, "public", {**asks(THEIRS, "2001:db8::9", "2001:db8::5"), "vlan_vid": 0, **wrong}) == []
    assert not handed_up(region)


def test_where_the_datapath_cannot_it_is_the_agents(region: Region) -> None:
    unable = made(discovery=False)
    assert unable.send(B1, asks(B1.mac_address, "fd00:a::10", "fd00:a::1")) == []
    assert by_wire(unable, "public", {**asks(THEIRS, "2001:db8::9", "2001:db8::5"), "vlan_vid": 0}) == []
    assert len(handed_up(unable)) == 2
    assert _writers(region) and not _writers(unable)


def _writers(region: Region) -> Iterable[object]:
    flows = (flow for node in region.nodes.values() for flow in node.bridges["int"].flows.values())
    return [flow for flow in flows if "nd_reserved" in str(flow.actions)]
