"""DHCP requests that flows send to the agent: each to the packet that answers it.

Remembers only how often each port has asked of late.  One that asks without end is not listened to for a while: a flow
drops what it says, so that it costs neither the agent nor the other ports' answers.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.dhcp import datagram
from netweft.dataplane.dhcp.datagram import Datagram
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services import dhcp4, dhcp6
from netweft.services.announce import Packet
from netweft.services.dhcp import to_port
from netweft.services.fields import IN_PORT
from netweft.services.values import DhcpSettings, Lease

log = structlog.get_logger(__name__)

PERIOD = 10.0  # seconds
MANY = 50  # requests of a port in that time; a client that hurries sends one a second
_SERVERS: Mapping[int, Callable[[Lease, Datagram, DhcpSettings], Datagram | None]] = {
    67: dhcp4.answer,
    547: dhcp6.answer,
}


class DhcpSide:
    def __init__(self, desired: Desired, settings: DhcpSettings, wake: Callable[[], None]) -> None:
        self._desired = desired
        self._settings = settings
        self._wake = wake
        self._asked: Counter[str] = Counter()
        self._counted_since = 0.0

    def answer(self, packet: PacketIn) -> Packet | None:
        """None: there is nothing to say, or it was no request."""
        number = packet.fields.get(IN_PORT, 0)
        lease, asked = self._desired.leases.get(number), datagram.decode(packet.frame)
        server = _SERVERS.get(asked.dport) if asked else None
        if lease is None or asked is None or server is None or self._is_too_much(lease.port.id):
            return None
        reply = server(lease, asked, self._settings)
        return None if reply is None else to_port(number, datagram.encode(reply))

    def _is_too_much(self, port_id: str) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() - self._counted_since > PERIOD:
            self._asked.clear()
            self._counted_since = loop.time()
        self._asked[port_id] += 1
        if self._asked[port_id] == MANY + 1:
            log.warning("port asks for DHCP without end", port=port_id, deaf_for=PERIOD)
            self._listen(port_id, False)
            loop.call_later(PERIOD, self._listen, port_id, True)
        return self._asked[port_id] > MANY

    def _listen(self, port_id: str, again: bool) -> None:
        self._desired.listen(port_id, again=again)
        self._wake()
