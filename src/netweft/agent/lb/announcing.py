"""Announces VIPs' MACs to the VMs here: an address that was another balancer's, or a VM's, would be sent to as before
until their neighbour entries expire.

Each node announces to its own VMs, several times, since one may get lost.  What is there when the agent starts counts
as announced.
"""

import asyncio
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netweft.agent.desired import Desired
from netweft.dataplane.packets import arp, icmp
from netweft.model import Key, LoadBalancer, NodeView
from netweft.services.addresses import Prefix, octets, prefix
from netweft.services.dhcp.requests import to_port
from netweft.services.l2.announce import Packet
from netweft.services.lb.wiring import addresses

AFTER: Final = (0.5, 2.0)  # seconds, besides at once


class VipAnnouncer:
    """send: a packet-out on the integration bridge."""

    def __init__(self, desired: Desired, send: Callable[[Packet], None]) -> None:
        self._desired, self._send = desired, send
        self._due: set[str] = set()

    def see(self, before: NodeView, after: NodeView, changed: Collection[Key]) -> None:
        """before: of an agent that has just started there is none."""
        if before.revision:
            ids = {id for kind, id in changed if kind == "load_balancer" and id in after.load_balancers}
            was = before.load_balancers
            self._due |= {id for id in ids if id not in was or _has(was[id]) != _has(after.load_balancers[id])}

    def wired(self) -> None:
        """All that is wanted is in place."""
        due, self._due = self._due, set()
        for id in sorted(due):
            self._tell(id)
            for seconds in AFTER:
                asyncio.get_running_loop().call_later(seconds, self._tell, id)

    def _tell(self, id: str) -> None:
        balancer = self._desired.view.load_balancers.get(id)
        vlan = self._desired.vlans.get(balancer.vip_network_id) if balancer else None
        if balancer is None or vlan is None or not balancer.vip_mac_address:
            return
        own = octets(balancer.vip_mac_address)
        frames = [_frame(own, prefix(address)) for address in addresses(balancer)]
        for number in self._desired.ports_on(vlan):
            for frame in frames:
                self._send(to_port(number, frame))


def _has(balancer: LoadBalancer) -> tuple[str, list[str]]:
    return balancer.vip_mac_address, addresses(balancer)


def _frame(own: bytes, address: Prefix) -> bytes:
    if address.version == 6:
        return icmp.announcement(own, IPv6Address(address.value))
    return arp.request(own, IPv4Address(address.value), IPv4Address(address.value))
