"""What services of routers work on: a router with its interfaces, gateways and floating IPs, as this node has them.

`l3/wiring` builds them from the view and from what was observed.
"""

from collections.abc import Iterable
from itertools import filterfalse

from msgspec import Struct

from netweft.model import (
    GatewayPort,
    MeteringLabel,
    PortForwarding,
    QosPolicy,
    Router,
    RouterPort,
)
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix, is_unique_local, link_local, mac, prefix
from netweft.services.values import PHYSICAL, Firewall, LocalNetwork, RemotePort


class WatchedHop(Struct, frozen=True, order=True):
    """mac: of the port that has the address; None where nobody is known to have it."""

    address: Prefix
    mac: str | None = None


class Interface(Struct, frozen=True, kw_only=True):
    """A router's interface on a network that is wired here.  on_link: prefixes of the subnets it has addresses in.
    watched: next hops there that are one of several to the same destination, and are probed.
    silent: of those that are one of several, who does not answer or is down.
    firewall: what its firewall group says; None where it is in none.  nodes: with ports on its network, if it is.
    answers: physical hosts, by this node.  others_macs: on the wire, of the other nodes that may answer."""

    port: RouterPort
    network: LocalNetwork
    on_link: tuple[Prefix, ...]
    answers: bool = False
    others_macs: tuple[int, ...] = ()
    watched: tuple[WatchedHop, ...] = ()
    firewall: Firewall | None = None
    nodes: tuple[str, ...] = ()
    silent: frozenset[Prefix] = frozenset()

    def macs(self, node: str) -> set[int]:
        """From which its packets come."""
        return {mac(self.port.mac_address), *self.from_nodes((node, *self.nodes))}

    def from_nodes(self, nodes: Iterable[str]) -> set[int]:
        """From which these nodes' packets come: on a wire each has one, in tunnels it is the router's."""
        if self.network.segment.network_type not in PHYSICAL:
            return {mac(self.port.mac_address)}
        return {wire_mac(name, self.port.id) for name in nodes}

    @property
    def asked_for(self) -> int | None:
        """By whoever is about to answer physical hosts: the first of its IPv4 addresses."""
        own = (prefix(fixed.ip_address) for fixed in self.port.fixed_ips)
        return next((one.value for one in own if one.version == 4), None)

    @property
    def addresses(self) -> tuple[Prefix, ...]:
        """Its own, with the link-local one in IPv6."""
        own = tuple(prefix(fixed.ip_address) for fixed in self.port.fixed_ips)
        if any(one.version == 6 for one in own):
            return (*own, Prefix(6, link_local(mac(self.port.mac_address)), None))
        return own


class Forwarded(Struct, frozen=True, order=True):
    """That some ports of an external address lead to an address inside.  protocol: its number."""

    outside: int
    inside: int
    protocol: int


class GatewayPlace(Struct, frozen=True):
    """Where a router's gateway is, as this node sees it.  host: where packets that leave by it go, "" while there is
    nobody.  here: what comes in is taken here.  answers: for its addresses, and announces them."""

    host: str
    here: bool = False
    answers: bool = False


class BfdSession(Struct, frozen=True):
    """With the next hop of a gateway: two patch ports joined on the integration bridge, of which `near` speaks BFD and
    what it says comes out of `far`.  own: the gateway's address.  ofport: of `far`; None: not there yet.
    up: as long as nothing else is known."""

    next_hop: Prefix
    own: str
    bridge: str
    near: str
    far: str
    ofport: int | None = None
    up: bool = True


