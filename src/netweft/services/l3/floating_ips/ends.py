"""Who stands for whom at a router: by floating IPs, and by ports of them that are forwarded in order.

Where all ports lead to one, and by SNAT, only conntrack knows.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from netweft.dataplane.packets.readdressed import End, Ports
from netweft.model import PortForwarding
from netweft.services.addresses import octets, prefix
from netweft.services.l3.port_forwarding.flows import to_one
from netweft.services.l3.port_forwarding.wiring import ForwardedAddresses, Place
from netweft.services.l3.values import Gateway, LocalFloatingIp, LocalRouter


class Ends(NamedTuple):
    """Of a router here those that belong to one of its gateways, wherever that is; and all that is forwarded on this
    node."""

    router: LocalRouter
    gateway_id: str
    forwarded: ForwardedAddresses

    @property
    def gateway(self) -> Gateway | None:
        """If it is here."""
        return next((one for one in self.router.gateways if one.port.id == self.gateway_id), None)

    @property
    def floating_ips(self) -> list[LocalFloatingIp]:
        return [one for one in self.router.floating_ips if one.gateway_id == self.gateway_id]

    def leaves_by(self, own: bytes) -> bool:
        """Whether routes give packets this MAC to leave by it."""
        ends = [*([self.gateway] if self.gateway else []), *(one.end for one in self.floating_ips)]
        return any(octets(end.port.mac_address) == own for end in ends)

    def inside(self, address: IPv4Address, port: Ports | None) -> End | None:
        """Whom this address stands for, or this port of it (the source)."""
        floating = next((one for one in self.floating_ips if one.address == int(address)), None)
        if floating is not None:
            return End(IPv4Address(floating.fixed))
        one = self.forwarding(address, port)
        if one is None or port is None or to_one(one):
            return None
        return End(_address(one.internal_ip_address), port.source - one.external_first + one.internal_first)

    def outside(self, address: IPv4Address, port: Ports | None) -> End | None:
        """What stands for this address, or this port of it (the target); the lowest of several floating IPs."""
        floating = self.floating(address)
        if floating is not None:
            return End(IPv4Address(floating.address))
        one = self.forwarding_to(address, port)
        if one is None or port is None or to_one(one):
            return None
        return End(_address(one.floating_ip_address), port.target - one.internal_first + one.external_first)

    def floating(self, address: IPv4Address) -> LocalFloatingIp | None:
        found = (one for one in self.floating_ips if one.fixed == int(address))
        return min(found, key=lambda one: one.address, default=None)

    def forwarding(self, address: IPv4Address, port: Ports | None) -> PortForwarding | None:
        """The forwarding of this external port, the source."""
        if port is None or self._place is None:
            return None
        return self.forwarded.by_port(self._place, int(address), port.protocol, port.source)

    def forwarding_to(self, address: IPv4Address, port: Ports | None) -> PortForwarding | None:
        """The forwarding to this internal port, the target."""
        if port is None or self._place is None:
            return None
        return self.forwarded.by_port_inside(self._place, int(address), port.protocol, port.target)

    @property
    def _place(self) -> Place | None:
        """None: what is forwarded is so on another node."""
        return (self.router.router.id, self.gateway.port.network_id) if self.gateway else None


def ends_of(router: LocalRouter, forwarded: ForwardedAddresses, own: bytes) -> list[Ends]:
    """First those of the gateway by whose MAC a packet leaves."""
    ids = dict.fromkeys([*(one.port.id for one in router.gateways), *(one.gateway_id for one in router.floating_ips)])
    return sorted((Ends(router, id, forwarded) for id in ids), key=lambda ends: not ends.leaves_by(own))


def _address(text: str) -> IPv4Address:
    return IPv4Address(prefix(text).value)
