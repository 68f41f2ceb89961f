"""What services work on: a node, its networks, ports and groups, as values.

`wiring` builds them from the view and from what was observed.  A router's are in `l3/values`.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from netweft.dataplane.packets.router_advert import Advertisement
from netweft.model import (
    FirewallRule,
    Network,
    Peer,
    Port,
    QosPolicy,
    RouterPort,
    SecurityGroup,
    Segment,
    Subnet,
)
from netweft.services.addresses import Prefix, is_multicast
from netweft.services.fields import logical_port

BY_OVS = ("vxlan", "gre", "geneve")  # types of tunnels that Open vSwitch makes itself
TUNNELLED = (*BY_OVS, "stt")
PHYSICAL = ("flat", "vlan")
TUNNEL = "tunnel"  # the underlay, where it stands beside physical networks


class Bandwidth(Struct, frozen=True):
    """A NIC, and how much it can send, in kbit/s."""

    interface: str
    kbps: int


class HostFacts(Struct, frozen=True, kw_only=True):
    """This node: what its settings say.  Names and choices, nothing that changes while the agent runs.

    bridge_mappings: physical network -> the operator's bridge to it.
    name: the node's, as its peers know it.
    dscp, dscp_inherit: of tunnels' outer headers.
    uplink_bandwidths: physical network, or `tunnel` -> the NIC by which its frames leave the node.
    metadata: whether VMs' requests for it are answered here.  dns: whether names are, which they ask there, too.
    domain: of names in networks without one of their own; may be empty.
    bfd_interval: ms, to nodes that may have to take over gateways; three of silence are an end."""

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
    dns: bool = True
    domain: str = ""
    bfd_interval: int = 70


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
    tunnel_bridge: its name.
    routed: whether routers lead to networks that are here.
    keep: the kind of link that is not wanted any more, and that frames still use.
    vlan_limit: how many tags of a frame Open vSwitch looks at; 0: as many as it can, which are two.
    offloads: whether large frames are taken whole, and without checksums, as the kernel's datapath does."""

    tun: Link = Link()
    physical: dict[str, Link] = {}
    overlays: dict[str, int | None] = {}
    metadata: int | None = None
    problems: dict[str, str] = {}
    tunnel_bridge: str = "br-tun"
    routed: bool = False
    keep: str = ""
    vlan_limit: int = 1
    offloads: bool = False


class LocalNetwork(Struct, frozen=True, kw_only=True):
    """A network that is wired here, through one of its segments.  dhcp: IP versions in which DHCP is answered in it.
    firewalled: whether a router's port on it is in a firewall group.
    routed: whether a router has an interface on it.  advertised: whether one may have to advertise itself.
    balanced: whether a load balancer has its VIP on it.
    answered: it is routed, and hosts may be on it that no agent stands before, on its wire or behind a VTEP: one node
    answers them for its routers.
    names: whether the node answers for names in it.  domain: of these, without a dot at its end; may be empty.
    unsure: it is routed, and hosts may be in it that the database does not know, or not surely, or that are
    probed.
    can_limit: whether the datapath has meters.  discovery: whether it can turn a solicitation into its answer, for a
    router's addresses."""

    network: Network
    vlan: int
    segment: Segment
    dhcp: tuple[int, ...] = ()
    routed: bool = False
    advertised: bool = False
    unsure: bool = False
    answered: bool = False
    firewalled: bool = False
    can_limit: bool = True
    discovery: bool = False
    balanced: bool = False
    names: bool = False
    domain: str = ""

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


SOURCE, DESTINATION = "source", "destination"


class AddressEnd(NamedTuple):
    """That a packet's source, or its destination, is in an address group."""

    group: str
    end: str


class PolicyCall(Struct, frozen=True):
    """A firewall policy as it is evaluated.  number: its own here.  sets: those of the address groups and ends that its
    rules name, in its order (`address_sets`)."""

    number: int
    sets: tuple[int, ...] = ()


class Firewall(Struct, frozen=True, kw_only=True):
    """What a firewall group says of a port.  None: nothing passes that way, but answers.
    port_id: of which events of its are logged, if any are."""

    ingress: PolicyCall | None = None
    egress: PolicyCall | None = None
    port_id: str = ""
    events: tuple[str, ...] = ()

    @property
    def calls(self) -> tuple[PolicyCall, ...]:
        return tuple(call for call in (self.ingress, self.egress) if call)


class PolicyRule(Struct, frozen=True, kw_only=True):
    """A rule of a firewall policy that is in use here.  policy: its number.  place: the rule's in it.
    rule: None: not known here yet.  sets: what the policy's rules name, in its order, where this one names any."""

    policy: int
    place: int
    rule: FirewallRule | None = None
    sets: tuple[AddressEnd, ...] = ()


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
    ingress, egress: the sets' numbers, sorted, where they are named by rules of that direction.
    sources, destinations: likewise by firewalls' rules, for that end."""

    address: str
    mac: str = ""
    ingress: tuple[int, ...] = ()
    egress: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()
    destinations: tuple[int, ...] = ()


class UplinkNic(Struct, frozen=True):
    """The NIC by which a network's frames leave the node.  mac_offset: where a VM's MAC stands in them then.
    problem: why nothing can be guaranteed there; empty when it can."""

    interface: str
    mac_offset: int
    problem: str = ""


