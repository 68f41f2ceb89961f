"""All that one node should know, at one revision."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

from netweft.model.firewall import AddressGroup, GroupMember, SecurityGroup
from netweft.model.fwaas import FirewallGroup, FirewallLog, FirewallPolicy, FirewallRule
from netweft.model.load_balancer import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool, VipPort
from netweft.model.metering import MeteringLabel
from netweft.model.network import Network, Subnet
from netweft.model.node import Node
from netweft.model.port import NamedPort, Peer, Port, SubPort, Trunk
from netweft.model.proxy import Proxy
from netweft.model.qos import QosPolicy
from netweft.model.router import FloatingAddress, FloatingIp, GatewayPort, PortForwarding, Router, RouterPort

Object: TypeAlias = (
    Network
    | Subnet
    | Port
    | Peer
    | Node
    | Trunk
    | SecurityGroup
    | GroupMember
    | AddressGroup
    | QosPolicy
    | Router
    | RouterPort
    | GatewayPort
    | FloatingIp
    | FloatingAddress
    | PortForwarding
    | MeteringLabel
    | LoadBalancer
    | VipPort
    | Listener
    | Pool
    | Member
    | HealthMonitor
    | L7Policy
    | L7Rule
    | Proxy
    | FirewallGroup
    | FirewallPolicy
    | FirewallRule
    | FirewallLog
    | NamedPort
)
Kind: TypeAlias = Literal[
    "network",
    "subnet",
    "port",
    "peer",
    "node",
    "trunk",
    "security_group",
    "group_member",
    "address_group",
    "qos_policy",
    "router",
    "router_port",
    "gateway_port",
    "floating_ip",
    "floating_address",
    "port_forwarding",
    "metering_label",
    "load_balancer",
    "vip_port",
    "listener",
    "pool",
    "member",
    "health_monitor",
    "l7_policy",
    "l7_rule",
    "proxy",
    "firewall_group",
    "firewall_policy",
    "firewall_rule",
    "firewall_log",
    "named_port",
]
Key: TypeAlias = tuple[Kind, str]
KINDS: Final[frozenset[str]] = frozenset(get_args(Kind))
# what an agent knows that says nothing of kinds: it is of the time before layer 3
FIRST_KINDS: Final[frozenset[str]] = frozenset(
    {
        "network",
        "subnet",
        "port",
        "peer",
        "node",
        "trunk",
        "security_group",
        "group_member",
        "address_group",
        "qos_policy",
    }
)


def kind_of(obj: Object) -> Kind:
    """The struct's tag."""
    return obj.__struct_config__.tag  # type: ignore[return-value]


def key_of(obj: Object) -> Key:
    return (kind_of(obj), obj.name if isinstance(obj, Node) else obj.id)


class NodeView(Struct, frozen=True, kw_only=True):
    """What the feed has sent to a node so far.  A value: `merged` gives a new one.

    history: names the database's life; after a restore from a backup revisions start over under a new one.
    kinds: those that whoever made it knew; of others nothing is in it.
    """

    history: str = ""
    revision: int = 0
    kinds: frozenset[str] = FIRST_KINDS
    networks: dict[str, Network] = {}
    subnets: dict[str, Subnet] = {}
    ports: dict[str, Port] = {}
    peers: dict[str, Peer] = {}
    nodes: dict[str, Node] = {}
    trunks: dict[str, Trunk] = {}
    security_groups: dict[str, SecurityGroup] = {}
    group_members: dict[str, GroupMember] = {}
    address_groups: dict[str, AddressGroup] = {}
    qos_policies: dict[str, QosPolicy] = {}
    routers: dict[str, Router] = {}
    router_ports: dict[str, RouterPort] = {}
    gateway_ports: dict[str, GatewayPort] = {}
    floating_ips: dict[str, FloatingIp] = {}
    floating_addresses: dict[str, FloatingAddress] = {}
    port_forwardings: dict[str, PortForwarding] = {}
    metering_labels: dict[str, MeteringLabel] = {}
    load_balancers: dict[str, LoadBalancer] = {}
    vip_ports: dict[str, VipPort] = {}
    listeners: dict[str, Listener] = {}
    pools: dict[str, Pool] = {}
    members: dict[str, Member] = {}
    health_monitors: dict[str, HealthMonitor] = {}
    l7_policies: dict[str, L7Policy] = {}
    l7_rules: dict[str, L7Rule] = {}
    proxies: dict[str, Proxy] = {}
    firewall_groups: dict[str, FirewallGroup] = {}
    firewall_policies: dict[str, FirewallPolicy] = {}
    firewall_rules: dict[str, FirewallRule] = {}
    firewall_logs: dict[str, FirewallLog] = {}
    named_ports: dict[str, NamedPort] = {}

    def get(self, key: Key) -> Object | None:
        kind, id = key
        found: Object | None = getattr(self, _FIELDS[kind]).get(id)
        return found

    def objects(self) -> Iterator[Object]:
        for field in _FIELDS.values():
            yield from getattr(self, field).values()

    def sub_ports(self) -> dict[str, tuple[Trunk, SubPort]]:
        """sub-port's id -> the trunk it belongs to, and its place there."""
        return {sub.port_id: (trunk, sub) for trunk in self.trunks.values() for sub in trunk.sub_ports}

    def merged(self, revision: int, upserts: Iterable[Object], deletes: Iterable[Key]) -> "NodeView":
        """Deletes first; a key that is not there is no error.  Kinds that stay as they are, are shared."""
        fields: dict[str, dict[str, Any]] = {}

        def writable(kind: Kind) -> dict[str, Any]:
            field = _FIELDS[kind]
            if field not in fields:
                fields[field] = dict(getattr(self, field))
            return fields[field]

        for kind, id in deletes:
            writable(kind).pop(id, None)
        for obj in upserts:
            kind, id = key_of(obj)
            writable(kind)[id] = obj
        return msgspec.structs.replace(self, revision=revision, **fields)


_FIELDS: dict[Kind, str] = {
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "peer": "peers",
    "node": "nodes",
    "trunk": "trunks",
    "security_group": "security_groups",
    "group_member": "group_members",
    "address_group": "address_groups",
    "qos_policy": "qos_policies",
    "router": "routers",
    "router_port": "router_ports",
    "gateway_port": "gateway_ports",
    "floating_ip": "floating_ips",
    "floating_address": "floating_addresses",
    "port_forwarding": "port_forwardings",
    "metering_label": "metering_labels",
    "load_balancer": "load_balancers",
    "vip_port": "vip_ports",
    "listener": "listeners",
    "pool": "pools",
    "member": "members",
    "health_monitor": "health_monitors",
    "l7_policy": "l7_policies",
    "l7_rule": "l7_rules",
    "proxy": "proxies",
    "firewall_group": "firewall_groups",
    "firewall_policy": "firewall_policies",
    "firewall_rule": "firewall_rules",
    "firewall_log": "firewall_logs",
    "named_port": "named_ports",
}
EMPTY_VIEW = NodeView(kinds=KINDS)


def view_of(history: str, revision: int, objects: Iterable[Object]) -> NodeView:
    return NodeView(history=history, kinds=KINDS).merged(revision, objects, ())
