"""ICMP errors at a router's gateway: to and from whom a floating IP stands for, and the router's own to anybody."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from random import Random

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    BLUE,
    FLOATING,
    GATEWAY,
    MACS,
    NEAR,
    OUTSIDE,
    R2,
    ROUTER_OUT_THERE,
    SOMEBODY,
    TO_BLUE,
    R,
    comes_in,
    own,
    region,
)

from netweft.agent.desired import Desired
from netweft.agent.l3.floating_errors import FloatingErrors
from netweft.agent.l3.resolver import Resolver
from netweft.agent.l3.routers import Errors
from netweft.dataplane.openflow.flow import Resubmit, SetField
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import icmp, readdressed
from netweft.dataplane.packets.datagram import checksum, packet
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import octets, parsed, text_of_mac
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, Why, cookie, owner
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.testing import packets
from netweft.testing.region import Region, interface

__all__ = ["region"]
PUBLIC, SNAT, HOP = "203.0.113.50", "203.0.113.5", "192.0.2.1"
UDP = bytes.fromhex("1388 0035 0010 0000") + b"netweft!"


class Node(Desired):
    """By default the gateway's."""

    def __init__(self, region: Region, name: str = "hv1") -> None:
        super().__init__()
        self._rendering = region.nodes[name].rendering
        self.view = region.nodes[name].view

    @property
    def number(self) -> int:
        assert self._rendering is not None
        return int(self._rendering._memo.get(("number", R.id)))


@pytest.fixture
def node(region: Region) -> Node:
    region.create(FLOATING)
    region.settle()
    return Node(region)


def datagram(src: str, dst: str, to: str = TO_BLUE.mac_address) -> bytes:
    return packet((octets(MACS[NEAR]), octets(to)), (parsed(src), parsed(dst)), 17, UDP)


def error(frm: str, about: bytes) -> bytes:
    found = icmp.offending(about)
    assert found is not None
    return icmp.error((bytes(6), octets(GATEWAY.mac_address)), parsed(frm), found, 3, 4, 1300)


def handed_up(node: Node, reason: Reason, frame: bytes, **more: int) -> PacketIn:
    fields = {ROUTER: node.number, LOCAL_VLAN: node.vlans[OUTSIDE.id], **more}
    return PacketIn(cookie(reason, GATEWAY.id), fields, frame)


def ends(said: Packet) -> tuple[str, str, str, str]:
    found = readdressed.error(said.frame)
    assert found is not None
    assert checksum(said.frame[14:34]) == checksum(said.frame[34:]) == 0
    return str(found.src), str(found.dst), str(found.quoted_src), str(found.quoted_dst)


def way(said: Packet) -> tuple[Mapping[str, int], int]:
    """Registers, and the table that it goes on in."""
    *sets, last = said.actions
    assert isinstance(last, Resubmit)
    return {one.field: one.value for one in sets if isinstance(one, SetField)}, last.table


def test_in_to_whom_it_stands_for(node: Node) -> None:
    came = handed_up(node, Reason.ROUTER_ERROR_IN, error(HOP, datagram(PUBLIC, SOMEBODY)))
    (said,) = FloatingErrors(node).answer(None, came)
    assert ends(said) == (HOP, own(B2), own(B2), SOMEBODY)
    assert way(said) == (
        {ROUTER: node.number, LOCAL_VLAN: node.vlans[OUTSIDE.id]},
        INT["to_router_itself"].id,
    )


def test_out_as_the_floating_ip(node: Node) -> None:
    frame = error(own(B2), datagram(SOMEBODY, own(B2)))
    next_hop = int(IPv4Address(ROUTER_OUT_THERE))
    came = handed_up(node, Reason.ROUTER_ERROR_OUT, frame, **{NEXT_HOP[-1]: next_hop})
    (said,) = FloatingErrors(node).answer(None, came)
    assert ends(said) == (PUBLIC, SOMEBODY, SOMEBODY, PUBLIC)
    registers, table = way(said)
    assert (registers[NEXT_HOP[-1]], table) == (next_hop, INT["next_hop"].id)


def test_out_of_one_who_routes_for_others(node: Node) -> None:
    """What is quoted was for somebody behind it, who has no other address."""
    frame = error(own(B2), datagram(SOMEBODY, "172.16.0.9"))
    (said,) = FloatingErrors(node).answer(None, handed_up(node, Reason.ROUTER_ERROR_OUT, frame))
    assert ends(said) == (PUBLIC, SOMEBODY, SOMEBODY, "172.16.0.9")


