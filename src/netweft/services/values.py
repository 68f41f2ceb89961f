"""What services work on and what they make, as values.

    LocalPort, RemotePort, LocalNetwork, Flood, HostFacts  ──service──▶  Wanted

`wiring` builds the former from the view and from what was observed; the agent's drivers apply the latter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from netweft.dataplane.host.values import Address, Endpoint, Guarantee, VethPair
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.ovsdb.rows import BridgeRow, PortRow, VifTag
from netweft.dataplane.packets.router_advert import Advertisement
from netweft.model import (
    GatewayPort,
    MeteringLabel,
    Network,
    Peer,
    Port,
    PortForwarding,
    QosPolicy,
    Router,
    RouterPort,
    SecurityGroup,
    Segment,
    Subnet,
)
from netweft.services.addresses import Prefix, is_multicast, link_local, mac, prefix
from netweft.services.fields import logical_port
from netweft.services.pipeline import BridgeFlow

TUNNELLED = ("vxlan", "gre", "geneve")  # STT: docs/decisions/0085
PHYSICAL = ("flat", "vlan")
TUNNEL = "tunnel"  # the underlay, where it stands beside physical networks


class Bandwidth(Struct, frozen=True):
    """A NIC, and how much it can send, in kbit/s."""

    interface: str
    kbps: int


class HostFacts(Struct, frozen=True, kw_only=True):
    """This node: what its settings say.  Names and choices, nothing that changes while the agent runs.

    bridge_mappings: physical network -> the operator's bridge that leads there.
    name: the node's, as its peers know it.
    dscp, dscp_inherit: of tunnels' outer headers.
    uplink_bandwidths: physical network, or `tunnel` -> the NIC by which its frames leave the node.
    metadata: whether VMs' requests for it are answered here."""

    integration_bridge: str = "br-int"
    tunnel_bridge: str = "br-tun"
    datapath_type: str = "system"
    interconnect: str = "patch"
    tunnel_ip: str = ""
    tunnel_prefix_length: int = 24
    tunnel_types: tuple[str, ...] = ("vxlan",)
    underlay: str = ""
    underlay_bridge: str = "br-phy"
    bridge_mappings: dict[str, str] = {}
    name: str = ""
    dscp: int = 0
    dscp_inherit: bool = False
    uplink_bandwidths: dict[str, Bandwidth] = {}
    metadata: bool = True


class Link(Struct, frozen=True, kw_only=True):
    """What joins the integration bridge and another one, as OpenFlow ports: near on the former, far on the latter.

    also: near and far of the link that it replaces, or that replaces it: frames may come that way, too."""

    near: int | None = None
    far: int | None = None
    also: tuple[int, int] | None = None

    @property
    def nears(self) -> tuple[int, ...]:
        return _known(self.near, self.also and self.also[0])

    @property
    def fars(self) -> tuple[int, ...]:
        return _known(self.far, self.also and self.also[1])


def _known(*ofports: int | None) -> tuple[int, ...]:
    return tuple(ofport for ofport in ofports if ofport is not None)


class Uplinks(Struct, frozen=True, kw_only=True):
    """The ways out of the integration bridge, as observed.

    tun: to the tunnel bridge.  physical: physical network -> to its bridge.
    overlays: tunnel type -> the tunnel bridge's port.  metadata: the agent's own.  A port
    is None while there is none, -1 when it cannot be opened.
    problems: physical network -> why its bridge cannot be joined.
    transit: (local VLAN, network) of the networks that routers lead to, kept on the tunnel link's row.
    keep: the kind of link that is not wanted any more, and that frames still use.
    vlan_limit: how many tags of a frame Open vSwitch looks at; 0: as many as it can, which are two."""

    tun: Link = Link()
    physical: dict[str, Link] = {}
    overlays: dict[str, int | None] = {}
    metadata: int | None = None
    problems: dict[str, str] = {}
    transit: tuple[tuple[int, str], ...] = ()
    keep: str = ""
    vlan_limit: int = 1


class LocalNetwork(Struct, frozen=True, kw_only=True):
    """A network that is wired here, through one of its segments.  dhcp: IP versions in which DHCP is answered in it.
    routed: whether a router has an interface on it.  advertised: whether one may have to advertise itself.
    unsure: it is routed, and hosts may be in it that the database does not know, or not surely.
    can_limit: whether the datapath has meters."""

    network: Network
    vlan: int
    segment: Segment
    dhcp: tuple[int, ...] = ()
    routed: bool = False
    advertised: bool = False
    unsure: bool = False
    can_limit: bool = True

    @property
    def tunnelled(self) -> bool:
        return self.segment.network_type in TUNNELLED

    @property
    def way_out(self) -> str:
        """By what it leaves the node: the physical network, `tunnel`, or `` when it does not."""
        return TUNNEL if self.tunnelled else self.segment.physical_network or ""

    def link(self, uplinks: Uplinks) -> Link | None:
        """The way out of the integration bridge; None when the network does not leave the node."""
        if self.tunnelled:
            return uplinks.tun
        if self.segment.network_type in PHYSICAL:
            return uplinks.physical.get(self.segment.physical_network or "", Link())
        return None


