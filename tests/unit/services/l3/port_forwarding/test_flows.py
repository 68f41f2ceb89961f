"""Ports of a floating IP that lead inside, asked of fake switches that evaluate the real flows."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    GATEWAY,
    MACS,
    OUTSIDE,
    R2,
    ROUTER_OUT_THERE,
    SOMEBODY,
    TO_BLUE,
    R,
    comes_in,
    own,
)
from tests.unit.services.l3.gateways.test_flows import region as region
from tests.unit.services.l3.gateways.test_flows import sent as sent_to

from netweft.dataplane.openflow.flow import Nat
from netweft.model import Port, PortForwarding
from netweft.model.wire_macs import asking_mac
from netweft.services.addresses import prefix, text_of_mac
from netweft.services.fields import PIECES_ZONE
from netweft.services.l3.port_forwarding.flows import Block, blocks
from netweft.services.l3.values import LocalForwarding
from netweft.services.security.conntrack import IS_INVALID
from netweft.testing import packets
from netweft.testing.conntrack import Conntrack
from netweft.testing.region import Region, floating_ip, port_forwarding
from netweft.testing.switch import Delivery, Packet

FIP = "203.0.113.60"
IN_ORDER = port_forwarding(1, R, OUTSIDE, (FIP, "100:109"), (own(B2), "200:209"))
SAME = port_forwarding(2, R, OUTSIDE, (FIP, "1000:1999"), (own(B1), "1000:1999"))
TO_ONE = port_forwarding(3, R, OUTSIDE, (FIP, "3000:3009"), (own(R2), "53"))
TCP = port_forwarding(4, R, OUTSIDE, (FIP, "100"), (own(B1), "22"), 6)


@pytest.fixture
def forwarded(region: Region) -> Region:
    region.create(IN_ORDER, SAME, TO_ONE, TCP)
    region.settle()
    return region


def asks(ports: int, frm: int = 5000, protocol: str = "udp") -> Packet:
    packet = packets.udp(MACS[ROUTER_OUT_THERE], GATEWAY.mac_address, SOMEBODY, FIP, frm, ports)
    if protocol == "udp":
        return packet
    rest = {name: value for name, value in packet.items() if not name.startswith("udp")}
    return {**rest, "ip_proto": 6, "tcp_src": frm, "tcp_dst": ports}


def answered(region: Region, by: Port, delivery: Delivery, name: str = "udp") -> list[Packet]:
    """What is on the external wire when it answers to what was delivered."""
    heard = region.wires["public"].heard
    heard.clear()
    asked = delivery.packet
    ends = {f"{name}_src": asked[f"{name}_dst"], f"{name}_dst": asked[f"{name}_src"]}
    packet = packets.udp(by.mac_address, TO_BLUE.mac_address, own(by), SOMEBODY, 1, 1)
    packet = {n: v for n, v in packet.items() if not n.startswith("udp")} | {"ip_proto": asked["ip_proto"]} | ends
    if by is R2:
        packet["eth_dst"] = sender_of(delivery)
    region.send(by, packet)
    return list(heard)


def sender_of(delivery: Delivery) -> int:
    return delivery.packet["eth_src"]


@pytest.mark.parametrize(
    ("protocol", "ports", "to", "inside"),
    [
        ("udp", 100, B2, 200),
        ("udp", 109, B2, 209),
        ("udp", 1000, B1, 1000),
        ("udp", 1999, B1, 1999),
        ("udp", 3000, R2, 53),
        ("udp", 3009, R2, 53),
        ("tcp", 100, B1, 22),
    ],
)
def test_in_and_back(forwarded: Region, protocol: str, ports: int, to: Port, inside: int) -> None:
    (delivery,) = comes_in(forwarded, asks(ports, protocol=protocol))
    assert forwarded.ids_of([delivery]) == [to.id]
    packet = delivery.packet
    assert (packet["ipv4_dst"], packet[f"{protocol}_dst"]) == (prefix(own(to)).value, inside)
    assert (packet["ipv4_src"], packet[f"{protocol}_src"]) == (prefix(SOMEBODY).value, 5000)
    (back,) = answered(forwarded, to, delivery, protocol)
    assert (back["ipv4_src"], back[f"{protocol}_src"]) == (prefix(FIP).value, ports)
    assert (back["ipv4_dst"], back[f"{protocol}_dst"]) == (prefix(SOMEBODY).value, 5000)


def arp_of(region: Region, asker: str = MACS[ROUTER_OUT_THERE]) -> list[str]:
    """Who answers for the address outside."""
    heard = region.wires["public"].heard
    heard.clear()
    assert comes_in(region, packets.arp(asker, ROUTER_OUT_THERE, FIP)) == []
    return [text_of_mac(packet["arp_sha"]) for packet in heard if packet.get("arp_op") == 2]


def test_it_is_not_answered_for_while_another_node_may_have_it(forwarded: Region) -> None:
    """Its ports lead in meanwhile, from inside, too; other nodes that ask for it hear of it by its own MAC."""
    holder = replace(floating_ip(9, R, OUTSIDE, FIP, ""), port_id="")
    another_nodes = text_of_mac(asking_mac("hv2", holder.id))
    forwarded.create(holder)
    forwarded.settle()
    assert arp_of(forwarded) == [GATEWAY.mac_address]
    assert arp_of(forwarded, another_nodes) == [holder.mac_address]
    rendering = forwarded.nodes["hv1"].rendering
    rendering.hold_back(holder.id, True)
    forwarded.settle()
    assert arp_of(forwarded) == arp_of(forwarded, another_nodes) == []
    assert forwarded.ids_of(comes_in(forwarded, asks(100))) == [B2.id]
    from_inside = packets.udp(B1.mac_address, TO_BLUE.mac_address, own(B1), FIP, 5000, 100)
    assert forwarded.ids_of(forwarded.send(B1, from_inside)) == [B2.id]
    rendering.hold_back(holder.id, False)
    forwarded.settle()
    assert arp_of(forwarded) == [GATEWAY.mac_address]


@pytest.mark.parametrize("ports", [99, 110, 999, 2000, 2999, 3010, 53, 200])
def test_no_other_port_leads_in(forwarded: Region, ports: int) -> None:
    assert comes_in(forwarded, asks(ports)) == []
    assert comes_in(forwarded, asks(ports, protocol="tcp")) == []


def test_what_it_sends_besides_has_the_gateways_address(forwarded: Region) -> None:
    (packet,) = sent_to(forwarded, B2, SOMEBODY, udp_src=4000)
    assert packet["ipv4_src"] == prefix("203.0.113.5").value
    (packet,) = sent_to(forwarded, B2, SOMEBODY, udp_src=200)
    assert (packet["ipv4_src"], packet["udp_src"]) == (prefix(FIP).value, 100), "from the very port"


@pytest.mark.parametrize("frm", [B1, B2, R2])
def test_from_inside(forwarded: Region, frm: Port) -> None:
    """By the VM itself, too; and the answer comes from whom it asked."""
    by = TO_BLUE if frm is not R2 else None
    by_mac = by.mac_address if by else _mac_of_red()
    (delivery,) = forwarded.send(frm, packets.udp(frm.mac_address, by_mac, own(frm), FIP, 7000, 105))
    assert forwarded.ids_of([delivery]) == [B2.id]
    packet = delivery.packet
    assert (packet["ipv4_dst"], packet["udp_dst"]) == (prefix(own(B2)).value, 205)
    assert packet["ipv4_src"] == prefix("203.0.113.5").value
    back = packets.udp(B2.mac_address, TO_BLUE.mac_address, own(B2), "203.0.113.5", 205, packet["udp_src"])
    (delivery,) = forwarded.send(B2, back)
    assert forwarded.ids_of([delivery]) == [frm.id]
    packet = delivery.packet
    assert (packet["ipv4_src"], packet["udp_src"]) == (prefix(FIP).value, 105)
    assert (packet["ipv4_dst"], packet["udp_dst"]) == (prefix(own(frm)).value, 7000)


def _mac_of_red() -> str:
    from tests.unit.services.l3.gateways.test_flows import TO_RED

    return TO_RED.mac_address


def test_one_that_is_taken_away_ends_what_it_allowed(forwarded: Region) -> None:
    for ports, gone, to in ((100, IN_ORDER, B2), (3000, TO_ONE, R2)):
        (delivery,) = comes_in(forwarded, asks(ports))
        del forwarded.port_forwardings[gone.id]
        forwarded.settle()
        assert comes_in(forwarded, asks(ports)) == []
        for packet in answered(forwarded, to, delivery):
            assert packet["ipv4_src"] != prefix(FIP).value or gone is TO_ONE
        assert comes_in(forwarded, asks(1000)), "the others stay"


def test_arp_and_ping_for_its_address(forwarded: Region) -> None:
    heard = forwarded.wires["public"].heard
    heard.clear()
    comes_in(forwarded, packets.arp(MACS[ROUTER_OUT_THERE], ROUTER_OUT_THERE, FIP))
    assert len([packet for packet in heard if packet.get("arp_op") == 2]) == 1
    heard.clear()
    comes_in(forwarded, packets.ping(MACS[ROUTER_OUT_THERE], GATEWAY.mac_address, ROUTER_OUT_THERE, FIP))
    (reply,) = [packet for packet in heard if packet.get("icmpv4_type") == 0]
    assert reply["ipv4_src"] == prefix(FIP).value
    forwarded.port_forwardings.clear()
    forwarded.settle()
    heard.clear()
    comes_in(forwarded, packets.arp(MACS[ROUTER_OUT_THERE], ROUTER_OUT_THERE, FIP))
    assert [packet for packet in heard if packet.get("arp_op") == 2] == []


def _puts_together(region: Region) -> None:
    """As the kernel's datapath does."""
    for node in region.nodes.values():
        for bridge in node.bridges.values():
            bridge.conntrack.gives_whole = True


