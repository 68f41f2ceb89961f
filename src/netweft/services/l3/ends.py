"""Who stands for whom at a router's gateway: by floating IPs, and by ports of them that are forwarded in order.

Where all ports lead to one, and by SNAT, only the tracker knows.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from netweft.dataplane.packets.readdressed import End, Ports
from netweft.model import PortForwarding
from netweft.services.addresses import prefix
from netweft.services.l3.forwarded import ForwardedAddresses
from netweft.services.l3.forwarding import to_one
from netweft.services.values import Gateway


class Ends(NamedTuple):
    """A gateway here, and all that is forwarded on this node."""

    gateway: Gateway
    forwarded: ForwardedAddresses

    def inside(self, address: IPv4Address, port: Ports | None) -> End | None:
        """Whom this address stands for, or this port of it (the source)."""
        fixed = self.gateway.floating_ips.get(int(address))
        if fixed is not None:
            return End(IPv4Address(fixed))
        one = self.forwarding(address, port)
        if one is None or port is None or to_one(one):
            return None
        return End(_address(one.internal_ip_address), port.source - one.external_first + one.internal_first)

    def outside(self, address: IPv4Address, port: Ports | None) -> End | None:
        """What stands for this address, or this port of it (the target); the lowest of several floating IPs."""
        floating = self.floating(address)
        if floating is not None:
            return End(floating)
        one = self.forwarding_to(address, port)
        if one is None or port is None or to_one(one):
            return None
        return End(_address(one.floating_ip_address), port.target - one.internal_first + one.external_first)

    def floating(self, address: IPv4Address) -> IPv4Address | None:
        found = sorted(outside for outside, fixed in self.gateway.floating_ips.items() if fixed == int(address))
        return IPv4Address(found[0]) if found else None

    def forwarding(self, address: IPv4Address, port: Ports | None) -> PortForwarding | None:
        """By which this port outside, the source, leads in."""
        return port and self.forwarded.by_port(self._place, int(address), port.protocol, port.source)

    def forwarding_to(self, address: IPv4Address, port: Ports | None) -> PortForwarding | None:
        """Which leads to this port inside, the target."""
        return port and self.forwarded.by_port_inside(self._place, int(address), port.protocol, port.target)

    @property
    def _place(self) -> tuple[str, str]:
        return self.gateway.port.router_id, self.gateway.port.network_id


def _address(text: str) -> IPv4Address:
    return IPv4Address(prefix(text).value)