class PortGroup(Struct, frozen=True):
    """A security group as its ports need it.  number: its own on this node."""

    number: int
    stateful: bool


class LocalGroup(Struct, frozen=True, kw_only=True):
    """A security group of a port here.  remotes: set of remote addresses that a rule names -> its number here."""

    group: SecurityGroup
    number: int
    remotes: dict[str, int] = {}


class RemoteAddress(Struct, frozen=True, kw_only=True):
    """An address or prefix in sets of remote addresses.  mac: it is only with this MAC; empty: with any.
    ingress, egress: the sets' numbers, sorted, where they are named by rules of that direction."""

    address: str
    mac: str = ""
    ingress: tuple[int, ...] = ()
    egress: tuple[int, ...] = ()


class UplinkNic(Struct, frozen=True):
    """The NIC by which a network's frames leave the node.  mac_offset: where a VM's MAC stands in them then.
    problem: why nothing can be guaranteed there; empty when it can."""

    interface: str
    mac_offset: int
    problem: str = ""


class Asked(StrEnum):
    """What the agent answers."""

    DHCP = "dhcp"
    NEIGHBOUR = "neighbour discovery"
    ERROR = "routes"
    NEXT_HOP = "next hops"
    ROUTER = "routers"
    METADATA = "metadata"
    FLOATING_ERROR = "errors by floating IPs"
    TAKEOVER = "gateways that others may have"


