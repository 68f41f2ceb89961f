"""ICMP errors where a floating IP is with its VM, here on hv2, and the gateway on another node, hv1."""

from ipaddress import IPv4Address

import pytest
from tests.unit.services.l3.floating_ips.test_flows import B2, F2
from tests.unit.services.l3.floating_ips.test_flows import region as region
from tests.unit.services.l3.gateways.test_flows import GATEWAY, MACS, NEAR, OUTSIDE, ROUTER_OUT_THERE, SOMEBODY, R, own

from netweft.agent.l3.floating_errors import FloatingErrors
from netweft.agent.l3.neighbour_entries import Question
from netweft.agent.l3.requesters import by_gateway
from netweft.agent.l3.resolver import Resolver
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.addresses import octets, parsed
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, Why, cookie
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.testing.region import Region

from .test_floating_errors import Node, datagram, ends, error, undelivered, way

PUBLIC, SAYS = F2.floating_ip_address, GATEWAY.fixed_ips[0].ip_address


@pytest.fixture
def node(region: Region) -> Node:
    return Node(region, "hv2")


@pytest.mark.parametrize(("to", "next_hop"), [(SOMEBODY, ROUTER_OUT_THERE), (NEAR, NEAR)])
@pytest.mark.parametrize("why", [Why.TTL_EXCEEDED, Why.NO_ROUTE, Why.UNKNOWN_NEXT_HOP])
def test_the_routers_own_to_outside(node: Node, why: Why, to: str, next_hop: str) -> None:
    """From the router's address, which is on another node, by this one's MAC: no other node is needed for it."""
    (said,) = undelivered(node, why, datagram(to, own(B2), F2.mac_address))
    assert ends(said) == (SAYS, to, to, PUBLIC)
    assert said.frame[6:12] == octets(F2.mac_address)
    registers, table = way(said)
    assert registers == {
        ROUTER: node.number,
        LOCAL_VLAN: node.vlans[OUTSIDE.id],
        NEXT_HOP[-1]: int(IPv4Address(next_hop)),
    }
    assert table == INT["next_hop"].id


def test_in_and_out(node: Node) -> None:
    fields = {ROUTER: node.number, LOCAL_VLAN: node.vlans[OUTSIDE.id], NEXT_HOP[-1]: int(parsed(ROUTER_OUT_THERE))}
    came = PacketIn(cookie(Reason.ROUTER_ERROR_IN, R.id), fields, error("192.0.2.1", datagram(PUBLIC, SOMEBODY)))
    (said,) = FloatingErrors(node).answer(None, came)
    assert ends(said) == ("192.0.2.1", own(B2), own(B2), SOMEBODY)
    goes = PacketIn(cookie(Reason.ROUTER_ERROR_OUT, R.id), fields, error(own(B2), datagram(SOMEBODY, own(B2))))
    (said,) = FloatingErrors(node).answer(None, goes)
    assert ends(said) == (PUBLIC, SOMEBODY, SOMEBODY, PUBLIC)
    assert said.frame[6:12] == octets(F2.mac_address)


def test_who_waited_in_vain_gets_an_icmp_error(node: Node) -> None:
    """Its packet has the floating IP's address and MAC already; the error goes back in by it."""
    said: list[Packet] = []
    resolver = Resolver(node, said.append, lambda: None)
    (end,) = [one for one in node.gateways() if one.port.id == F2.id]
    frame = octets(MACS[NEAR]) + octets(F2.mac_address) + datagram(PUBLIC, "203.0.113.77")[12:]
    waits = PacketIn(0, {ROUTER: node.number}, frame)
    resolver._say_so(Question(by_gateway(end), 0.0, packets=[waits]))
    (told,) = said
    assert ends(told) == (SAYS, PUBLIC, PUBLIC, "203.0.113.77")
    assert way(told)[0][NEXT_HOP[-1]] == int(IPv4Address(PUBLIC))
