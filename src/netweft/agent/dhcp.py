"""DHCP requests that flows send to the agent: each to the packet that answers it."""

from collections.abc import Callable, Iterable, Mapping

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram
from netweft.services.dhcp import dhcp4, dhcp6
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import Reason
from netweft.services.l2.announce import Packet
from netweft.services.values import Asked, DhcpSettings, Lease, LocalPort

_SERVERS: Mapping[int, Callable[[Lease, Datagram, DhcpSettings], Datagram | None]] = {
    67: dhcp4.answer,
    547: dhcp6.answer,
}


class DhcpSide:
    asked = Asked.DHCP
    reasons = frozenset({Reason.NETWORK_DHCP, Reason.PORT_DHCP})

    def __init__(self, desired: Desired, settings: DhcpSettings) -> None:
        self._desired = desired
        self._settings = settings

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """Empty: there is nothing to say, or it was no request."""
        if here is None:
            return ()
        lease, asked = self._desired.leases.get(here.number), datagram.decode(packet.frame)
        server = _SERVERS.get(asked.dport) if asked else None
        if lease is None or asked is None or server is None:
            return ()
        reply = server(lease, asked, self._settings)
        return () if reply is None else (to_port(here.number, datagram.encode(reply)),)
