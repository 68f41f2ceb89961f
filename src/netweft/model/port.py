"""Ports: the ones plugged in here, and their peers on other nodes."""

from typing import Final

from msgspec import Struct, field

from netweft.model.connections import LEFT, MOVED, MovedConnections
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.model.network import FixedIp

AHEAD: Final = "netweft:ahead"  # kept on ports' rows: the bindings that are not active


class AddressPair(Struct, frozen=True):
    """Neutron's allowed address pair: further addresses (an IP or a CIDR) a port may send from."""

    ip_address: str
    mac_address: str


class ExtraDhcpOpt(Struct, frozen=True, omit_defaults=True):
    """opt_name: as dnsmasq calls it, or its number.  opt_value: an empty one leaves the option out."""

    opt_name: str
    opt_value: str
    ip_version: int = 4


class Port(Struct, frozen=True, kw_only=True, tag="port", omit_defaults=True):
    """A port bound to this node; it is wired once an Interface with its id appears on `br-int`.

    A trunk's sub-port has no Interface of its own: it is wired with the trunk's port (see Trunk).
    active: False for a binding that is not active yet: another node runs the port, which may move here soon.
    moved: what it was connected to where it came from; None again once its node has taken that up.
    left: whether it was on another node not long before it came to this one.
    """

    id: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    admin_state_up: bool = True
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    security_groups: tuple[str, ...] = ()
    qos_policy_id: str | None = None
    extra_dhcp_opts: tuple[ExtraDhcpOpt, ...] = ()
    device_owner: str = ""
    dns_name: str = ""
    dns_domain: str = ""
    active: bool = True
    host_id: str = field(default="", name="binding:host_id")
    firewall_group_id: str | None = field(default=None, name=FIREWALL_GROUP)
    moved: MovedConnections | None = field(default=None, name=MOVED)
    left: bool = field(default=False, name=LEFT)


class Peer(Struct, frozen=True, kw_only=True, tag="peer", omit_defaults=True):
    """A port bound to another node, on a network that this node has: where its frames go, which ARP and ND requests it
    may get, and whose connections end with it.

    No more than that leaves the server: owners stay with the nodes that run the port.
    dns_name, dns_domain: as its network's other ports may look it up; empty: it has none.
    is_gateway: a router's, which is plugged in nowhere.
    """

    id: str
    network_id: str
    mac_address: str
    ip_addresses: tuple[str, ...] = ()
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    host_id: str = field(default="", name="binding:host_id")
    is_gateway: bool = False
    dns_name: str = ""
    dns_domain: str = ""


class NamedPort(Struct, frozen=True, kw_only=True, tag="named_port", omit_defaults=True):
    """A port that is bound to no node and has a name: a load balancer's VIP, an address that VMs share."""

    id: str
    network_id: str
    ip_addresses: tuple[str, ...] = ()
    dns_name: str = ""
    dns_domain: str = ""


class SubPort(Struct, frozen=True):
    """segmentation_id: the VLAN tag with which the VM sends and receives this port's frames."""

    port_id: str
    segmentation_id: int


class Trunk(Struct, frozen=True, kw_only=True, tag="trunk", omit_defaults=True):
    """port_id: the port that is plugged in; the sub-ports' frames use its interface.  All of them are Ports here."""

    id: str
    port_id: str
    admin_state_up: bool = True
    sub_ports: tuple[SubPort, ...] = ()
