"""Routers and their interfaces, as a node that routes for them sees them."""

from msgspec import Struct, field

from netweft.model.network import FixedIp, HostRoute

INTERFACE_OWNER = "network:router_interface"  # the device_owner of an interface's port
NETWORKS = "netweft:networks"  # kept on a router's row: the ids of the networks that it has interfaces on


class Router(Struct, frozen=True, kw_only=True, tag="router", omit_defaults=True):
    """A router with an interface on a network of this node, or on one that such a router leads to.

    routes: those that its owner added (extra routes); the connected ones follow from its interfaces.
    """

    id: str
    name: str = ""
    admin_state_up: bool = True
    routes: tuple[HostRoute, ...] = ()


class RouterPort(Struct, frozen=True, kw_only=True, tag="router_port", omit_defaults=True):
    """A router's interface on a network that this node has: it is bound nowhere, since every node routes for itself."""

    id: str
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    admin_state_up: bool = True
    router_id: str = field(default="", name="device_id")
