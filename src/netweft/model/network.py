"""Networks, their segments and subnets, as a node sees them."""

from msgspec import Struct, field

NAT66 = "netweft:nat66"


class Segment(Struct, frozen=True, omit_defaults=True):
    """One layer 2 segment: where a network's frames travel outside the hypervisor.

    network_type: `local`, `flat`, `vlan`, `vxlan`, `gre`, `geneve` or `stt`.
    segmentation_id: VLAN id (1..4094) or tunnel key (VNI); None for `local` and `flat`.
    """

    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None


class Network(Struct, frozen=True, kw_only=True, tag="network", omit_defaults=True):
    """A network that has a port on this node.

    segments: a node wires the network through the first of them that it can do.
    dns_domain: of its ports' names, with a dot at its end; empty: the node's.
    vlan_transparent: frames with VLAN tags of the VMs' own pass.
    nat66: of an external network: what leaves for it from unique local addresses gets the gateway's, where the router
    does SNAT.
    """

    id: str
    name: str = ""
    admin_state_up: bool = True
    mtu: int = 1500
    vlan_transparent: bool = False
    qos_policy_id: str | None = None
    segments: tuple[Segment, ...] = ()
    ipv4_address_scope: str | None = None
    ipv6_address_scope: str | None = None
    dns_domain: str = ""
    nat66: bool = field(default=False, name=NAT66)


class HostRoute(Struct, frozen=True):
    destination: str
    nexthop: str


class Subnet(Struct, frozen=True, kw_only=True, tag="subnet", omit_defaults=True):
    """ipv6_*_mode: `dhcpv6-stateful`, `dhcpv6-stateless`, `slaac` or None."""

    id: str
    network_id: str
    ip_version: int
    cidr: str
    gateway_ip: str | None = None
    enable_dhcp: bool = True
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[HostRoute, ...] = ()
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None


class FixedIp(Struct, frozen=True):
    subnet_id: str
    ip_address: str
