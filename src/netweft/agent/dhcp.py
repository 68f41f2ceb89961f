"""A DHCP request that a flow sent to the agent: from the packet to the packet that answers it.  No state, no I/O."""

from collections.abc import Callable, Mapping

from netweft.dataplane.dhcp import datagram
from netweft.dataplane.dhcp.datagram import Datagram
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services import dhcp4, dhcp6
from netweft.services.announce import Packet
from netweft.services.dhcp import to_port
from netweft.services.fields import IN_PORT
from netweft.services.values import DhcpSettings, Lease

_SERVERS: Mapping[int, Callable[[Lease, Datagram, DhcpSettings], Datagram | None]] = {
    67: dhcp4.answer,
    547: dhcp6.answer,
}


def answer(packet: PacketIn, leases: Mapping[int, Lease], settings: DhcpSettings) -> Packet | None:
    """leases: by logical port.  None: there is nothing to say, or it was no request."""
    number = packet.fields.get(IN_PORT, 0)
    lease, asked = leases.get(number), datagram.decode(packet.frame)
    server = _SERVERS.get(asked.dport) if asked else None
    if lease is None or asked is None or server is None:
        return None
    reply = server(lease, asked, settings)
    return None if reply is None else to_port(number, datagram.encode(reply))
