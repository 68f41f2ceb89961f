"""What is said on an external network of a gateway that has come to this node: where its addresses are now."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from netweft.dataplane.openflow.flow import SetField
from netweft.dataplane.packets import arp
from netweft.services.addresses import octets
from netweft.services.announce import Packet
from netweft.services.fields import LOCAL_VLAN
from netweft.services.pipeline import INT
from netweft.services.values import Gateway


def announcements(gateway: Gateway) -> Iterator[Packet]:
    """Gratuitous ARP (RFC 5227): hosts and switches learn from it."""
    own = [one.value for one in gateway.addresses if one.version == 4]
    for value in sorted({*own, *gateway.floating_ips}):
        address = IPv4Address(value)
        yield to_network(gateway.network.vlan, arp.request(octets(gateway.port.mac_address), address, address))


def to_network(vlan: int, frame: bytes) -> Packet:
    """Into the network with this local VLAN, as from a router: switched like any other."""
    return Packet(frame, (SetField(LOCAL_VLAN, vlan), INT["switching"].resubmit))
