"""Which requests go to the agent, and which go on their way; nobody else hears what is said to our server."""

import pytest
from msgspec.structs import replace

from netweft.model import AddressPair, ExtraDhcpOpt, Port, SubPort, Trunk
from netweft.services.addresses import mac
from netweft.services.dhcp.requests import SERVER_ADDRESS, SERVER_MAC
from netweft.services.fields import IN_PORT
from netweft.services.values import Asked, Lease
from netweft.testing import packets
from netweft.testing.packets import BROADCAST
from netweft.testing.region import Region, network, port, subnet
from netweft.testing.switch import Packet

NET, OTHER = network(1), network(2)
SERVER = str(SERVER_ADDRESS)
ASKER, NEAR, FAR = (port(number, NET) for number in (1, 2, 3))
OPEN = port(4, NET, port_security_enabled=False, security_groups=())
ADDRESSLESS = replace(port(5, NET), fixed_ips=())
PARENT, SUB = port(6, OTHER), port(7, NET)
DUAL = port(8, NET, "10.0.0.8", "2001:db8::8")


@pytest.fixture
def region() -> Region:
    made = Region()
    made.create(NET, OTHER, subnet(NET, "10.0.0.0/24", gateway_ip="10.0.0.254"), ASKER, NEAR, FAR, OPEN, ADDRESSLESS)
    made.create(PARENT, SUB, DUAL, Trunk(id="t", port_id=PARENT.id, sub_ports=(SubPort(SUB.id, 101),)))
    made.plug("hv1", ASKER, NEAR, OPEN, ADDRESSLESS, PARENT, DUAL)
    made.plug("hv2", FAR)
    made.settle()
    return made


def discover(src: str) -> Packet:
    return packets.udp(src, BROADCAST, "0.0.0.0", "255.255.255.255", 68, 67)


def solicit(src: str) -> Packet:
    return packets.udp(src, "33:33:00:01:00:02", "fe80::f816:3eff:fe00:8", "ff02::1:2", 546, 547)


def asked(region: Region, packet: Packet, frm: Port) -> list[str]:
    """Ids of the ports whose lease the agent finds for the packet, when this port sends it; and nobody else hears."""
    bridge = region.nodes["hv1"].bridges["int"]
    bridge.punted.clear()
    deliveries = region.send(frm, packet)
    assert not (bridge.punted and deliveries)
    leases = [item for item in region.nodes["hv1"].applied.values() if isinstance(item, Lease)]
    numbers = [punted[IN_PORT] for punted in bridge.punted]
    return [lease.port.id for lease in leases if lease.number in numbers]


@pytest.mark.parametrize("sender", [ASKER, OPEN, SUB], ids=["guarded", "unguarded", "sub-port"])
def test_a_request_goes_to_the_agent_and_to_nobody_else(region: Region, sender: Port) -> None:
    assert asked(region, discover(sender.mac_address), sender) == [sender.id]


@pytest.mark.parametrize("to", [SERVER_MAC, "fa:16:3e:ff:ff:ff", NEAR.mac_address], ids=["us", "gateway", "a VM"])
def test_to_renew_goes_there_too_whatever_way_it_is_sent(region: Region, to: str) -> None:
    renew = packets.udp(ASKER.mac_address, to, "10.0.0.1", SERVER, 68, 67)
    assert asked(region, renew, ASKER) == [ASKER.id]


def test_an_unguarded_port_may_have_clients_of_other_names_behind_it(region: Region) -> None:
    assert asked(region, discover("fa:16:3e:77:77:77"), OPEN) == []
    assert FAR.id in region.receivers(OPEN, discover("fa:16:3e:77:77:77"))


def test_so_may_a_port_with_an_address_pair_of_another_mac(region: Region) -> None:
    virtual = "00:00:5e:00:01:01"
    region.create(replace(ASKER, allowed_address_pairs=(AddressPair("10.0.0.99", virtual),)))
    region.settle()
    assert asked(region, discover(ASKER.mac_address), ASKER) == [ASKER.id]
    assert FAR.id in region.receivers(ASKER, discover(virtual))


def test_who_has_no_address_of_the_subnet_may_look_for_another_server(region: Region) -> None:
    assert FAR.id in region.receivers(ADDRESSLESS, discover(ADDRESSLESS.mac_address))


def test_without_dhcp_requests_go_out_as_ever(region: Region) -> None:
    for enabled in (False, True, False):
        region.create(subnet(NET, "10.0.0.0/24", enable_dhcp=enabled))
        region.settle()
        assert asked(region, discover(ASKER.mac_address), ASKER) == ([ASKER.id] if enabled else [])
        assert (FAR.id in region.receivers(ASKER, discover(ASKER.mac_address))) is not enabled


def test_version_6_is_a_matter_of_its_own(region: Region) -> None:
    assert asked(region, solicit(DUAL.mac_address), DUAL) == []
    region.create(subnet(NET, "2001:db8::/64"))
    region.settle()
    assert asked(region, solicit(DUAL.mac_address), DUAL) == [DUAL.id]
    region.create(subnet(NET, "2001:db8::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac"))
    region.settle()
    assert asked(region, solicit(DUAL.mac_address), DUAL) == []


@pytest.mark.parametrize("dst", [BROADCAST, SERVER_MAC])
def test_the_servers_address_is_answered_with_its_mac(region: Region, dst: str) -> None:
    [reply] = region.send(ASKER, packets.arp(ASKER.mac_address, "10.0.0.1", SERVER, dst=dst))
    assert reply.packet["arp_sha"] == reply.packet["eth_src"] == mac(SERVER_MAC)
    assert reply.packet["eth_dst"] == mac(ASKER.mac_address)


def test_what_else_is_sent_to_the_server_ends_there(region: Region) -> None:
    assert region.receivers(ASKER, packets.udp(ASKER.mac_address, SERVER_MAC, "10.0.0.1", SERVER, 9, 80)) == []


def test_a_server_of_a_vms_own_is_not_heard(region: Region) -> None:
    offer = packets.udp(NEAR.mac_address, ASKER.mac_address, "10.0.0.2", "10.0.0.1", 67, 68)
    assert region.receivers(NEAR, offer) == []


def test_a_port_more_costs_no_flow(region: Region) -> None:
    node = region.nodes["hv1"]
    number = next(item.number for item in node.applied.values() if isinstance(item, Lease) and item.port == ASKER)
    of_asker = [flow for flow in node.bridges["int"].flows.values() if (IN_PORT, number, None) in flow.match]
    assert of_asker
    assert not [flow for flow in of_asker if "udp_dst" in {name for name, _, _ in flow.match}]


def test_a_port_that_is_not_heard_costs_no_more_than_a_flow(region: Region) -> None:
    node = region.nodes["hv1"]
    for again in (False, True):
        node.rendering.listen(ASKER.id, Asked.DHCP, again=again)
        region.settle()
        assert asked(region, discover(ASKER.mac_address), ASKER) == ([ASKER.id] if again else [])
        assert not region.send(ASKER, discover(ASKER.mac_address))
        assert asked(region, discover(NEAR.mac_address), NEAR) == [NEAR.id]


def test_an_option_that_cannot_be_said_is_said_to_the_ports_owner(region: Region) -> None:
    region.create(replace(ASKER, extra_dhcp_opts=(ExtraDhcpOpt("colour", "blue"), ExtraDhcpOpt("mtu", "1400"))))
    region.settle()
    status = region.nodes["hv1"].status(ASKER.id)
    assert status is not None
    assert (status.state, status.detail) == ("up", "extra_dhcp_opts: 'colour' is the name of no DHCP option")
