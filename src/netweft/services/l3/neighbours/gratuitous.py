"""What a gateway on this node sends to its external network: gratuitous ARP and unsolicited advertisements of its
addresses, and its requests."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from netweft.dataplane.openflow.flow import SetField
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.addresses import octets
from netweft.services.fields import LOCAL_VLAN
from netweft.services.l2.announce import Packet
from netweft.services.l3.values import Gateway
from netweft.services.pipeline import INT


def announcements(gateway: Gateway) -> Iterator[Packet]:
    """Gratuitous ARP (RFC 5227), unsolicited neighbour advertisements: hosts and switches learn from them."""
    own = octets(gateway.port.mac_address)
    frames = [arp.request(own, address, address) for address in map(IPv4Address, gateway.answered(4))]
    frames += [icmp.announcement(own, address) for address in map(IPv6Address, gateway.own(6))]
    for frame in frames:
        yield to_network(gateway.network.vlan, frame)


def question(gateway: Gateway, address: IpAddress) -> bytes | None:
    """Who has it?  None: the gateway has no address of that IP version to ask from."""
    own = next((one.value for one in gateway.addresses if one.version == address.version), None)
    mac = octets(gateway.port.mac_address)
    if own is not None and isinstance(address, IPv4Address):
        return arp.request(mac, IPv4Address(own), address)
    if own is not None and isinstance(address, IPv6Address):
        return icmp.question(mac, IPv6Address(own), address)
    return None


def to_network(vlan: int, frame: bytes) -> Packet:
    """Into the network with this local VLAN, as from a router: switched like any other."""
    return Packet(frame, (SetField(LOCAL_VLAN, vlan), INT["switching"].resubmit))
