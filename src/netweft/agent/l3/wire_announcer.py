"""Says on provider networks that this node answers for a router's interface, or a VIP, now: hosts and switches learn
from it.

Once it has become the one whom the server names, or the interface has another address; several times, since once may
get lost.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netweft.agent.desired import Desired
from netweft.agent.l3.news import News
from netweft.agent.l3.repeats import Due
from netweft.agent.l3.requesters import answering
from netweft.dataplane.packets import arp, icmp
from netweft.services.addresses import Prefix
from netweft.services.l2.announce import Packet

AT: Final = (0.0, 0.5, 2.0)  # seconds after


class WireAnnouncer:
    """send: a packet-out on the integration bridge."""

    def __init__(self, desired: Desired, send: Callable[[Packet], None]) -> None:
        self._desired, self._send = desired, send
        self._announced: dict[str, tuple[Prefix, ...]] = {}  # interface -> its addresses
        self._due: Due[str] = Due()
        self._news = News(desired)

    def wired(self, now: float) -> None:
        """All that is wanted is in place."""
        if self._news():
            current = {one.who.port_id: one.addresses for one in answering(self._desired)}
            for port_id, addresses in current.items():
                if self._announced.get(port_id) != addresses:
                    self._due.add(port_id, (now + after for after in AT))
            self._announced = current
        self.tick(now)

    def tick(self, now: float) -> None:
        due = self._due.take(now)
        for who, addresses, *_ in answering(self._desired) if due else ():
            for address in addresses if who.port_id in due and who.wire else ():
                own = who.wire[0] if who.wire else b""
                if address.version == 4:
                    frame = arp.request(own, IPv4Address(address.value), IPv4Address(address.value))
                else:
                    frame = icmp.announcement(own, IPv6Address(address.value))
                self._send(who.to_wire(frame))
