"""What only a packet's way shows, beside the codes of objects (`explain/codes`): the same catalogue, docs/codes.md."""

from netweft.findings import Code, known, operators

_RULE = (
    "openstack security group rule create --{direction} --ethertype {ethertype} --protocol {protocol} {what}"
    " --remote-ip {remote} {group}"
)
_LOG = "netweft agent plan  # on {host}, then: journalctl -u netweft-agent"

NO_RULE_OUT = Code("no-rule-lets-it-out", "No rule of the sending port's security groups lets this packet out.", _RULE)
NO_RULE_IN = Code("no-rule-lets-it-in", "No rule of the receiving port's security groups lets this packet in.", _RULE)
NO_GROUP = Code(
    "port-without-security-group",
    "The port is filtered and has no security group: nothing passes but DHCP and what its network needs.",
    "openstack port set --security-group GROUP {id}",
)
FIREWALL_REFUSES = Code(
    "firewall-refuses",
    "The firewall group of the port, a VM's or a router's by which the packet goes, refuses it: by a rule, or since"
    " none permits it.",
    "openstack firewall group show {group}  # its {direction} policy",
)
VIP_NOT_LISTENED = Code(
    "loadbalancer-does-not-listen",
    "No listener of the load balancer that is switched on takes this protocol and port.",
    "openstack loadbalancer listener create --protocol {protocol} --protocol-port {port} {id}",
)
LISTENER_REFUSES = Code(
    "listener-refuses-client",
    "The listener lets others connect: the sender's address is in none of its allowed CIDRs.",
    "openstack loadbalancer listener set --allowed-cidr {address} {id}  # and those that are allowed already",
)
NO_PROXY = operators(
    "loadbalancer-no-haproxy",
    "The listener needs HAProxy, and none that serves its load balancer is up.",
    "netweft agent show  # on {host}: what it says of HAProxy; or: apt-get install haproxy",
)
SPOOFED = Code(
    "source-address-not-its-own",
    "The port may not send from this address: it is none of its own, nor of its allowed address pairs.",
    "openstack port set --allowed-address ip-address={address} {id}",
)
NO_COMMON_VERSION = Code(
    "no-common-ip-version",
    "The two ends have no addresses of one IP version.",
    "openstack subnet create --ip-version 4 --subnet-range 10.0.0.0/24 --network {network} NAME",
)
SUBNET_NO_GATEWAY = Code(
    "subnet-no-gateway",
    "The destination is on another network, and the subnet says of no gateway.",
    "openstack subnet set --gateway ADDRESS {id}",
)
GATEWAY_NOBODYS = Code(
    "gateway-address-is-nobodys",
    "The destination is on another network, and no port has the address of the subnet's gateway.",
    "openstack router add subnet ROUTER {id}",
)
NO_ROUTE = Code(
    "router-no-route",
    "The router has no route to the destination.",
    "openstack router add route --route destination={destination},gateway=NEXTHOP {id}",
)
NOT_ITS_NETWORK = Code(
    "router-not-on-network",
    "The router is not on the destination's subnet, and sends the packet elsewhere.",
    "openstack router add subnet {id} {subnet}",
)
ROUTE_TO_NOBODY = Code(
    "route-to-nobody",
    "The next hop of the router's route is an address that no port has.",
    "openstack router remove route --route destination={destination},gateway={nexthop} {id}",
)
ROUTE_LOOP = Code("route-loop", "Routers send the packet round and round.", "openstack router show {id} -c routes")
OUTSIDE_NO_GATEWAY = operators(
    "external-subnet-no-gateway",
    "The destination is further outside, and the external subnet says of no gateway.",
    "openstack subnet set --gateway ADDRESS {id}",
)
SCOPES_DIFFER = Code(
    "address-scopes-differ",
    "The networks are in different address scopes: the router forwards from one into the other by NAT only.",
    "openstack floating ip create --port PORT NETWORK",
)
ADDRESS_NOBODYS = Code(
    "address-is-nobodys",
    "No port of the network has the destination's address.",
    "openstack port list --network {id} --long",
)
NOT_FORWARDED = Code(
    "floatingip-port-not-forwarded",
    "The floating IP forwards some ports, but not this one.",
    "openstack floating ip port forwarding create --internal-ip-address ADDRESS --port PORT"
    " --internal-protocol-port {port} --external-protocol-port {port} --protocol {protocol} {id}",
)
ROUTER_DOES_NOT_LISTEN = Code(
    "router-does-not-listen",
    "The address is the router's own: it answers ping and nothing else.",
    "openstack floating ip create --port PORT NETWORK",
)
NOT_REACHED_FROM_OUTSIDE = Code(
    "not-reached-from-outside",
    "From outside, only floating IPs and what a router routes without SNAT can be reached.",
    "openstack floating ip create --port {port} NETWORK",
)
ENDS_ELSEWHERE = Code(
    "ends-elsewhere", "The packet arrives at another port than the one that is meant.", "openstack port show {id}"
)
RETURN_MISSES_NAT = Code(
    "answer-misses-nat",
    "The answer does not come back by the router that has translated the packet: the sender does not know it.",
    "openstack router show {id}",
)
ASYMMETRIC = Code(
    "answer-by-another-router",
    "The answer comes back by other routers than the packet went by.",
    "openstack router show {id} -c routes",
    blocks=False,
)
TOO_LARGE = Code(
    "larger-than-mtu",
    "The packet is larger than the MTU of a network on the way: the sender gets an error and has to send smaller ones.",
    "openstack network set --mtu {mtu} {id}",
)

