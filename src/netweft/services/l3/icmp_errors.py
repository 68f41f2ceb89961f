"""What a router says about a packet that it cannot deliver, to the port that the packet came from."""

from typing import Final

from netweft.dataplane.openflow.fields import PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets import icmp
from netweft.services.addresses import octets, parsed
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import Why
from netweft.services.l2.announce import Packet
from netweft.services.values import Interface, LocalPort

# (type, code) in IPv4 (RFC 792, RFC 1812) and IPv6 (RFC 4443)
_MESSAGES: Final = {
    Why.TTL_EXCEEDED: {4: (11, 0), 6: (3, 0)},
    Why.NO_ROUTE: {4: (3, 0), 6: (1, 0)},
    Why.UNKNOWN_NEXT_HOP: {4: (3, 1), 6: (1, 3)},
    Why.NOT_LISTENING: {4: (3, 3), 6: (1, 4)},
    Why.TOO_BIG: {4: (3, 4), 6: (2, 0)},
}
_WITH_PORTS = (PROTO_TCP, PROTO_UDP)


def icmp_error(
    why: Why, frame: bytes, here: LocalPort, at: Interface, near: Interface, *, mtu: int = 0
) -> Packet | None:
    """at: the interface that the packet came to, which is who says it.  near: the router's on the port's own network,
    from whose MAC it comes.  mtu: of the network that it is too big for.  None: nothing may be said about it."""
    about = icmp.offending(frame)
    if about is None or (why is Why.NOT_LISTENING and about.protocol not in _WITH_PORTS):
        return None
    version = about.src.version
    own = [parsed(fixed.ip_address) for fixed in at.port.fixed_ips]
    says = next((address for address in own if address.version == version), None)
    if says is None:
        return None
    macs = (octets(near.port.mac_address), octets(here.port.mac_address))
    return to_port(here.number, icmp.error(macs, says, about, *_MESSAGES[why][version], mtu))