class Gateway(Struct, frozen=True, kw_only=True):
    """A router's way to the external network, which this node has or may have to take over.

    zone: the conntrack zone of its NAT.  leaves: packets leave by it here.  answers: as in GatewayPlace.
    node_mac: with which this node speaks on the external network while others have the gateway.
    others_macs: likewise those of the other nodes that may have it.
    on_link: the prefixes of the subnets it has addresses in; next_hops: their gateways.
    beside: floating IPs that share its MAC.  forwarded: where ports of other floating IPs lead.  held: of these what is
    not answered for yet, since another node may.
    watched: next hops there that are one of several to the same destination.  silent: those of them that do not
    answer.
    sessions: with its next hops, where they are watched by BFD from here."""

    port: GatewayPort
    network: LocalNetwork
    zone: int
    on_link: tuple[Prefix, ...]
    next_hops: tuple[Prefix, ...]
    beside: tuple[int, ...] = ()
    forwarded: tuple[Forwarded, ...] = ()
    held: tuple[int, ...] = ()
    watched: tuple[Prefix, ...] = ()
    silent: frozenset[Prefix] = frozenset()
    sessions: tuple[BfdSession, ...] = ()
    leaves: bool = True
    answers: bool = True
    node_mac: int = 0
    others_macs: tuple[int, ...] = ()

    @property
    def addresses(self) -> tuple[Prefix, ...]:
        return tuple(prefix(fixed.ip_address) for fixed in self.port.fixed_ips)

    @property
    def snat_address(self) -> int | None:
        """What SNAT translates to: the first IPv4 address."""
        return next((address.value for address in self.addresses if address.version == 4), None)

    @property
    def nat66_address(self) -> int | None:
        """What unique local addresses are translated to, where its network has NAT66."""
        return nat66_address(self.addresses) if self.network.network.nat66 else None

    @property
    def asked_for(self) -> list[int]:
        """By whoever is about to take it: the first of its IPv4 addresses, if it has any."""
        return [] if self.snat_address is None else [self.snat_address]

    def own(self, version: int) -> list[int]:
        """What it answers ARP and ND for on the external network: its addresses, others with its MAC, in IPv6 the
        link-local one."""
        found = {one.value for one in self.addresses if one.version == version}
        if version == 4:
            return sorted({*found, *self.beside, *(one.outside for one in self.forwarded)})
        return sorted({*found, link_local(mac(self.port.mac_address))} if found else ())

    def answered(self, version: int) -> list[int]:
        """What of it is answered for."""
        return [one for one in self.own(version) if version == 6 or one not in self.held]


def nat66_address(addresses: Iterable[Prefix]) -> int | None:
    """The first IPv6 address that is of use outside; else the first."""
    own = [one for one in addresses if one.version == 6]
    return next((one.value for one in (*filterfalse(is_unique_local, own), *own)), None)


class LocalFloatingIp(Struct, frozen=True, kw_only=True):
    """A floating IP that is translated here.  end: on the external network it is one more gateway, with that address
    alone.  gateway_id: the port of the gateway that it belongs to, wherever that is.  fixed: the address that it stands
    for.  own_mac: whether it has one that nobody shares.  waits: does not answer yet, another node may."""

    end: Gateway
    gateway_id: str
    address: int
    fixed: int
    own_mac: bool
    waits: bool = False
    qos_policy_id: str | None = None

    @property
    def id(self) -> str:
        return self.end.port.id


class Limited(Struct, frozen=True, kw_only=True):
    """An external address of a router's that is translated here and has a QoS policy: a floating IP, or the gateway's.
    id: the floating IP's, or the gateway's port's.  frame: the largest, in bytes."""

    id: str
    address: int
    frame: int
    policy: QosPolicy


class LocalForwarding(Struct, frozen=True, kw_only=True):
    """A forwarding of a router whose gateway is on this node.  router: the router's number here.  zone: the gateway's.
    vlan: the external network's here.
    snat: whether what comes from inside by itself gets the gateway's address.
    mac, hop: the gateway's, and its IPv4 next hop (None: it has none).  others: MACs of the router's gateways on other
    networks, by which routes may lead to the client.
    gives_pieces: whether conntrack gives a datagram on as the fragments that it came in: the userspace datapath's."""

    forwarding: PortForwarding
    router: int
    zone: int
    vlan: int
    snat: bool
    mac: str = ""
    hop: Prefix | None = None
    others: tuple[str, ...] = ()
    gives_pieces: bool = False