@pytest.mark.parametrize("ports", [100, 1500, 3005])
def test_fragments_that_are_put_together(forwarded: Region, ports: int) -> None:
    """Each of them arrives, translated; the answer too."""
    _puts_together(forwarded)
    deliveries = _carried(forwarded, packets.fragments(asks(ports), 3))
    to = {100: B2, 1500: B1, 3005: R2}[ports]
    assert forwarded.ids_of(deliveries) == [to.id] * 3
    assert {one.packet["ipv4_dst"] for one in deliveries} == {prefix(own(to)).value}
    assert deliveries[0].packet["udp_dst"] == {100: 200, 1500: 1500, 3005: 53}[ports]
    heard = forwarded.wires["public"].heard
    heard.clear()
    inside = deliveries[0].packet["udp_dst"]
    whole = {**packets.udp(to.mac_address, TO_BLUE.mac_address, own(to), SOMEBODY, inside, 5000)}
    if to is R2:
        whole["eth_dst"] = deliveries[0].packet["eth_src"]
    for piece in packets.fragments(whole, 2):
        forwarded.send(to, piece)
    assert [packet["ipv4_src"] for packet in heard] == [prefix(FIP).value] * 2
    assert heard[0]["udp_src"] == ports


def test_a_segment_in_fragments_that_is_invalid_to_conntrack(
    forwarded: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As to the kernel's what comes after a SYN in fragments, whose answer its zone has not seen (0553)."""
    look, translate = Conntrack.look, Conntrack.translate
    gateways = range(4096, PIECES_ZONE)

    def doubted(self: Conntrack, zone: int, packet: Packet) -> Packet:
        return {"ct_state": IS_INVALID[0], "ct_zone": zone} if zone in gateways else look(self, zone, packet)

    def not_translated(self: Conntrack, zone: int, packet: dict[str, int], nat: Nat | None) -> dict[str, int]:
        return packet if zone in gateways else translate(self, zone, packet, nat)

    monkeypatch.setattr(Conntrack, "look", doubted)
    monkeypatch.setattr(Conntrack, "translate", not_translated)
    _puts_together(forwarded)
    deliveries = _carried(forwarded, packets.fragments(asks(100, protocol="tcp"), 3))
    assert forwarded.ids_of(deliveries) == [B1.id] * 3
    assert (deliveries[0].packet["ipv4_dst"], deliveries[0].packet["tcp_dst"]) == (prefix(own(B1)).value, 22)
    for none in (asks(101, protocol="tcp"), asks(100)):
        assert _carried(forwarded, packets.fragments(none, 3)) == []


@pytest.mark.parametrize("whole", [False, True])
def test_fragments_for_no_port_end(forwarded: Region, whole: bool) -> None:
    if whole:
        _puts_together(forwarded)
    assert _carried(forwarded, packets.fragments(asks(111), 3)) == []
    del forwarded.port_forwardings[IN_ORDER.id]
    forwarded.settle()
    assert _carried(forwarded, packets.fragments(asks(100), 3)) == []


@pytest.mark.parametrize("frm", [B1, B2])
def test_a_vms_own_fragments_leave_as_anything_else(forwarded: Region, frm: Port) -> None:
    heard = forwarded.wires["public"].heard
    heard.clear()
    for piece in packets.fragments(packets.udp(frm.mac_address, TO_BLUE.mac_address, own(frm), SOMEBODY, 4000, 53), 3):
        forwarded.send(frm, piece)
    assert [packet["ipv4_src"] for packet in heard] == [prefix("203.0.113.5").value] * 3


@pytest.mark.parametrize("whole", [False, True])
def test_a_floating_ip_takes_fragments(forwarded: Region, whole: bool) -> None:
    if whole:
        _puts_together(forwarded)
    forwarded.create(floating_ip(1, R, OUTSIDE, "203.0.113.50", own(B2)))
    forwarded.settle()
    packet = packets.udp(MACS[ROUTER_OUT_THERE], GATEWAY.mac_address, SOMEBODY, "203.0.113.50", 7, 9)
    deliveries = _carried(forwarded, packets.fragments(packet, 3))
    assert forwarded.ids_of(deliveries) == [B2.id] * 3
    assert {one.packet["ipv4_dst"] for one in deliveries} == {prefix(own(B2)).value}


def test_without_snat(forwarded: Region) -> None:
    forwarded.create(replace(R, enable_snat=False))
    forwarded.settle()
    for ports, to in ((100, B2), (3000, R2)):
        (delivery,) = comes_in(forwarded, asks(ports))
        (back,) = answered(forwarded, to, delivery)
        assert (back["ipv4_src"], back["udp_src"]) == (prefix(FIP).value, ports)
    assert comes_in(forwarded, asks(5)) == []


def test_it_moves_with_the_gateway(forwarded: Region) -> None:
    forwarded.create(replace(GATEWAY, host_id="hv3"))
    forwarded.settle()
    forwarded.nodes["hv3"].rendering.learn(OUTSIDE.id, ROUTER_OUT_THERE, MACS[ROUTER_OUT_THERE])
    forwarded.settle()
    (delivery,) = comes_in(forwarded, asks(100))
    assert forwarded.ids_of([delivery]) == [B2.id]
    assert not [flow for flow in forwarded.nodes["hv1"].bridges["int"].flows.values() if "203.0.113.60" in str(flow)]


def _carried(region: Region, pieces: Iterable[Packet]) -> list[Delivery]:
    return [delivery for piece in pieces for delivery in comes_in(region, piece)]


@pytest.mark.parametrize(
    ("outside", "inside"),
    [("1:65535", "1:65535"), ("5:5", "5:5"), ("1000:1999", "1000:1999"), ("7:9", "8:10"), ("1:100", "9"), ("3:4", "3")],
)
def test_blocks_cover_each_port_once(outside: str, inside: str) -> None:
    one: PortForwarding = port_forwarding(9, R, OUTSIDE, (FIP, outside), (own(B1), inside))
    found = list(blocks(LocalForwarding(forwarding=one, router=1, zone=4096, vlan=1, snat=True)))
    covered = [(port, _inside(block, port)) for block in found for port in _ports(block)]
    to_one = one.internal_first == one.internal_last and one.external_first != one.external_last
    every = range(one.external_first, one.external_last + 1)
    assert sorted(covered) == [
        (port, one.internal_first + (0 if to_one else port - one.external_first)) for port in every
    ]
    if one.external_first == one.internal_first or to_one:
        assert len(found) <= 30


def _ports(block: Block) -> range:
    size = 1 if block.mask is None else 0x10000 - block.mask
    return range(block.first, block.first + size)


def _inside(block: Block, port: int) -> int:
    return block.inside if block.mask is None or block.inside != block.first else port
