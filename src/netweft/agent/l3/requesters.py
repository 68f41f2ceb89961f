"""The sender of the agent's ARP and ND requests: a router, by its gateway or one of its interfaces.

On a physical wire each node's requests have a MAC of its own, to which the answer goes; VMs here see the router's.  In
tunnels, those to VTEPs as well, they have the router's.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.flow import Output, PushVlan, SetField
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import IpAddress
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix, link_local, mac, octets, octets_of_mac, prefix, within
from netweft.services.fields import IN_PORT, LOCAL_VLAN, tagged
from netweft.services.l2.announce import Packet
from netweft.services.l3.neighbours.gratuitous import to_network
from netweft.services.l3.values import Gateway, Interface, LocalRouter
from netweft.services.pipeline import INT
from netweft.services.values import LocalNetwork


class Requester(NamedTuple):
    """port_id: of the gateway or interface.  own: its addresses.  on_link: prefixes that it resolves; next_hops: what
    routes lead to.  wire: the MAC and the OpenFlow port of an interface's requests on a physical network."""

    port_id: str
    network: LocalNetwork
    mac: bytes
    own: tuple[Prefix, ...]
    on_link: tuple[Prefix, ...]
    next_hops: tuple[Prefix, ...]
    wire: tuple[bytes, int] | None = None
    is_gateway: bool = False

    def is_on_link(self, address: IpAddress) -> bool:
        """Or where a route leads to, which in IPv6 may be a link-local address."""
        return self.leads_to(address) or any(within(_single(address), one) for one in self.on_link)

    def leads_to(self, address: IpAddress) -> bool:
        return _single(address) in self.next_hops

    def questions(self, target: IpAddress, known: bytes | None) -> Iterator[Packet]:
        """known: the MAC for a unicast probe."""
        if self.wire is None:
            yield from (to_network(self.network.vlan, frame) for frame in self._frames(self.mac, target, known))
            return
        on_the_wire = self.wire[0]
        for frame in self._frames(self.mac, target, known):
            here = (SetField(LOCAL_VLAN, self.network.vlan), SetField(IN_PORT, self.wire[1]), INT["switching"].resubmit)
            yield Packet(frame, here)
        for frame in self._frames(on_the_wire, target, known):
            yield self.to_wire(frame)

    def to_wire(self, frame: bytes) -> Packet:
        """To nobody here."""
        assert self.wire is not None
        near = self.wire[1]
        return Packet(frame, (PushVlan(), SetField("vlan_vid", tagged(self.network.vlan)), Output(near)))

    def _frames(self, own_mac: bytes, target: IpAddress, known: bytes | None) -> Iterator[bytes]:
        own = next((one.value for one in self.own if one.version == target.version), None)
        if own is None:
            return
        if isinstance(target, IPv4Address):
            yield arp.request(own_mac, IPv4Address(own), target, **({"to": known} if known else {}))
        else:
            yield icmp.question(own_mac, IPv6Address(own), target, to=known)


def _single(address: IpAddress) -> Prefix:
    return Prefix(address.version, int(address), None)


def by_gateway(gateway: Gateway) -> Requester:
    """As long as others have the gateway it is not for this node to say where its addresses are."""
    own, own_mac = gateway.addresses, octets(gateway.port.mac_address)
    if not gateway.answers:
        nobody = {4: 0, 6: link_local(gateway.node_mac)}
        own = tuple(Prefix(version, nobody[version], None) for version in sorted({one.version for one in own}))
        own_mac = octets_of_mac(gateway.node_mac)
    return Requester(
        gateway.port.id,
        gateway.network,
        own_mac,
        own,
        gateway.on_link,
        (*gateway.next_hops, *gateway.watched),
        is_gateway=True,
    )


def by_interface(desired: Desired, router: LocalRouter, interface: Interface) -> Requester:
    """In IPv6 by the link-local address."""
    its_mac = mac(interface.port.mac_address)
    linked = Prefix(6, link_local(its_mac), None)
    return Requester(
        interface.port.id,
        interface.network,
        octets(interface.port.mac_address),
        tuple(one for one in interface.addresses if one.version == 4 or one == linked),
        interface.on_link,
        tuple(sorted({prefix(route.nexthop) for route in router.router.routes})),
        None if interface.network.tunnelled else _wire(desired, router, interface),
    )


