"""The table of codes: what a finding means, and the command that mends it.  docs/codes.md is generated from it.

A code never changes its meaning.  {words} of a fix are filled in; a fix by an admin may name hosts, no other one may.
"""

from netweft.findings import Code as Code
from netweft.findings import known, operators

_RESTART = "systemctl restart netweft-agent  # on {host}"
_LOG = "journalctl -u netweft-agent  # on {host}"
_WHO = "ovs-appctl dpctl/dump-conntrack  # on {host}: who has them; or more by conntrack_zone_limit in netweft.toml"
_ANY_RULE = "openstack security group rule create --{direction} --protocol tcp --dst-port 22 {group}"

PORT_ADMIN_DOWN = Code("port-admin-down", "The port is switched off.", "openstack port set --enable {id}")
PORT_NOT_BOUND = Code(
    "port-not-bound",
    "The port is on no hypervisor: no server uses it, or its server has not been started since.",
    "openstack server add port SERVER {id}",
)
PORT_TRUNK_NOT_BOUND = Code(
    "port-trunk-not-bound",
    "The port is a sub-port, and the trunk's own port is on no hypervisor.",
    "openstack server add port SERVER {parent}",
)
PORT_TRUNK_ADMIN_DOWN = Code(
    "port-trunk-admin-down",
    "The port is a sub-port of a trunk that is switched off.",
    "openstack network trunk set --enable {trunk}",
)
PORT_HOST_UNKNOWN = operators(
    "port-host-unknown",
    "The port is bound to a host from which no agent has ever connected.",
    "netweft node add {host}  # then start netweft-agent there with that token",
)
PORT_NO_SEGMENT = operators(
    "port-no-segment",
    "The port's host is not connected to what carries the port's network.",
    "netweft agent show  # on {host}: add the physical network to bridge_mappings, or set tunnel_ip; restart the agent",
)
PORT_BINDING_FAILED = operators(
    "port-binding-failed",
    "The port could not be bound to its host when that was tried last.",
    "openstack port set --host {host} {id}",
)
PORT_HOST_DEAD = operators("port-host-dead", "The agent of the port's host does not answer.", _RESTART)
PORT_HOST_BEHIND = operators(
    "port-host-behind", "Changes that the port's host needs have not been sent to it yet.", _LOG
)
PORT_NOT_PLUGGED = Code(
    "port-not-plugged",
    "The port's host sees no interface of it: the server is not running, or its interface lacks the port's id.",
    "openstack server start {device}",
)
PORT_NOT_WIRED = operators("port-not-wired", "The port's host reports that it cannot wire the port.", _LOG)
PORT_SWITCH_LACKS = operators(
    "port-switch-lacks-it",
    "A physical switch, or a controller, has not what the port needs there, and says why.",
    "netweft follower plan {follower}  # what it has to do yet; netweft follower list says how it is",
)
PORT_SWITCH_PENDING = operators(
    "port-switch-pending",
    "The port is a bare-metal one, and its switch has not reported yet that it has what the port needs.",
    "netweft follower list  # which of them does not keep up, and why",
)
PORT_HOST_PROBLEMS = operators(
    "port-host-problems",
    "The agent of the port's host reports that something is wrong with its host.",
    _LOG,
    blocks=False,
)
PORT_METADATA_DOWN = operators(
    "port-metadata-down",
    "VMs on the port's host get no metadata: the service there does not listen, or gets no answers for them.",
    "journalctl -u netweft-agent -u netweft-server",
    blocks=False,
)
PORT_NOTHING_IN = known("port-nothing-let-in", "No rule of the port's security groups lets anything in.", _ANY_RULE)
PORT_NOTHING_OUT = known("port-nothing-let-out", "No rule of the port's security groups lets anything out.", _ANY_RULE)
PORT_PAIR_TAKEN = known(
    "port-address-pair-taken",
    "An allowed address pair of the port is the address of another port that is in use on the network.",
    "openstack port unset --allowed-address ip-address={address},mac-address={mac} {id}",
)
PORT_NO_DHCP = known(
    "port-no-dhcp",
    "The subnet of one of the port's addresses has no DHCP: the server has to know the address by other means.",
    "openstack subnet set --dhcp {subnet}",
)
PORT_NO_METADATA = known(
    "port-no-metadata",
    "The port's host is OVN's, and no agent of ours runs there (driver = \"ovn\"): nothing answers at 169.254.169.254.",
    "openstack server create --use-config-drive --port {id} SERVER",
)
NETWORK_ADMIN_DOWN = Code("network-admin-down", "The network is switched off.", "openstack network set --enable {id}")
NETWORK_NO_HOST = operators(
    "network-no-host",
    "No hypervisor whose agent answers is connected to what carries the network.",
    "openstack network agent list  # add the physical network to a host's bridge_mappings, or set its tunnel_ip",
)
NETWORK_NO_SUBNET = known(
    "network-no-subnet",
    "The network has no subnet, so that its ports get no addresses.",
    "openstack subnet create --network {id} --subnet-range 10.0.0.0/24 NAME",
)
NETWORK_NO_DHCP = known(
    "network-no-dhcp", "A subnet of the network has no DHCP.", "openstack subnet set --dhcp {subnet}"
)
NETWORK_NO_ADDRESSES = known(
    "network-no-addresses",
    "All addresses of a subnet's allocation pools are in use: no new port gets one there.",
    "openstack subnet set --allocation-pool start=FIRST,end=LAST {subnet}",
)
NETWORK_CROWDED = operators(
    "network-too-many-connections",
    "A host tracks as many connections of the network as one may have there: new ones are refused.",
    _WHO,
)
NETWORK_QUOTA = operators(
    "network-ports-quota-full",
    "The project of the network has as many ports as its quota lets it have.",
    "openstack quota set --ports NUMBER {project}",
    blocks=False,
)
SUBNET_NO_DHCP = known("subnet-no-dhcp", "The subnet has no DHCP.", "openstack subnet set --dhcp {id}")
SUBNET_NO_ADDRESSES = known(
    "subnet-no-addresses",
    "All addresses of the subnet's allocation pools are in use: no new port gets one there.",
    "openstack subnet set --allocation-pool start=FIRST,end=LAST {id}",
)
SUBNET_NO_GATEWAY = known(
    "subnet-gateway-nobody",
    "No port has the address of the subnet's gateway: what servers send to other networks is lost.",
    "openstack router add subnet ROUTER {id}",
)
SUBNET_DNS_NOBODY = known(
    "subnet-dns-nobody",
    "A name server of the subnet has an address on its network that no port has: queries to it get no answer.",
    "openstack subnet unset --dns-nameserver {server} {id}",
)
SUBNET_NOT_ADVERTISED = known(
    "subnet-not-advertised",
    "Routers are to advertise the subnet, and none is on it: servers make themselves no addresses.",
    "openstack router add subnet ROUTER {id}",
)
TRUNK_ADMIN_DOWN = Code("trunk-admin-down", "The trunk is switched off.", "openstack network trunk set --enable {id}")
TRUNK_SUB_PORT_DOWN = Code("trunk-sub-port-down", "Not all sub-ports of the trunk are wired.", "netweft explain {port}")
TRUNK_SUB_PORT_MTU = known(
    "trunk-sub-port-mtu",
    "The network of a sub-port has a larger MTU than that of the trunk's port: its large frames are lost.",
    "openstack network set --mtu {mtu} {network}",
)
ROUTER_ADMIN_DOWN = Code("router-admin-down", "The router is switched off.", "openstack router set --enable {id}")
ROUTER_NO_INTERFACE = Code(
    "router-no-interface", "The router is on no subnet.", "openstack router add subnet {id} SUBNET"
)
ROUTER_INTERFACE_DOWN = Code(
    "router-interface-admin-down",
    "An interface of the router is switched off.",
    "openstack port set --enable {port}",
)
ROUTER_NO_GATEWAY = known(
    "router-no-gateway",
    "The router has no external gateway.",
    "openstack router set --external-gateway NETWORK {id}",
)
ROUTER_GATEWAY_NOWHERE = operators(
    "router-gateway-nowhere",
    "The router's gateway is on no hypervisor: none that is there is connected to the external network.",
    "openstack network agent list  # add the external network's physical network to a host's bridge_mappings",
)
ROUTER_GATEWAY_DEAD = operators(
    "router-gateway-host-dead", "The agent of the host that has the router's gateway does not answer.", _RESTART
)
ROUTER_GATEWAY_BEHIND = operators(
    "router-gateway-host-behind",
    "Changes that the host with the router's gateway needs have not been sent to it yet.",
    _LOG,
)
ROUTER_CROWDED = operators(
    "router-too-many-connections",
    "A host tracks as many connections by the router's gateway as one may have there: new ones by SNAT are refused.",
    _WHO,
)
FLOATING_NO_PORT = Code(
    "floatingip-no-port",
    "The floating IP is associated with no port, and has no port forwardings.",
    "openstack floating ip set --port PORT {id}",
)
FLOATING_NO_GATEWAY = Code(
    "floatingip-no-gateway",
    "The floating IP's router has no gateway on the floating IP's network.",
    "openstack router set --external-gateway {network} {router}",
)
FLOATING_NOT_ACTIVE = Code(
    "floatingip-not-active",
    "The floating IP is associated, its router's gateway is on a host, and still it is not ACTIVE.",
    "openstack floating ip set --port {port} {id}",
)
GROUP_NOTHING_IN = known("security-group-nothing-let-in", "No rule of the group lets anything in.", _ANY_RULE)
GROUP_NOTHING_OUT = known("security-group-nothing-let-out", "No rule of the group lets anything out.", _ANY_RULE)
GROUP_QUOTA = operators(
    "security-group-rules-quota-full",
    "The project of the group has as many security group rules as its quota lets it have.",
    "openstack quota set --secgroup-rules NUMBER {project}",
    blocks=False,
)
GROUP_UNUSED = known("security-group-unused", "No port has the group.", "openstack port set --security-group {id} PORT")
RULE_REMOTE_GROUP_UNUSED = known(
    "rule-remote-group-unused",
    "No port has the group that the rule names as the far end: the rule lets nothing pass.",
    "openstack port set --security-group {group} PORT",
)
RULE_ADDRESS_GROUP_EMPTY = known(
    "rule-address-group-empty",
    "The address group that the rule names as the far end has no addresses: the rule lets nothing pass.",
    "openstack address group set --address CIDR {group}",
)
ADDRESS_GROUP_EMPTY = known(
    "address-group-empty", "The address group has no addresses.", "openstack address group set --address CIDR {id}"
)
ADDRESS_GROUP_UNUSED = known(
    "address-group-unused",
    "No rule, of a security group or of a firewall, names the address group.",
    "openstack security group rule create --protocol tcp --dst-port 22 --remote-address-group {id} GROUP",
)
POLICY_NO_RULES = known(
    "policy-no-rules",
    "The QoS policy has no rules: it changes nothing.",
    "openstack network qos rule create --type bandwidth-limit --max-kbps NUMBER {id}",
)
POLICY_UNUSED = known("policy-unused", "Nothing has the QoS policy.", "openstack port set --qos-policy {id} PORT")
FIREWALL_ADMIN_DOWN = Code(
    "firewall-group-admin-down",
    "The firewall group is switched off: nothing passes its ports.",
    "openstack firewall group set --enable {id}",
)
FIREWALL_NOTHING_IN = known(
    "firewall-group-nothing-let-in",
    "The ingress policy of the firewall group allows nothing, or there is none: nothing comes in by its ports.",
    "openstack firewall group set --ingress-firewall-policy POLICY {id}",
)
FIREWALL_NOTHING_OUT = known(
    "firewall-group-nothing-let-out",
    "The egress policy of the firewall group allows nothing, or there is none: nothing goes out by its ports.",
    "openstack firewall group set --egress-firewall-policy POLICY {id}",
)
FIREWALL_NOT_ENFORCED = known(
    "firewall-group-not-enforced",
    "A back end does not enforce the firewall group on some of its ports.",
    "netweft follower list",
)
FIREWALL_NO_PORTS = known(
    "firewall-group-no-ports",
    "No port has the firewall group.",
    "openstack firewall group set --port PORT {id}",
)
FIREWALL_POLICY_ALLOWS_NOTHING = known(
    "firewall-policy-allows-nothing",
    "No rule of the firewall policy that is enabled allows anything: where a firewall group has it, nothing passes.",
    "openstack firewall group policy add rule {id} RULE",
)
FIREWALL_POLICY_UNUSED = known(
    "firewall-policy-unused",
    "No firewall group has the policy.",
    "openstack firewall group set --ingress-firewall-policy {id} GROUP",
)
FIREWALL_RULE_DISABLED = Code(
    "firewall-rule-disabled",
    "The firewall rule is switched off: it decides nothing.",
    "openstack firewall group rule set --enable-rule {id}",
)
FIREWALL_RULE_UNUSED = known(
    "firewall-rule-unused",
    "No firewall policy has the rule.",
    "openstack firewall group policy add rule POLICY {id}",
)
ADDRESS_SCOPE_UNUSED = known(
    "address-scope-unused",
    "No subnet pool is in the address scope.",
    "openstack subnet pool set --address-scope {id} POOL",
)
BALANCER_ADMIN_DOWN = Code(
    "loadbalancer-admin-down", "The load balancer is switched off.", "openstack loadbalancer set --enable {id}"
)
BALANCER_NO_LISTENER = Code(
    "loadbalancer-no-listener",
    "No listener of the load balancer is switched on: it answers no client.",
    "openstack loadbalancer listener create --protocol TCP --protocol-port 80 {id}",
)
BALANCER_PENDING = operators(
    "loadbalancer-pending",
    "A change of the load balancer is not in place yet on all nodes that have it.",
    "netweft node list  # which of them are behind, and then netweft explain HOST",
    blocks=False,
)
LISTENER_ADMIN_DOWN = Code(
    "listener-admin-down",
    "The listener is switched off: clients get no answer at its port.",
    "openstack loadbalancer listener set --enable {id}",
)
LISTENER_NO_POOL = Code(
    "listener-no-pool",
    "The listener has no pool.",
    "openstack loadbalancer listener set --default-pool POOL {id}",
)
L7POLICY_ADMIN_DOWN = Code(
    "l7policy-admin-down", "The L7 policy is switched off.", "openstack loadbalancer l7policy set --enable {id}"
)
L7POLICY_NO_RULES = Code(
    "l7policy-no-rules",
    "No rule of the L7 policy is switched on: it is true of no request.",
    "openstack loadbalancer l7rule create --type PATH --compare-type STARTS_WITH --value /PATH {id}",
)
L7RULE_ADMIN_DOWN = Code(
    "l7rule-admin-down",
    "The L7 rule is switched off: its policy is looked at as if it were not there.",
    "openstack loadbalancer l7rule set --enable {policy} {id}",
)
MONITOR_ADMIN_DOWN = Code(
    "health-monitor-admin-down",
    "The health monitor is switched off: no member is probed, and each gets connections.",
    "openstack loadbalancer healthmonitor set --enable {id}",
)
POOL_ADMIN_DOWN = Code("pool-admin-down", "The pool is switched off.", "openstack loadbalancer pool set --enable {id}")
POOL_NO_MEMBER = Code(
    "pool-no-member",
    "The pool has no member: connections that are for it go nowhere.",
    "openstack loadbalancer member create --address ADDRESS --protocol-port 80 {id}",
)
POOL_ALL_DOWN = Code(
    "pool-no-member-well",
    "No member of the pool gets connections: each has failed, is switched off, or has a weight of 0.",
    "openstack loadbalancer member list {id}  # and then netweft explain MEMBER",
)
POOL_UNUSED = known(
    "pool-unused",
    "The pool is used by no listener and no L7 policy.",
    "openstack loadbalancer listener set --default-pool {id} LISTENER",
)
MEMBER_ADMIN_DOWN = Code(
    "member-admin-down", "The member is switched off.", "openstack loadbalancer member set --enable {pool} {id}"
)
MEMBER_REFUSES_MONITOR = Code(
    "member-refuses-monitor",
    "No rule of the member's security groups lets in the pool's health monitor, whose probes come from the VIP.",
    "openstack security group rule create --ingress --ethertype {ethertype} --protocol {protocol} {what} "
    "--remote-ip {remote} {group}",
)
MEMBER_FAILED = Code(
    "member-failed",
    "The pool's health monitor finds that the member does not answer as it should: it gets no connections.",
    "{tool} -v {at}  # in the member; the monitor: {why}",
)
MEMBER_NOT_ASKED = Code(
    "member-not-answered-yet",
    "The member has not answered the pool's health monitor yet: until then it gets no connections.",
    "netweft explain {port}",
)
MEMBER_NO_PORT = Code(
    "member-address-nobody",
    "The pool has a health monitor, and no port that it may probe has the member's address: only nodes that run "
    "HAProxy for the balancer probe the member, and it has not answered them yet, or there are none.",
    "openstack port create --network NETWORK --fixed-ip ip-address={address} NAME",
)
MEMBER_IS_A_VIP = known(
    "member-is-a-vip",
    "The member is the VIP of a load balancer: HAProxy reaches it for listeners that it serves; connections that flows "
    "balance end there.",
    "openstack loadbalancer member delete {pool} {id}  # and make those that are behind the VIP members",
)
MEMBER_DRAINED = known(
    "member-drained",
    "The member has a weight of 0: it keeps its connections and gets no new ones.",
    "openstack loadbalancer member set --weight 1 {pool} {id}",
)
AGENT_DEAD = operators("agent-dead", "The agent does not answer.", _RESTART)
AGENT_DISABLED = operators(
    "agent-admin-down",
    "The agent is switched off: no router's gateway is put on its host.",
    "openstack network agent set --enable {id}",
    blocks=False,
)
AGENT_BEHIND = operators("agent-behind", "Changes that the host needs have not been sent to it yet.", _LOG)
AGENT_METADATA_DOWN = operators(
    "agent-metadata-down",
    "VMs on the host get no metadata: the service there does not listen, or gets no answers for them.",
    "journalctl -u netweft-agent -u netweft-server",
)
AGENT_PROBLEMS = operators("agent-problems", "The agent reports that something is wrong with its host.", _LOG)
AGENT_TUNNEL_SHARED = operators(
    "agent-tunnel-address-shared",
    "Another host says that it has this host's tunnel address: frames for the one get lost at the other.",
    "netweft agent show  # on {host} and {rivals}: give each a tunnel_ip of its own",
)

CODES = tuple(value for value in list(globals().values()) if isinstance(value, Code))
