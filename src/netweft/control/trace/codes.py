"""What only a packet's way shows, beside the codes of objects (`explain/codes`): the same catalogue, docs/codes.md."""

from netweft.findings import Code, operators

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
    "The destination is on another network, and nobody has the address of the subnet's gateway.",
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
    "The router's route leads to an address that nobody has.",
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
    "The networks are in different address scopes: the router leads from one into the other by NAT only.",
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
    "The packet is larger than the MTU of a network on the way: the sender is told so, and has to send smaller ones.",
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
    "The tunnel leads to an address that is no hypervisor's.",
    "openstack network agent list  # compare tunnel_ip",
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

LIVE_LOST = operators(
    "packet-lost",
    "A real packet that was caught has not arrived, and nothing else says why: it was in the way for a moment, or is"
    " between the hosts.",
    "tcpdump -eni {interface}  # on {host}, and look at what is between the hosts: cables, switches, MTU, firewalls",
)

CODES = tuple(value for value in list(globals().values()) if isinstance(value, Code))
PACKET = (
    NO_RULE_OUT, NO_RULE_IN, NO_GROUP, SPOOFED, NO_COMMON_VERSION, SUBNET_NO_GATEWAY, GATEWAY_NOBODYS, NO_ROUTE,
    NOT_ITS_NETWORK, ROUTE_TO_NOBODY, ROUTE_LOOP, OUTSIDE_NO_GATEWAY, SCOPES_DIFFER, ADDRESS_NOBODYS, NOT_FORWARDED,
    ROUTER_DOES_NOT_LISTEN, NOT_REACHED_FROM_OUTSIDE, ENDS_ELSEWHERE, RETURN_MISSES_NAT, ASYMMETRIC, TOO_LARGE,
)  # fmt: skip