class LocalPort(Struct, frozen=True, kw_only=True):
    """A port that is plugged in here and can be wired.

    tag: of a trunk's sub-port, with which its frames are told apart on the interface; 0 when that is its own.
    carried: (local VLAN, network) of the sub-ports that use this port's interface.
    uplink: the logical port by which the network leaves the node.
    groups: its security groups, as far as they are known here.
    deaf_to: what it has asked for so often that the agent does not listen for a while.
    subnets: all of its network's.
    routers: interfaces on its network, with IPv6 addresses, of routers that are up.
    qos: its QoS policy, or its network's.  can_limit: whether the datapath has meters.
    uplink_nic: None when the settings name none."""

    port: Port
    network: LocalNetwork
    port_name: str
    ofport: int
    tag: int = 0
    groups: tuple[PortGroup, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    routers: tuple[RouterPort, ...] = ()
    deaf_to: frozenset[Asked] = frozenset()
    carried: tuple[tuple[int, str], ...] = ()
    uplink: int | None = None
    qos: QosPolicy | None = None
    can_limit: bool = True
    uplink_nic: UplinkNic | None = None

    @property
    def shares(self) -> bool:
        """Whether what is for its addresses may be for other ports as well, whose rules may say otherwise."""
        port = self.port
        return port.port_security_enabled and bool(port.allowed_address_pairs or is_multicast(port.mac_address))

    @property
    def number(self) -> int:
        """As a logical port."""
        return logical_port(self.ofport, self.tag, guarded=self.port.port_security_enabled)


class Lease(Struct, frozen=True, kw_only=True):
    """What DHCP tells a port here.  number: the logical port that its requests come from, and answers go to.
    subnets: all of its network's."""

    number: int
    port: Port
    mtu: int
    subnets: tuple[Subnet, ...]


class Advertised(Struct, frozen=True, kw_only=True):
    """What routers say to a port here.  number: the logical port that it is said to."""

    number: int
    network_id: str
    routers: tuple[Advertisement, ...]


FOR_EVER = 2**32 - 1


class DhcpSettings(Struct, frozen=True, kw_only=True):
    """What DHCP tells every port.  lease_seconds: FOR_EVER at most.  domain: empty for none."""

    lease_seconds: int = 86400
    domain: str = ""


class RemotePort(Struct, frozen=True, kw_only=True):
    """A port on another node.  tunnel: that node's end point; None when it cannot be reached."""

    peer: Peer
    network: LocalNetwork
    tunnel: Prefix | None


class Interface(Struct, frozen=True, kw_only=True):
    """A router's interface on a network that is wired here.  on_link: prefixes of the subnets it has addresses in."""

    port: RouterPort
    network: LocalNetwork
    on_link: tuple[Prefix, ...]

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
    beside: floating IPs that share its MAC.  forwarded: where ports of other floating IPs lead.
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
    def asked_for(self) -> list[int]:
        """By whoever is about to take it: the first of its IPv4 addresses, if it has any."""
        return [] if self.snat_address is None else [self.snat_address]

    def own(self, version: int) -> list[int]:
        """What it is asked for on the external network: its addresses, others with its MAC, in IPv6 the link-local
        one."""
        found = {one.value for one in self.addresses if one.version == version}
        if version == 4:
            return sorted({*found, *self.beside, *(one.outside for one in self.forwarded)})
        return sorted({*found, link_local(mac(self.port.mac_address))} if found else ())


class LocalFloatingIp(Struct, frozen=True, kw_only=True):
    """A floating IP that is translated here.  end: on the external network it is one more gateway, with that address
    alone.  gateway_id: the port of the gateway that it belongs to, wherever that is.  fixed: the address that it stands
    for.  own_mac: whether it has one that nobody shares."""

    end: Gateway
    gateway_id: str
    address: int
    fixed: int
    own_mac: bool
    qos_policy_id: str | None = None

    @property
    def id(self) -> str:
        return self.end.port.id


class Limited(Struct, frozen=True, kw_only=True):
    """An external address of a router's that is translated here and has a QoS policy: a floating IP, or the gateway's.
    id: the floating IP's, or the gateway's port's."""

    id: str
    address: int
    mtu: int
    policy: QosPolicy


class LocalForwarding(Struct, frozen=True, kw_only=True):
    """A forwarding of a router whose gateway is on this node.  router: the router's number here.  zone: the gateway's.
    vlan: the external network's here.
    snat: whether what comes from inside by itself gets the gateway's address.
    mac, hop: the gateway's, and its IPv4 next hop (None: it has none).  others: MACs of the router's gateways on other
    networks, by which routes may lead to who has asked."""

    forwarding: PortForwarding
    router: int
    zone: int
    vlan: int
    snat: bool
    mac: str = ""
    hop: Prefix | None = None
    others: tuple[str, ...] = ()


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
    floating_ips: those that are here.
    checks_length: whether the datapath can tell how long a packet is.  can_limit: whether it has meters.
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
    ways: tuple[WayToGateway, ...] = ()
    leads_to: str = ""
    checks_length: bool = True
    can_limit: bool = True
    out_of_reach: tuple[Prefix, ...] = ()
    limited: tuple[Limited, ...] = ()
    labels: tuple[LocalLabel, ...] = ()

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """Those that are here."""
        return (self.gateway, *self.more) if self.gateway else ()

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
        """That it leads to from here."""
        return [*(one.network for one in self.interfaces), *(one.network for one in self.exits)]

    @property
    def ends(self) -> list[Gateway]:
        """On the external networks, here: who is asked for there, and asks."""
        return [*self.gateways, *(one.end for one in self.floating_ips if one.own_mac)]


class Member(Struct, frozen=True):
    """A port here that frames are flooded to.  number: the logical port.  macs: those besides its own that its
    allowed address pairs name, as text."""

    number: int
    macs: tuple[str, ...] = ()


class Flood(Struct, frozen=True):
    """Where a network's frames go whose destination is no port's own MAC: logical ports, tunnel end points; sorted.

    ports: all here, for multicast and broadcast.  unguarded: those here that may have any MAC.
    shared: a MAC that address pairs here name -> the guarded ports that may have it.
    paired: addresses that allowed address pairs name, here or elsewhere: more than one port may have them.
    paired_macs: those of them that can have one MAC only, with it.
    domain: tunnel end points of all nodes that route into it, where these are more."""

    ports: tuple[int, ...] = ()
    tunnels: tuple[Prefix, ...] = ()
    unguarded: tuple[int, ...] = ()
    shared: dict[int, tuple[int, ...]] = {}
    paired: tuple[Prefix, ...] = ()
    paired_macs: tuple[tuple[Prefix, str], ...] = ()
    domain: tuple[Prefix, ...] = ()


Wanted: TypeAlias = (
    BridgeFlow
    | BridgeRow
    | PortRow
    | VifTag
    | VethPair
    | Address
    | Endpoint
    | Lease
    | Advertised
    | DropMeter
    | Guarantee
)


def _nothing(*_: object) -> Iterable[Wanted]:
    return ()


@dataclass(frozen=True, slots=True)
class Service:
    """One feature: what it wants for the node, for each network, for each port here, for each peer elsewhere, for each
    security group of a port here, for each remote address that such groups' rules name, for each router, and for each
    forwarding of one whose gateway is here."""

    name: str
    host: Callable[[HostFacts, Uplinks], Iterable[Wanted]] = _nothing
    network: Callable[[Uplinks, LocalNetwork, Flood], Iterable[Wanted]] = _nothing
    port: Callable[[LocalPort], Iterable[Wanted]] = _nothing
    peer: Callable[[Uplinks, RemotePort], Iterable[Wanted]] = _nothing
    group: Callable[[LocalGroup], Iterable[Wanted]] = _nothing
    remote: Callable[[RemoteAddress], Iterable[Wanted]] = _nothing
    router: Callable[[Uplinks, LocalRouter], Iterable[Wanted]] = _nothing
    forwarding: Callable[[LocalForwarding], Iterable[Wanted]] = _nothing
