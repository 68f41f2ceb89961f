"""Ports: the ones plugged in here, and their peers on other nodes."""

from msgspec import Struct, field

from netweft.model.network import FixedIp


class AddressPair(Struct, frozen=True):
    """Neutron's allowed address pair: further addresses (an IP or a CIDR) a port may send from."""

    ip_address: str
    mac_address: str


class Port(Struct, frozen=True, kw_only=True, tag="port", omit_defaults=True):
    """A port bound to this node; it is wired once an Interface with its id appears on `br-int`."""

    id: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    admin_state_up: bool = True
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    security_groups: tuple[str, ...] = ()
    host_id: str = field(default="", name="binding:host_id")


class Peer(Struct, frozen=True, kw_only=True, tag="peer", omit_defaults=True):
    """A port bound to another node, on a network that this node has: where its frames go, and who answers ARP.

    No more than that leaves the server: names and owners stay with the nodes that run the port.
    """

    id: str
    network_id: str
    mac_address: str
    ip_addresses: tuple[str, ...] = ()
    host_id: str = field(default="", name="binding:host_id")
