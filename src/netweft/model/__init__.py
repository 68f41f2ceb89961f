"""What the server and the agents talk about: frozen structs with Neutron's field names.  Imports nothing of ours.

These structs are the wire format too.  They hold what a *node* needs, not the whole API resource.
"""

from netweft.model.connections import MovedConnections, Tracked
from netweft.model.firewall import AddressGroup, GroupMember, SecurityGroup, SecurityGroupRule
from netweft.model.fwaas import FirewallGroup, FirewallLog, FirewallPolicy, FirewallRule
from netweft.model.load_balancer import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool, VipPort
from netweft.model.metering import MeteringLabel
from netweft.model.network import FixedIp, HostRoute, Network, Segment, Subnet
from netweft.model.node import Neighbour, Node, NodeFacts
from netweft.model.port import AddressPair, ExtraDhcpOpt, NamedPort, Peer, Port, SubPort, Trunk
from netweft.model.proxy import Proxy
from netweft.model.qos import BandwidthLimit, MinimumBandwidth, PacketRateLimit, QosPolicy, qos_policy_id
from netweft.model.router import (
    ConntrackHelper,
    FloatingAddress,
    FloatingIp,
    GatewayPort,
    PortForwarding,
    Router,
    RouterPort,
)
from netweft.model.status import PortState, PortStatus
from netweft.model.view import EMPTY_VIEW, FIRST_KINDS, KINDS, Key, Kind, NodeView, Object, key_of, kind_of, view_of

__all__ = [
    "EMPTY_VIEW",
    "FIRST_KINDS",
    "KINDS",
    "AddressGroup",
    "AddressPair",
    "BandwidthLimit",
    "ConntrackHelper",
    "ExtraDhcpOpt",
    "FirewallGroup",
    "FirewallLog",
    "FirewallPolicy",
    "FirewallRule",
    "FixedIp",
    "FloatingAddress",
    "FloatingIp",
    "GatewayPort",
    "GroupMember",
    "HealthMonitor",
    "HostRoute",
    "Key",
    "Kind",
    "L7Policy",
    "L7Rule",
    "Listener",
    "LoadBalancer",
    "Member",
    "MeteringLabel",
    "MinimumBandwidth",
    "MovedConnections",
    "NamedPort",
    "Neighbour",
    "Network",
    "Node",
    "NodeFacts",
    "NodeView",
    "Object",
    "PacketRateLimit",
    "Peer",
    "Pool",
    "Port",
    "PortForwarding",
    "PortState",
    "PortStatus",
    "Proxy",
    "QosPolicy",
    "Router",
    "RouterPort",
    "SecurityGroup",
    "SecurityGroupRule",
    "Segment",
    "SubPort",
    "Subnet",
    "Tracked",
    "Trunk",
    "VipPort",
    "key_of",
    "kind_of",
    "qos_policy_id",
    "view_of",
]
