"""ICMP errors from who has a floating IP of each of a router's external networks: said by the one that it leaves by."""

import pytest
from tests.unit.services.l3.gateways.test_flows import B1, B2, OUTSIDE, SOMEBODY
from tests.unit.services.l3.gateways.test_several import HOPS, OTHER_PORT, SECOND, lent, settle_with
from tests.unit.services.l3.gateways.test_several import region as region

from netweft.agent.l3.floating_errors import FloatingErrors
from netweft.dataplane.openflow.messages import PacketIn
from netweft.model import Port
from netweft.services.addresses import octets, parsed
from netweft.services.fields import LOCAL_VLAN, NEXT_HOP, ROUTER, Reason, cookie
from netweft.testing.region import Region

from .test_floating_errors import Node, datagram, ends, error


@pytest.mark.parametrize("frm", [B1, B2])
def test_by_which_it_leaves(region: Region, frm: Port) -> None:
    """hv1 has the gateways, by whose MACs packets leave there, and all floating IPs: B2's, too, which is on hv2."""
    one, other = lent(9, OUTSIDE, "203.0.113.50", frm), lent(5, SECOND, "198.51.100.50", frm)
    settle_with(region, one, other)
    node, own = Node(region, "hv1"), frm.fixed_ips[0].ip_address
    router = node.router_at(node.number)
    assert router is not None
    macs = {gateway.port.network_id: gateway.port.mac_address for gateway in router.gateways}
    for floating, net in ((one, OUTSIDE), (other, SECOND)):
        leaves = octets(macs.get(net.id, floating.mac_address))
        said = error(own, datagram(SOMEBODY, own))
        fields = {ROUTER: node.number, LOCAL_VLAN: node.vlans[net.id], NEXT_HOP[-1]: int(parsed(HOPS[OTHER_PORT]))}
        goes = PacketIn(cookie(Reason.ROUTER_ERROR_OUT, router.router.id), fields, said[:6] + leaves + said[12:])
        (sent,) = FloatingErrors(node).answer(None, goes)
        public = floating.floating_ip_address
        assert ends(sent) == (public, SOMEBODY, SOMEBODY, public)
        assert sent.frame[6:12] == octets(floating.mac_address)
        came = PacketIn(
            cookie(Reason.ROUTER_ERROR_IN, router.router.id), fields, error("192.0.2.1", datagram(public, SOMEBODY))
        )
        (sent,) = FloatingErrors(node).answer(None, came)
        assert ends(sent) == ("192.0.2.1", own, own, SOMEBODY)