class LocalLabel(Struct, frozen=True, kw_only=True):
    """A metering label of a router whose way to the external network is here.  numbers: direction -> its own here."""

    label: MeteringLabel
    numbers: dict[str, int]


class WayToGateway(Struct, frozen=True):
    """From a network of the router's to a node that has its gateway, or takes over when it is gone.  relay: for
    packets that another node has passed on."""

    interface: Interface
    there: RemotePort
    relay: RemotePort


class LocalRouter(Struct, frozen=True, kw_only=True):
    """A router that this node routes for.  number: its own on this node.  node: this one's name.
    gateway: if it is here; more: further ones, where the first is.  standbys: those that may have to be taken over, the
    first one first.  ways: to the other nodes of its order.  leads_to: which of these packets are sent to; "" for none.
    outside: its addresses there, and outside_on_link what is on the links there, wherever its gateways are.
    floating_ips: those that are here.  holders: those that only ports of lead somewhere, with their gateway here; they
    stand for no address.
    checks_length: whether the datapath can tell how long a packet is.  can_limit: whether it has meters.
    gives_pieces: whether its conntrack gives a datagram on as the fragments that it came in.
    out_of_reach: on-link prefixes of interfaces whose networks are not wired here.
    limited: nothing, where the datapath has no meters.
    labels: by which what passes the gateway is counted here, in a fixed order."""

    router: Router
    number: int
    node: str
    interfaces: tuple[Interface, ...]
    gateway: Gateway | None = None
    more: tuple[Gateway, ...] = ()
    standbys: tuple[Gateway, ...] = ()
    outside: tuple[Prefix, ...] = ()
    outside_on_link: tuple[Prefix, ...] = ()
    floating_ips: tuple[LocalFloatingIp, ...] = ()
    holders: tuple[LocalFloatingIp, ...] = ()
    ways: tuple[WayToGateway, ...] = ()
    leads_to: str = ""
    checks_length: bool = True
    can_limit: bool = True
    gives_pieces: bool = False
    out_of_reach: tuple[Prefix, ...] = ()
    limited: tuple[Limited, ...] = ()
    labels: tuple[LocalLabel, ...] = ()

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """Those that are here."""
        return (self.gateway, *self.more) if self.gateway else ()

    def nat66(self, gateway: Gateway) -> int | None:
        """The address that unique local ones get by this gateway of its; None: they leave as they are."""
        return gateway.nat66_address if self.router.enable_snat else None

    @property
    def leaving(self) -> tuple[Gateway, ...]:
        """Those of them by which packets leave."""
        return tuple(gateway for gateway in self.gateways if gateway.leaves)

    @property
    def candidates(self) -> tuple[Gateway, ...]:
        """Those that are here or may come here."""
        return (*self.gateways, *self.standbys)

    @property
    def ways_out(self) -> tuple[WayToGateway, ...]:
        return tuple(way for way in self.ways if way.there.peer.host_id == self.leads_to)

    @property
    def by_themselves(self) -> list[LocalFloatingIp]:
        """Floating IPs by which packets leave here while none do by their gateway."""
        leaving = {one.port.id for one in self.leaving}
        return [one for one in self.floating_ips if one.end.leaves and one.gateway_id not in leaving]

    @property
    def exits(self) -> tuple[Gateway, ...]:
        """To external networks, from here: the gateways, and of each other network a floating IP's end."""
        of_each = {one.end.port.network_id: one.end for one in reversed(self.floating_ips)}
        others = of_each.keys() - {one.port.network_id for one in self.gateways}
        return (*self.gateways, *(of_each[id] for id in sorted(others)))

    @property
    def networks(self) -> list[LocalNetwork]:
        """That it has routes to from here."""
        return [*(one.network for one in self.interfaces), *(one.network for one in self.exits)]

    @property
    def ends(self) -> list[Gateway]:
        """On the external networks, here: addresses that are answered for there, and that requests come from."""
        return [*self.gateways, *(one.end for one in self.floating_ips if one.own_mac)]