OVS_DROPS = operators("openvswitch-drops", "Open vSwitch drops the packet, which passes by what the API says.", _LOG)
OVS_FOREIGN_FLOW = operators(
    "openvswitch-foreign-flow",
    "A flow that is not Netweft's decides about the packet.",
    "ovs-ofctl --strict del-flows {bridge} {match}  # on {host}",
)
OVS_ELSEWHERE = operators(
    "openvswitch-sends-elsewhere", "Open vSwitch sends the packet elsewhere than the API says.", _LOG
)
OVS_PASSES = operators(
    "openvswitch-lets-pass",
    "Open vSwitch lets the packet pass, which by what the API says does not: the host is behind, or it is a fault.",
    _LOG,
    blocks=False,
)
NODE_NOT_WIRED = operators(
    "interface-not-in-openvswitch",
    "The host's Open vSwitch has no interface of the port that could be used.",
    "ovs-vsctl find Interface external_ids:iface-id={id}  # on {host}",
)
VM_LINK_DOWN = operators(
    "vm-link-down",
    "The interface of the VM has no carrier: the VM is stopped, or has set its NIC down.",
    "ip link show {interface}  # on {host}",
)
UPLINK_DOWN = operators(
    "uplink-link-down",
    "The interface by which the network leaves the host has no carrier.",
    "ip link set {interface} up  # on {host}, or look at its cable and switch",
)
UPLINK_SMALL_MTU = operators(
    "uplink-mtu-too-small",
    "The interface by which the network leaves the host takes smaller packets than the network says.",
    "ip link set {interface} mtu {mtu}  # on {host}",
    blocks=False,
)
NO_PEER = operators(
    "tunnel-to-nobody",
    "The tunnel's remote address is no hypervisor's.",
    "openstack network agent list  # compare tunnel_ip",
)
PEER_SILENT = operators(
    "tunnel-peer-silent",
    "The hypervisor at the tunnel's other end does not answer this one: it is down, or what is between them is.",
    "ping -c 3 {far}  # on {host}, and look at what is between the hosts: cables, switches, VLANs",
)
NEXT_HOP_SILENT = operators(
    "next-hop-silent",
    "The next hop, or the host that the packet is for, does not answer the node's ARP or neighbour discovery.",
    "arping -c 3 {address}  # on a host of that network: is it up, is the address right, is it in that VLAN?",
)
TUNNEL_HOMELESS = operators(
    "tunnel-address-not-here",
    "None of the host's interfaces has its tunnel address: nothing comes in by a tunnel, or leaves by one.",
    "netweft agent show  # on {host}: set tunnel_ip to an address of its own, {address} is none; restart the agent",
)
TUNNEL_SHARED = operators(
    "tunnel-address-of-several",
    "The tunnel's remote address is claimed by several hosts: it may end at the wrong one.",
    "netweft agent show  # on {hosts}: give each a tunnel_ip of its own",
)
NOT_AS_WANTED = operators(
    "openvswitch-not-as-wanted",
    "What the agent wants for an object on the way is not what is in Open vSwitch, or the other way round.",
    _LOG,
)

PROBE_LOST = operators(
    "probe-lost",
    "A packet that was sent to try it has not arrived, which passes by the rows and by Open vSwitch on each host.",
    "tcpdump -eni {interface}  # on {host}, and look at what is between the hosts: cables, switches, MTU, firewalls",
)
LOST_IN_TUNNEL = operators(
    "probe-lost-in-underlay",
    "A packet that was sent to try it has left one host by a tunnel and has not come in at the other.",
    "ping -M do -c 3 {far}  # on {host}; and let the tunnels' protocol pass between the hosts: firewalls, routes, MTU",
)
LOST_ON_WIRE = operators(
    "probe-lost-on-wire",
    "A packet that was sent to try it has left one host by the physical network and has not come in at the other.",
    "tcpdump -eni {interface} vlan {vlan}  # on {host}; and let the switches' ports to both hosts carry VLAN {vlan}",
)
LOST_LARGE = operators(
    "probe-of-full-size-lost",
    "A small packet arrives, and one as large as the networks say does not: a hop between takes smaller ones only.",
    "ping -M do -s {payload} {far}  # on {host}; and raise the MTU of what is between: at least {bytes} bytes",
)