@pytest.mark.parametrize(
    ("reason", "frame"),
    [
        (Reason.ROUTER_ERROR_IN, error(HOP, datagram(SNAT, SOMEBODY))),  # to whom no floating IP stands for
        (Reason.ROUTER_ERROR_OUT, error("10.0.0.99", datagram(SOMEBODY, "10.0.0.99"))),
        (Reason.ROUTER_ERROR_IN, error(HOP, datagram(PUBLIC, SOMEBODY))[:50]),
        (Reason.ROUTER_ERROR_IN, b""),
        (Reason.ROUTER_ERROR_IN, datagram(PUBLIC, SOMEBODY)),
    ],
)
def test_what_is_dropped(node: Node, reason: Reason, frame: bytes) -> None:
    assert not list(FloatingErrors(node).answer(None, handed_up(node, reason, frame)))


def test_about_what_the_floating_ip_never_sent(node: Node) -> None:
    found = icmp.offending(datagram("198.51.100.99", SOMEBODY))
    assert found is not None
    body = icmp.message((bytes(6), bytes(6)), (parsed(HOP), parsed(PUBLIC)), 3, 4, 0, found.quoted)
    assert not list(FloatingErrors(node).answer(None, handed_up(node, Reason.ROUTER_ERROR_IN, body)))


@pytest.mark.parametrize("kind", [3, 11, 12])
def test_flows_hand_up_errors_and_nothing_else(region: Region, node: Node, kind: int) -> None:
    punted = region.nodes["hv1"].bridges["int"].punted
    punted.clear()
    incoming = packets.ping(MACS[ROUTER_OUT_THERE], GATEWAY.mac_address, HOP, PUBLIC)
    assert comes_in(region, {**incoming, "icmpv4_type": kind}) == []
    assert len(punted) == 1
    (delivery,) = comes_in(region, incoming)
    assert region.ids_of([delivery]) == [B2.id], "a ping goes in"
    punted.clear()
    outgoing = packets.ping(B2.mac_address, TO_BLUE.mac_address, own(B2), SOMEBODY)
    assert region.send(B2, {**outgoing, "icmpv4_type": kind}) == []
    assert len(punted) == 1
    assert punted[0][NEXT_HOP[-1]] == int(IPv4Address(ROUTER_OUT_THERE))
    punted.clear()
    region.send(B1, {**packets.ping(B1.mac_address, TO_BLUE.mac_address, own(B1), SOMEBODY), "icmpv4_type": kind})
    comes_in(region, {**incoming, "icmpv4_type": kind, "ipv4_dst": int(IPv4Address(SNAT))})
    assert [one for one in punted if not one.get(HANDED_UP)] == [], "by SNAT conntrack translates"


def test_one_flow_more_for_each_floating_ip_and_way(region: Region) -> None:
    def ours() -> int:
        reasons = (Reason.ROUTER_ERROR_IN, Reason.ROUTER_ERROR_OUT)
        flows = region.nodes["hv1"].bridges["int"].flows.values()
        return sum((whose := owner(flow.cookie)) is not None and whose.reason in reasons for flow in flows)

    assert ours() == 0
    region.create(FLOATING)
    region.settle()
    one = ours()
    second = replace(FLOATING, id=FLOATING.id[::-1], floating_ip_address="203.0.113.51", fixed_ip_address=own(R2))
    region.create(second)
    region.settle()
    assert ours() == one + 2


def errors(node: Node) -> Errors:
    return Errors(node, Resolver(node, lambda _: None, lambda: None))


def undelivered(node: Node, why: Why, frame: bytes, **more: int) -> list[Packet]:
    fields = {HANDED_UP: int(why), ROUTER: node.number, **more}
    return list(errors(node).answer(None, PacketIn(cookie(Reason.ROUTER_HAND_UP), fields, frame)))


def from_outside(src: str, dst: str) -> bytes:
    """As it is when it has been translated."""
    return datagram(src, dst, GATEWAY.mac_address)


