"""Announces router interfaces to the VMs here, by gratuitous ARP and unsolicited advertisements: a router in the place
of another one has another MAC, and VMs would use the old one until their neighbour entry expires.

Each node announces to its own VMs, several times, since one may get lost.  What is there when the agent starts counts
as announced.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netweft.agent.desired import Desired
from netweft.agent.l3.repeats import Due
from netweft.dataplane.packets import arp, icmp
from netweft.services.addresses import Prefix, octets
from netweft.services.dhcp.requests import to_port
from netweft.services.l2.announce import Packet
from netweft.services.l3.values import Interface

AT: Final = (0.0, 0.5, 2.0)  # seconds after


class InterfaceAnnouncer:
    """send: a packet-out on the integration bridge."""

    def __init__(self, desired: Desired, send: Callable[[Packet], None]) -> None:
        self._desired, self._send = desired, send
        self._known: dict[str, dict[str, tuple[str, tuple[Prefix, ...]]]] = {}  # router -> interface -> what it has
        self._due: Due[tuple[str, str]] = Due()  # router, interface
        self._looked_at = 0

    def wired(self, now: float) -> None:
        """All that is wanted is in place."""
        is_first, (self._looked_at, changed) = not self._looked_at, self._desired.changed_routers(self._looked_at)
        for id in changed:
            router = self._desired.router_that_is_up(id)
            up = [one for one in (router.interfaces if router else ()) if one.port.admin_state_up]
            before, current = self._known.pop(id, {}), {one.port.id: _has(one) for one in up}
            if current:
                self._known[id] = current
            for port in () if is_first else (port for port, has in current.items() if before.get(port) != has):
                self._due.add((id, port), (now + after for after in AT))
        self.tick(now)

    def tick(self, now: float) -> None:
        for id, port in self._due.take(now):
            router = self._desired.router_that_is_up(id)
            for interface in router.interfaces if router else ():
                if interface.port.id == port:
                    self._tell(interface)

    def _tell(self, interface: Interface) -> None:
        frames = [_frame(octets(interface.port.mac_address), address) for address in interface.addresses]
        for number in self._desired.ports_on(interface.network.vlan):
            for frame in frames:
                self._send(to_port(number, frame))


def _has(interface: Interface) -> tuple[str, tuple[Prefix, ...]]:
    return interface.port.mac_address, interface.addresses


def _frame(own: bytes, address: Prefix) -> bytes:
    if address.version == 6:
        return icmp.announcement(own, IPv6Address(address.value))
    return arp.request(own, IPv4Address(address.value), IPv4Address(address.value))
