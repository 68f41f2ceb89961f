"""ICMP errors about forwarded ports: in, out, and what a router says itself; what else such a VM says goes by SNAT."""

from collections.abc import Mapping
from ipaddress import IPv4Address

import pytest
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    GATEWAY,
    MACS,
    OUTSIDE,
    ROUTER_OUT_THERE,
    SOMEBODY,
    TO_BLUE,
    comes_in,
    own,
    region,
)
from tests.unit.services.l3.gateways.test_flows import R as ROUTER_

from netweft.agent.l3.floating_errors import FloatingErrors
from netweft.dataplane.openflow.flow import Action, Ct, Nat, Resubmit, SetField
from netweft.dataplane.packets import readdressed
from netweft.dataplane.packets.readdressed import Ports
from netweft.model import Port
from netweft.services.fields import NEXT_HOP, Reason, Why
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.testing import packets
from netweft.testing.region import Region, port_forwarding

from .test_floating_errors import HOP, SNAT, Node, datagram, ends, error, from_outside, handed_up, undelivered

__all__ = ["region"]
FIP = "203.0.113.60"
# `datagram` is from port 5000 to 53
ANSWERS = port_forwarding(1, ROUTER_, OUTSIDE, (FIP, "5000:5009"), (own(B1), "7000:7009"))
QUESTIONS = port_forwarding(2, ROUTER_, OUTSIDE, (FIP, "100:109"), (own(B1), "50:59"))
TO_ONE = port_forwarding(3, ROUTER_, OUTSIDE, ("203.0.113.61", "5000:5009"), (own(B2), "53"))


@pytest.fixture
def node(region: Region) -> Node:
    region.create(ANSWERS, QUESTIONS, TO_ONE)
    region.settle()
    return Node(region)


def quoted(said: Packet) -> Ports:
    found = readdressed.error(said.frame)
    assert found is not None
    ports = readdressed.ports(found.quoted)
    assert ports is not None
    return ports


def registers(said: Packet) -> tuple[Mapping[str, int], Action]:
    *sets, last = said.actions
    return {one.field: one.value for one in sets if isinstance(one, SetField)}, last


def came_in(node: Node, frame: bytes) -> list[Packet]:
    return list(FloatingErrors(node).answer(None, handed_up(node, Reason.ROUTER_ERROR_IN, frame)))


def went_out(node: Node, frame: bytes) -> Packet:
    up = handed_up(node, Reason.ROUTER_ERROR_OUT, frame, **{NEXT_HOP[-1]: 7})
    (said,) = FloatingErrors(node).answer(None, up)
    assert registers(said)[0][NEXT_HOP[-1]] == 7
    return said


def test_in_about_an_answer(node: Node) -> None:
    (said,) = came_in(node, error(HOP, datagram(FIP, SOMEBODY)))
    assert ends(said) == (HOP, own(B1), own(B1), SOMEBODY)
    assert quoted(said) == (17, 7000, 53)
    assert registers(said)[1] == Resubmit(INT["to_router_itself"].id)


def test_in_where_conntrack_knows(node: Node) -> None:
    frame = error(HOP, datagram("203.0.113.61", SOMEBODY))
    (said,) = came_in(node, frame)
    assert said.frame == frame
    zone = node.gateways()[0].zone
    assert registers(said)[1] == Ct(zone=zone, nat=Nat(), table=INT["translated"].id)


def test_in_about_what_no_forwarded_port_sent(region: Region, node: Node) -> None:
    del region.port_forwardings[ANSWERS.id]
    region.settle()
    assert came_in(node, error(HOP, datagram(FIP, SOMEBODY))) == []


def test_out_about_a_question(node: Node) -> None:
    said = went_out(node, error(own(B1), datagram(SOMEBODY, own(B1))))
    assert ends(said) == (FIP, SOMEBODY, SOMEBODY, FIP)
    assert quoted(said) == (17, 5000, 103)
    assert registers(said)[1] == Resubmit(INT["next_hop"].id)


@pytest.mark.parametrize("vm", [B1, B2])
def test_out_about_anything_else_is_conntracks(region: Region, node: Node, vm: Port) -> None:
    """Of who has forwarded ports: about an answer to what it sent by SNAT; where many ports lead to one."""
    del region.port_forwardings[QUESTIONS.id]
    region.settle()
    address = own(vm)
    frame = error(address, datagram(SOMEBODY, address))
    said = went_out(node, frame)
    assert said.frame == frame
    assert registers(said)[1] == Ct(
        zone=node.gateways()[0].zone, commit=True, nat=Nat(src=int(IPv4Address(SNAT))), table=INT["outside_egress"].id
    )


@pytest.mark.parametrize("why", [Why.TTL_EXCEEDED, Why.TOO_BIG, Why.UNKNOWN_NEXT_HOP])
def test_the_routers_own_quotes_the_port_outside(node: Node, why: Why) -> None:
    (said,) = undelivered(node, why, from_outside(SOMEBODY, own(B1)))
    assert ends(said) == (SNAT, SOMEBODY, SOMEBODY, FIP)
    assert quoted(said) == (17, 5000, 103)


def test_the_routers_own_where_conntrack_translated(node: Node) -> None:
    known = {"ct_nw_src": int(IPv4Address(SOMEBODY)), "ct_nw_dst": int(IPv4Address("203.0.113.61")), "ct_tp_dst": 5004}
    (said,) = undelivered(node, Why.TTL_EXCEEDED, from_outside(SOMEBODY, own(B2)), **known)
    assert ends(said)[3] == "203.0.113.61"
    assert quoted(said) == (17, 5000, 5004)


def test_flows_hand_up_errors_of_these_ends_only(region: Region, node: Node) -> None:
    punted = region.nodes["hv1"].bridges["int"].punted
    punted.clear()
    incoming = packets.ping(MACS[ROUTER_OUT_THERE], GATEWAY.mac_address, HOP, FIP)
    comes_in(region, {**incoming, "icmpv4_type": 3})
    outgoing = packets.ping(B1.mac_address, TO_BLUE.mac_address, own(B1), SOMEBODY)
    region.send(B1, {**outgoing, "icmpv4_type": 3})
    assert len(punted) == 2
    region.send(B1, outgoing)
    assert len(punted) == 2


def test_two_that_lead_from_and_to_one_address_are_told_apart(region: Region, node: Node) -> None:
    """And one that moves is found where it is, not where it was."""
    moved = port_forwarding(1, ROUTER_, OUTSIDE, (FIP, "5000:5009"), (own(B2), "8000:8009"))
    region.create(moved)
    region.settle()
    (said,) = came_in(node, error(HOP, datagram(FIP, SOMEBODY)))
    assert ends(said)[2] == own(B2)
    assert quoted(said).source == 8000
    assert quoted(went_out(node, error(own(B1), datagram(SOMEBODY, own(B1))))).target == 103