@pytest.mark.parametrize("why", [Why.TTL_EXCEEDED, Why.NO_ROUTE, Why.UNKNOWN_NEXT_HOP])
def test_to_a_host_outside_about_what_it_sent_to_a_floating_ip(node: Node, why: Why) -> None:
    (said,) = undelivered(node, why, from_outside(SOMEBODY, own(B2)))
    assert ends(said) == (SNAT, SOMEBODY, SOMEBODY, PUBLIC)
    registers, table = way(said)
    assert (registers, table) == ({ROUTER: node.number, LOCAL_VLAN: node.vlans[OUTSIDE.id]}, INT["routing"].id)


def test_to_a_host_outside_about_an_answer_by_snat(node: Node) -> None:
    requester = {"ct_nw_src": int(IPv4Address(own(B1)))}
    (said,) = undelivered(node, Why.TTL_EXCEEDED, from_outside(SOMEBODY, own(B1)), **requester)
    assert ends(said) == (SNAT, SOMEBODY, SOMEBODY, SNAT)


def test_too_big_for_the_network_inside(region: Region, node: Node) -> None:
    region.create(replace(BLUE, mtu=1280))
    region.settle()
    there = {LOCAL_VLAN: node.vlans[BLUE.id]}
    (said,) = undelivered(node, Why.TOO_BIG, from_outside(SOMEBODY, own(B2)), **there)
    assert ends(said)[3] == PUBLIC
    assert (said.frame[34:36], said.frame[40:42]) == (bytes((3, 4)), (1280).to_bytes(2, "big"))


def test_too_big_for_the_outside_from_a_port_here(region: Region, node: Node) -> None:
    region.create(replace(OUTSIDE, mtu=1400))
    region.settle()
    here = node.local_port(B1.id)
    fields = {HANDED_UP: int(Why.TOO_BIG), ROUTER: node.number, LOCAL_VLAN: node.vlans[OUTSIDE.id]}
    (said,) = errors(node).answer(here, PacketIn(0, fields, datagram(own(B1), SOMEBODY)))
    assert said.frame[40:42] == (1400).to_bytes(2, "big")


@pytest.mark.parametrize("to", [TO_BLUE.mac_address, text_of_mac(wire_mac("hv1", TO_BLUE.id))])
def test_to_a_port_of_another_node(node: Node, to: str) -> None:
    (said,) = undelivered(node, Why.NO_ROUTE, datagram(own(B2), SOMEBODY, to))
    assert ends(said) == ("10.0.0.1", own(B2), own(B2), SOMEBODY)
    assert way(said) == ({ROUTER: node.number, LOCAL_VLAN: node.vlans[BLUE.id]}, INT["routing"].id)


def test_by_the_mac_of_the_interface_with_the_other_version(region: Region, node: Node) -> None:
    """Subnets of the two IP versions, added one by one, are two interfaces: other nodes send all by one of them."""
    six = interface(9, R, BLUE, "fd00:9::1")
    region.create(six)
    region.settle()
    (said,) = undelivered(node, Why.NO_ROUTE, datagram(own(B2), SOMEBODY, text_of_mac(wire_mac("hv1", six.id))))
    assert ends(said) == ("10.0.0.1", own(B2), own(B2), SOMEBODY)


@pytest.mark.parametrize(
    "frame",
    [datagram(SOMEBODY, own(B2), "fa:16:3e:99:99:99"), error(SOMEBODY, datagram(own(B2), SOMEBODY)), b"", bytes(20)],
)
def test_what_nothing_is_said_about(node: Node, frame: bytes) -> None:
    assert undelivered(node, Why.TTL_EXCEEDED, frame) == []


def test_nothing_hostile_breaks_it(node: Node) -> None:
    """Errors bent and cut in any place, of any router: silence, or one that is whole."""
    chance = Random(430)
    incoming, outgoing = error(HOP, datagram(PUBLIC, SOMEBODY)), error(own(B2), datagram(SOMEBODY, own(B2)))
    for reason, whole in ((Reason.ROUTER_ERROR_IN, incoming), (Reason.ROUTER_ERROR_OUT, outgoing)):
        for _ in range(1500):
            frame = bytearray(whole)
            for _ in range(chance.randint(0, 4)):
                frame[chance.randrange(len(frame))] = chance.randrange(256)
            bent = bytes(frame[: chance.choice((len(frame), chance.randrange(len(frame))))])
            for said in FloatingErrors(node).answer(None, handed_up(node, reason, bent)):
                assert len(said.frame) == len(bent)
                assert readdressed.error(said.frame) is not None
            for why in Why:
                for said in undelivered(node, why, bent):
                    assert why == Why.IN_PIECES or checksum(said.frame[34:]) == 0