class Asked(StrEnum):
    """What the agent answers; and of WHOLE, what it has conntrack do."""

    DHCP = "dhcp"
    NEIGHBOUR = "neighbour discovery"
    ERROR = "routes"
    NEXT_HOP = "next hops"
    ROUTER = "routers"
    METADATA = "metadata"
    DNS = "names"
    FLOATING_ERROR = "errors by floating IPs"
    NAT66_ERROR = "errors about what NAT66 has translated"
    PIECES = "fragments from and to forwarded ports"
    VIP_PIECES = "fragments to VIPs"
    REJECTION = "firewalls' rejections"
    LOG = "firewalls' logs"
    TAKEOVER = "gateways that others may have"
    WHOLE = "datagrams to be put together"


class LocalPort(Struct, frozen=True, kw_only=True):
    """A port that is plugged in here and can be wired.

    tag: of a trunk's sub-port, which its frames have on the interface; 0 when that is its own.
    carried: (local VLAN, network) of the sub-ports that use this port's interface.
    uplink: the logical port by which the network leaves the node.
    groups: its security groups, as far as they are known here.  group_events: which of their verdicts are logged.
    firewall: what its firewall group says; None where it is in none.
    router_firewalls: of routers' ports on its network.
    deaf_to: services that it has flooded, and that ignore it for a while.
    subnets: all of its network's.
    routers: interfaces on its network, with IPv6 addresses, of routers that are up.
    qos: its QoS policy, or its network's.  frame: the largest that it may send, in bytes, where it has one.
    can_limit: whether the datapath has meters.
    uplink_nic: None when the settings name none."""

    port: Port
    network: LocalNetwork
    port_name: str
    ofport: int
    tag: int = 0
    groups: tuple[PortGroup, ...] = ()
    group_events: tuple[str, ...] = ()
    firewall: Firewall | None = None
    router_firewalls: tuple[Firewall, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    routers: tuple[RouterPort, ...] = ()
    deaf_to: frozenset[Asked] = frozenset()
    carried: tuple[tuple[int, str], ...] = ()
    uplink: int | None = None
    qos: QosPolicy | None = None
    frame: int = 0
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
        return logical_port(self.ofport, self.tag, guarded=self.port.port_security_enabled, tracked=self.is_firewalled)

    @property
    def is_tracked(self) -> bool:
        return self.port.port_security_enabled or self.is_firewalled

    @property
    def is_firewalled(self) -> bool:
        """By its own group, or by that of a router's port on its network."""
        return is_firewalled(self.port, firewalled_network=self.network.firewalled)


def is_firewalled(port: Port, *, firewalled_network: bool) -> bool:
    return firewalled_network or port.firewall_group_id is not None


class Lease(Struct, frozen=True, kw_only=True):
    """What DHCP gives a port here.  number: the logical port that its requests come from, and answers go to.
    subnets: all of its network's.  domain: its network's, without a dot at its end; empty: the node's."""

    number: int
    port: Port
    mtu: int
    domain: str = ""
    subnets: tuple[Subnet, ...]


class Advertised(Struct, frozen=True, kw_only=True):
    """What routers say to a port here.  number: the logical port that it is said to."""

    number: int
    network_id: str
    routers: tuple[Advertisement, ...]


FOR_EVER = 2**32 - 1


class DhcpSettings(Struct, frozen=True, kw_only=True):
    """What DHCP gives every port.  lease_seconds: FOR_EVER at most.  domain: empty for none.
    names: whether the node answers for names, where a subnet has no name servers."""

    lease_seconds: int = 86400
    domain: str = ""
    names: bool = False


class RemotePort(Struct, frozen=True, kw_only=True):
    """A port on another node.  tunnel: that node's end point; None when it cannot be reached.
    lease: of a machine behind a VTEP, where this node answers it."""

    peer: Peer
    network: LocalNetwork
    tunnel: Prefix | None
    lease: Lease | None = None


class Member(Struct, frozen=True):
    """A port here that frames are flooded to.  number: the logical port.  macs: those besides its own that its
    allowed address pairs name, as text.  firewalled: its copies are evaluated more often."""

    number: int
    macs: tuple[str, ...] = ()
    firewalled: bool = False


class Flood(Struct, frozen=True):
    """Where a network's frames go whose destination is no port's own MAC: logical ports, tunnel end points; sorted.

    ports: all here, for multicast and broadcast.  unguarded: those here that may have any MAC.
    shared: a MAC that address pairs here name -> the guarded ports that may have it.
    paired: addresses that allowed address pairs name, here or elsewhere: more than one port may have them.
    paired_macs: those of them that can have one MAC only, with it.
    domain: tunnel end points of all nodes that route into it, where these are more.
    firewalled: how many of the ports are behind firewalls."""

    ports: tuple[int, ...] = ()
    tunnels: tuple[Prefix, ...] = ()
    unguarded: tuple[int, ...] = ()
    shared: dict[int, tuple[int, ...]] = {}
    paired: tuple[Prefix, ...] = ()
    paired_macs: tuple[tuple[Prefix, str], ...] = ()
    domain: tuple[Prefix, ...] = ()
    firewalled: int = 0