def _wire(desired: Desired, router: LocalRouter, interface: Interface) -> tuple[bytes, int] | None:
    near = desired.wire_of(interface.port.network_id)
    return None if near is None else (octets_of_mac(wire_mac(router.node, interface.port.id)), near)


class Answering(NamedTuple):
    """What answers physical hosts: a router's interface or a VIP.  who: as whom it speaks there.  addresses: its.
    asked_for: by whoever is about to answer.  here: this node does.  is_routers: else it is a VIP."""

    who: Requester
    addresses: tuple[Prefix, ...]
    asked_for: int | None
    here: bool
    is_routers: bool = True


def answering(desired: Desired) -> Iterator[Answering]:
    """By this node."""
    for router, one in desired.answering():
        yield _of_interface(desired, router, one)
    yield from (one for one in _vips(desired) if one.here)


def on_wire(desired: Desired, port_id: str, network_id: str) -> Answering | None:
    """By this node, or by it when others are gone.  None: it is not wired here."""
    interfaces = (
        _of_interface(desired, *pair) for pair in desired.routers_on(network_id) if pair[1].port.id == port_id
    )
    found = next(interfaces, None) or next((one for one in _vips(desired) if one.who.port_id == port_id), None)
    return found if found is not None and found.who.wire else None


def _of_interface(desired: Desired, router: LocalRouter, one: Interface) -> Answering:
    who = by_interface(desired, router, one)._replace(wire=_wire(desired, router, one))
    return Answering(who, one.addresses, one.asked_for, one.answers)


def _vips(desired: Desired) -> Iterator[Answering]:
    for network, vip in desired.vips_on_wires():
        own = tuple(prefix(fixed.ip_address) for fixed in vip.port.fixed_ips)
        near, its_mac = desired.wire_of(vip.port.network_id), octets(vip.port.mac_address)
        wire = None if near is None else (octets_of_mac(vip.own_mac), near)
        who = Requester(vip.port.id, network, its_mac, own, (), (), wire)
        first = next((one.value for one in own if one.version == 4), None)
        yield Answering(who, own, first, vip.answers, is_routers=False)


def requester(
    desired: Desired, router: LocalRouter, vlan: int | None, address: IpAddress, own: bytes
) -> Requester | None:
    """The requester for a next hop in the network with this local VLAN, for a packet that leaves with this MAC.
    None: no unknown host can have the address."""
    floating = (one.end for one in router.floating_ips if one.own_mac and octets(one.end.port.mac_address) == own)
    for gateway in map(by_gateway, (*floating, *router.gateways)):
        if vlan in (None, gateway.network.vlan) and gateway.is_on_link(address):
            return gateway
    for interface in router.interfaces:
        if interface.network.vlan == vlan and any(within(_single(address), one) for one in interface.on_link):
            there = desired.may_be_there(interface.port.network_id, address)
            return by_interface(desired, router, interface) if there else None
    return None


def requesters_on(desired: Desired, network_id: str) -> Iterator[Requester]:
    """The requesters of a network; of gateways that request the same address the first."""
    yield from map(by_gateway, desired.unlike_on(network_id))
    for router, interface in desired.routers_on(network_id):
        yield by_interface(desired, router, interface)


def probes_outside(gateway: Gateway) -> Iterable[Packet]:
    """A probe (RFC 5227), from a MAC that nobody else has: it moves nothing in switches and in others' tables."""
    for address in gateway.asked_for:
        frame = arp.request(octets_of_mac(gateway.node_mac), IPv4Address(0), IPv4Address(address))
        yield to_network(gateway.network.vlan, frame)


def probes_on_wire(one: Answering) -> list[Packet]:
    """By the node's MAC there."""
    if one.asked_for is None or one.who.wire is None:
        return []
    return [one.who.to_wire(arp.request(one.who.wire[0], IPv4Address(0), IPv4Address(one.asked_for)))]