UNDERLAY_FAULT = operators(
    "underlay-fault", "What carries the network between hosts does not carry this packet.", "netweft trace FROM TO"
)

VM_MASK = Code(
    "vm-wrong-mask",
    "The mask of the VM's interface is not its subnet's: it looks for others on its own network, or for neighbours"
    " behind its gateway.",
    "ip address replace {address} dev eth0  # in the VM; or let it use DHCP",
)
VM_GATEWAY = Code(
    "vm-wrong-gateway",
    "The VM looks for another next hop than the one of its subnet: a route of its own is wrong.",
    "ip route replace {destination} via {via}  # in the VM; or let it use DHCP",
)
VM_NEIGHBOUR = Code(
    "vm-wrong-neighbour",
    "The VM sends to another MAC address than the next hop has: an old, a static or a forged entry in its ARP table.",
    "ip neighbour del {via} dev eth0  # in the VM",
)
VM_MAC = Code(
    "vm-uses-another-mac",
    "The VM answers from another MAC address than its port has: what is sent to the port's it does not take.",
    "ip link set eth0 address {mac}  # in the VM",
)
VM_NO_ADDRESS = Code(
    "vm-lacks-its-address",
    "The VM does not answer for the address that its port has: it has not configured it, or does not run.",
    "dhclient -v eth0  # in the VM; or: ip address add {address} dev eth0",
)
ADDRESS_CLAIMED = operators(
    "address-claimed-by-another",
    "Another machine on the physical network answers for the port's address: some send to it what is for the port.",
    "tcpdump -eni any arp and host {address}  # on {host}: find who answers from {mac}",
)
VM_SILENT = known(
    "vm-silent",
    "The VM has got a packet and has answered nothing: its own firewall, or it has no route back.",
    "ip route get {other}  # in the VM",
)
VM_CHECKSUM = operators(
    "vm-checksum-not-whole",
    "The VM leaves checksums to its NIC, and the host's userspace datapath completes none: who gets them drops them.",
    "ethtool -K eth0 tx off  # in the VM, or at the far end of its interface on {host}",
)
LIMIT_DROPS = known(
    "limit-drops",
    "A bandwidth or packet rate limit of the port's QoS policy is dropping packets at this moment.",
    "openstack port show -c qos_policy_id {id}",
)

LIVE_LOST = operators(
    "packet-lost",
    "A real packet that was caught has not arrived, and nothing else says why: it was in the way for a moment, or is"
    " between the hosts.",
    "tcpdump -eni {interface}  # on {host}, and look at what is between the hosts: cables, switches, MTU, firewalls",
)

PASSES_BUT_MUST_NOT = Code(
    "passes-but-must-not",
    "A saved check says that the packet must not pass, and it does.",
    "netweft trace FROM TO  # shows by which rules; then: netweft check show {id}",
)
END_NOT_FOUND = Code(
    "check-cannot-be-made",
    "The ends of a saved check are not there, not its project's to see, or have nothing in common.",
    "netweft check delete {id}  # or mend what it names",
)

CODES = tuple(value for value in list(globals().values()) if isinstance(value, Code))
# who does not see nodes gets no kind of these: it would say which ports are on one host, and how the others are met
UNDERLAY = (
    UPLINK_DOWN, UPLINK_SMALL_MTU, NO_PEER, PROBE_LOST, LOST_IN_TUNNEL, LOST_ON_WIRE, LOST_LARGE, TUNNEL_HOMELESS,
    TUNNEL_SHARED, PEER_SILENT,
)  # fmt: skip
PACKET = (
    NO_RULE_OUT, NO_RULE_IN, NO_GROUP, FIREWALL_REFUSES, SPOOFED, NO_COMMON_VERSION, SUBNET_NO_GATEWAY,
    GATEWAY_NOBODYS, NO_ROUTE,
    NOT_ITS_NETWORK, ROUTE_TO_NOBODY, ROUTE_LOOP, OUTSIDE_NO_GATEWAY, SCOPES_DIFFER, ADDRESS_NOBODYS, NOT_FORWARDED,
    ROUTER_DOES_NOT_LISTEN, NOT_REACHED_FROM_OUTSIDE, ENDS_ELSEWHERE, RETURN_MISSES_NAT, ASYMMETRIC, TOO_LARGE,
    VIP_NOT_LISTENED, LISTENER_REFUSES,
)  # fmt: skip
