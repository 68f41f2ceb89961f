"""A VM that pretends to be another gets nothing through; a VM that is itself gets everything through."""

import pytest

from netweft.model import AddressPair
from netweft.services.addresses import mac
from netweft.testing import packets
from netweft.testing.packets import BROADCAST
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Packet

NET = network(1)
VIP_MAC = "00:00:5e:00:01:05"
VM = port(
    1, NET, "10.0.0.1", "2001:db8::1",
    allowed_address_pairs=(AddressPair("10.0.0.200", "fa:16:3e:00:00:01"), AddressPair("10.9.0.0/16", VIP_MAC)),
)  # fmt: skip
OPEN = port(2, NET, port_security_enabled=False)
OTHER = port(3, NET, "10.0.0.3", "2001:db8::3")
LISTENER = port(4, NET, port_security_enabled=False)
ME, YOU = VM.mac_address, OTHER.mac_address
MY_LINK_LOCAL, YOUR_LINK_LOCAL = "fe80::f816:3eff:fe00:1", "fe80::f816:3eff:fe00:3"
UNKNOWN = "10.0.0.77"

ALLOWED: dict[str, Packet] = {
    "ipv4": packets.ping(ME, YOU, "10.0.0.1", "10.0.0.3"),
    "ipv6": packets.ping6(ME, YOU, "2001:db8::1", "2001:db8::3"),
    "ipv6 link-local": packets.ping6(ME, YOU, MY_LINK_LOCAL, YOUR_LINK_LOCAL),
    "arp request": packets.arp(ME, "10.0.0.1", UNKNOWN),
    "arp reply": packets.arp(ME, "10.0.0.1", "10.0.0.3", op=2, dst=YOU),
    "gratuitous arp": packets.arp(ME, "10.0.0.1", "10.0.0.1"),
    "arp probe": packets.arp(ME, "0.0.0.0", "10.0.0.1"),
    "pair, own mac": packets.ping(ME, YOU, "10.0.0.200", "10.0.0.3"),
    "pair, a range and another mac": packets.ping(VIP_MAC, YOU, "10.9.8.7", "10.0.0.3"),
    "pair in arp": packets.arp(VIP_MAC, "10.9.8.7", UNKNOWN),
    "dhcp client": packets.udp(ME, BROADCAST, "0.0.0.0", "255.255.255.255", 68, 67),
    "dhcpv6 client": packets.udp(ME, "33:33:00:01:00:02", MY_LINK_LOCAL, "ff02::1:2", 546, 547),
    "solicitation": packets.solicit(ME, "2001:db8::1", "2001:db8::77", sll=ME),
    "duplicate address detection": packets.solicit(ME, "::", "2001:db8::1"),
    "advertisement": packets.advertise(ME, "2001:db8::1", "2001:db8::1", tll=ME),
    "advertisement of link-local": packets.advertise(ME, MY_LINK_LOCAL, MY_LINK_LOCAL, tll=ME),
}

SPOOFED: dict[str, Packet] = {
    "mac": packets.ping(YOU, BROADCAST, "10.0.0.1", "10.0.0.3"),
    "mac and ip": packets.ping(YOU, BROADCAST, "10.0.0.3", "10.0.0.3"),
    "ipv4": packets.ping(ME, YOU, "10.0.0.3", "10.0.0.3"),
    "unspecified ipv4": packets.ping(ME, YOU, "0.0.0.0", "10.0.0.3"),
    "ipv6": packets.ping6(ME, YOU, "2001:db8::3", "2001:db8::3"),
    "ipv6 link-local": packets.ping6(ME, YOU, YOUR_LINK_LOCAL, MY_LINK_LOCAL),
    "unspecified ipv6": packets.ping6(ME, YOU, "::", "2001:db8::3"),
    "arp sender ip": packets.arp(ME, "10.0.0.3", UNKNOWN),
    "arp sender mac": packets.arp(ME, "10.0.0.1", UNKNOWN, sha=YOU),
    "arp reply": packets.arp(ME, "10.0.0.3", "10.0.0.2", op=2),
    "gratuitous arp": packets.arp(ME, "10.0.0.3", "10.0.0.3"),
    "arp probe with another's mac": packets.arp(ME, "0.0.0.0", "10.0.0.9", sha=YOU),
    "reply from nowhere": packets.arp(ME, "0.0.0.0", "10.0.0.3", op=2),
    "a pair's ip with the wrong mac": packets.ping(ME, YOU, "10.9.8.7", "10.0.0.3"),
    "own ip with a pair's mac": packets.ping(VIP_MAC, YOU, "10.0.0.1", "10.0.0.3"),
    "solicitation's option": packets.solicit(ME, "2001:db8::1", "2001:db8::77", sll=YOU),
    "advertisement's target": packets.advertise(ME, "2001:db8::1", "2001:db8::3", tll=ME),
    "advertisement's option": packets.advertise(ME, "2001:db8::1", "2001:db8::1", tll=YOU),
    "advertisement from nowhere": packets.advertise(ME, "::", "2001:db8::1", tll=ME),
    "router advertisement": packets.router_advertise(ME, MY_LINK_LOCAL),
    "dhcp server": packets.udp(ME, BROADCAST, "10.0.0.1", "255.255.255.255", 67, 68),
    "dhcpv6 server": packets.udp(ME, YOU, MY_LINK_LOCAL, YOUR_LINK_LOCAL, 547, 546),
    "another ethertype": {"eth_src": mac(ME), "eth_dst": mac(BROADCAST), "eth_type": 0x88CC},
}


@pytest.fixture(scope="module")
def region() -> Region:
    made = Region()
    made.create(NET, VM, OPEN, OTHER, LISTENER)
    made.plug("hv1", VM, OPEN)
    made.plug("hv2", OTHER, LISTENER)
    made.settle()
    return made


@pytest.mark.parametrize("what", ALLOWED)
def test_a_vm_may_be_itself(region: Region, what: str) -> None:
    assert OTHER.id in region.receivers(VM, ALLOWED[what])


@pytest.mark.parametrize("what", SPOOFED)
def test_a_spoofed_frame_gets_nowhere(region: Region, what: str) -> None:
    assert region.receivers(VM, SPOOFED[what]) == []


@pytest.mark.parametrize("what", SPOOFED)
def test_without_port_security_everything_passes(region: Region, what: str) -> None:
    unknown = {**SPOOFED[what], "eth_dst": mac("fa:16:3e:99:99:99")}
    assert LISTENER.id in region.receivers(OPEN, unknown)
