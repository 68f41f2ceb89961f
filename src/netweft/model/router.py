"""Routers and their interfaces, as a node that routes for them sees them."""

from msgspec import Struct, field

from netweft.model.fwaas import FIREWALL_GROUP
from netweft.model.network import FixedIp, HostRoute

# the device_owner of a router's ports: of its interfaces, and of the one on the external network
INTERFACE_OWNER, GATEWAY_OWNER = "network:router_interface", "network:router_gateway"
HELPERS = "netweft:conntrack_helpers"  # kept on a router's row: shown as a resource of its own
ANSWERS_ON = "netweft:answers_on"  # kept on an interface on a provider network: the host that answers there
ANSWERS_HOSTS = "netweft:answers_hosts"  # kept likewise: that host, then those that take over
# kept on a router's row: the port that is its gateway; its further gateways' ports, in order
GATEWAY_PORT, EXTRA = "netweft:gateway_port", "netweft:extra_gateways"
ADDRESS_MAC = "netweft:mac_address"  # kept on a floating IP: of the port that holds its address
LED_ON = "netweft:led_on"  # kept on a floating IP: the only host that may have it, of its ports; "*": several, or none
LED = "netweft:led"  # kept on a floating IP: how often it has been led elsewhere
NETWORKS = "netweft:networks"  # kept on a router's row: the ids of the networks that it has interfaces on
GATEWAY_HOSTS = "netweft:gateway_hosts"  # kept on a gateway's port: who has it, then who takes over


class ConntrackHelper(Struct, frozen=True):
    """Whose connections to a port conntrack reads along.  helper: its name; protocol: `tcp` or `udp`."""

    helper: str
    protocol: str
    port: int


class Router(Struct, frozen=True, kw_only=True, tag="router", omit_defaults=True):
    """A router with an interface on a network of this node, or on one that such a router has a route to.

    routes: those that its owner added (extra routes); the connected ones follow from its interfaces.
    enable_snat: whether what it sends to the external network gets the gateway's address.
    helpers: of conntrack, for its NAT.
    first_gateway, extra_gateways: their ports, in their order.
    ecmp: whether all of them lead out, or the first only.  bfd: whether their next hops are watched by BFD.
    """

    id: str
    name: str = ""
    project_id: str = ""
    admin_state_up: bool = True
    routes: tuple[HostRoute, ...] = ()
    enable_snat: bool = True
    qos_policy_id: str | None = None  # of what gets the gateway's address
    helpers: tuple[ConntrackHelper, ...] = field(default=(), name=HELPERS)
    first_gateway: str | None = field(default=None, name=GATEWAY_PORT)
    extra_gateways: tuple[str, ...] = field(default=(), name=EXTRA)
    ecmp: bool | None = field(default=None, name="enable_default_route_ecmp")
    bfd: bool | None = field(default=None, name="enable_default_route_bfd")


class RouterPort(Struct, frozen=True, kw_only=True, tag="router_port", omit_defaults=True):
    """A router's interface on a network that this node has: it is bound nowhere, since every node routes for itself.

    answers_on: the node that answers physical hosts for it, on a provider network; hosts: that one, then those that
    take over when it is gone, in this order."""

    id: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    admin_state_up: bool = True
    router_id: str = field(default="", name="device_id")
    answers_on: str = field(default="", name=ANSWERS_ON)
    hosts: tuple[str, ...] = field(default=(), name=ANSWERS_HOSTS)
    firewall_group_id: str | None = field(default=None, name=FIREWALL_GROUP)

    @property
    def order(self) -> tuple[str, ...]:
        """Also as a server that knows one host only says it."""
        return self.hosts or ((self.answers_on,) if self.answers_on else ())


class GatewayPort(Struct, frozen=True, kw_only=True, tag="gateway_port", omit_defaults=True):
    """A router's port on the external network: it is bound to the node through which the router's traffic leaves.

    hosts: that node, then those that take over when it is gone, in this order."""

    id: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    router_id: str = field(default="", name="device_id")
    host_id: str = field(default="", name="binding:host_id")
    hosts: tuple[str, ...] = field(default=(), name=GATEWAY_HOSTS)

    @property
    def order(self) -> tuple[str, ...]:
        """Also as a server that knows one host only says it."""
        return self.hosts or ((self.host_id,) if self.host_id else ())


class FloatingAddress(Struct, frozen=True, kw_only=True, tag="floating_address", omit_defaults=True):
    """That a floating IP, associated or not, has this address of a network that a port of this node is on, and this
    MAC (empty where the server is older than it is)."""

    id: str
    floating_network_id: str
    floating_ip_address: str
    mac_address: str = field(default="", name=ADDRESS_MAC)


class PortForwarding(Struct, frozen=True, kw_only=True, tag="port_forwarding", omit_defaults=True):
    """Ports of a floating IP that lead to ports of an address inside, in order or all to one.

    protocol: its number."""

    id: str
    floating_network_id: str
    floating_ip_address: str
    internal_ip_address: str
    protocol: int
    external_first: int
    external_last: int
    internal_first: int
    internal_last: int
    router_id: str = field(default="", name="device_id")


class FloatingIp(Struct, frozen=True, kw_only=True, tag="floating_ip", omit_defaults=True):
    """An address of the external network that stands for a port's, by a router.

    fixed_ip_address: the port's; empty where only ports of it are forwarded.
    port_id: whose; mac_address: of the address' own port.  Empty where the server is older than they are.
    distributed: whether it may be with its VM.
    led_on: the host of its VM, if it was associated with no port elsewhere, or that host has had it alone since: nobody
    else can have it.  led: how often it was associated anew."""

    id: str
    router_id: str
    floating_network_id: str
    floating_ip_address: str
    fixed_ip_address: str = ""
    port_id: str = ""
    mac_address: str = field(default="", name=ADDRESS_MAC)
    distributed: bool = True
    qos_policy_id: str | None = None
    led_on: str = field(default="", name=LED_ON)
    led: int = field(default=0, name=LED)
