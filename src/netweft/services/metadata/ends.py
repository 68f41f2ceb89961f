"""The two ends of VMs' requests to their node, metadata and DNS: the VM's and the agent's (decision 0440).

Flows put the client into the address, so that overlapping addresses of several tenants do not matter:

            of the VM's connection                  of the agent's
    IPv4    from A.B.C.D                            from 240.0.0.0 | logical port
            to 169.254.169.254, port 80 or 53       to 240.0.255.D, that of OFFERS
    IPv6    from P:S:X, of 32, 32 and 64 bits       from fe80::S:0:0 | logical port
            to fe80::a9fe:a9fe, port 80 or 53       to fe80:0:0:4e57:X, that of OFFERS

No logical port has a number of OpenFlow that begins with 0xff, so that 240.0.255.0/24 is nobody's.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from netweft.dataplane.host.values import Endpoint
from netweft.dataplane.openflow.fields import PROTO_TCP, PROTO_UDP
from netweft.model import Port
from netweft.services.addresses import parsed
from netweft.services.dhcp.requests import SERVER_ADDRESS, SERVER_MAC
from netweft.services.fields import GUARDED, TRACKED
from netweft.services.values import Asked

INTERFACE: Final = "nw-metadata"
MAC: Final = SERVER_MAC  # a node is one server to its VMs, whatever they ask
SERVER_4, SERVER_6 = SERVER_ADDRESS, IPv6Address("fe80::a9fe:a9fe")
PORT: Final = 0x4E57
DNS_PORT: Final = 0x4E58


class Offer(NamedTuple):
    """A service for VMs.  protocol, port: the VM's destination.  at: the agent's port.  asked: which service it is."""

    protocol: int
    port: int
    at: int
    asked: Asked


OFFERS: Final = (
    Offer(PROTO_TCP, 80, PORT, Asked.METADATA),
    Offer(PROTO_UDP, 53, DNS_PORT, Asked.DNS),
    Offer(PROTO_TCP, 53, DNS_PORT, Asked.DNS),
)

ASKERS_4, ASKERS_6 = int(IPv4Address("240.0.0.0")), int(IPv6Address("fe80::"))
PLACES_4, PLACES_6 = int(IPv4Address("240.0.255.0")), int(IPv6Address("fe80:0:0:4e57::"))
NUMBER_BITS: Final = 28  # of a logical port, without GUARDED and TRACKED
# what of the VM's address is in the agent's: in IPv4 so that two of them are less likely to be one connection
PLACE_BITS_4: Final = 8
PLACE_BITS_6: Final = 64
ZONE: Final = 4095  # of conntrack: no network's, no router's
_NUMBER: Final = (1 << NUMBER_BITS) - 1
SUBNET_AT: Final = 32

ENDPOINT: Final = Endpoint(
    interface=INTERFACE,
    mac=MAC,
    addresses=((str(IPv4Address(PLACES_4)), 4), (str(IPv6Address(ASKERS_6 | _NUMBER + 1)), 64)),
    prefixes=(f"{IPv4Address(PLACES_4)}/24", f"{IPv6Address(PLACES_6)}/64"),
)


def numbers(address: IPv4Address | IPv6Address) -> tuple[int, ...]:
    """Of the logical port that has it: without port security, and with it, and without but tracked."""
    number = int(address) & _NUMBER
    return number, number | GUARDED, number | TRACKED


def asked_from(port: Port, peer: IPv4Address | IPv6Address, own: IPv4Address | IPv6Address) -> str:
    """The VM's own address, by the two of the connection at the agent's end; empty for one that is not known."""
    mine = [address for fixed in port.fixed_ips if (address := parsed(fixed.ip_address)).version == own.version]
    if own.version == 4:
        found = [one for one in mine if int(one) & 255 == int(own) & 255] or mine
        return str(found[0]) if found else ""
    subnet = int(peer) >> SUBNET_AT & (1 << 32) - 1
    low = subnet << PLACE_BITS_6 | int(own) & (1 << PLACE_BITS_6) - 1
    known = (int(one) for one in (*mine, IPv6Address(ASKERS_6 | int(own) & (1 << PLACE_BITS_6) - 1)))
    return next((str(IPv6Address(one)) for one in known if one & (1 << 96) - 1 == low), "")
