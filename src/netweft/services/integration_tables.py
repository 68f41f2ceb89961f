"""The tables of the integration bridge, in order: see `pipeline`.  Those of routers are in `l3/tables`."""

from netweft.services.fields import (
    ANSWERED,
    CLAIMED_HIGH,
    CLAIMED_LOW,
    FLOODED,
    GROUP,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    NEXT_HOP,
    ORIGIN,
    OUT_PORT,
    PERMITTED,
    PIECE,
    ROUTER,
    TRIAL,
)
from netweft.services.firewall_tables import FIREWALLS, FOR_FIREWALLS
from netweft.services.firewall_tables import SUBROUTINES as FIREWALL_SUBROUTINES
from netweft.services.l3.tables import ROUTING
from netweft.services.lb.tables import BALANCING, FROM_MEMBER
from netweft.services.packet_fields import (
    ADVERTISED,
    ARP_SENDER,
    ICMPV6,
    IP_ENDS,
    SERVICE,
    SOURCE_PORTS,
    TARGET_PORTS,
)
from netweft.services.security.fragments import MATCH as FRAGMENTS
from netweft.services.tables import Pipeline, Table, fields


def _rules(name: str, end: str) -> Table:
    """end: which address of a packet is the remote one."""
    return Table(
        name,
        "the rules of one security group (GROUP) for one direction.  A rule with a set of remote addresses is a "
        "conjunction of addresses and services.  The only table whose size is that of the rules and of the remote "
        "groups' members",
        match=fields(GROUP, "conj_id", "ip_frag", f"eth_{end}", f"ipv4_{end}", f"ipv6_{end}", "udp_src", *SERVICE),
        set=fields(PERMITTED),
    )


INT = Pipeline.of(
    "int",
    "the integration bridge: every VIF plugs in here",
    Table(
        "priority_tag",
        "a priority tag (VLAN ID 0, 802.1Q) is popped, except from VMs whose tags are transparent",
        match=fields("in_port", "vlan_vid"),
        set=fields("vlan_vid"),
        next=("only_tag", "classify"),
        miss="classify",
        entry=True,
    ),
    Table(
        "only_tag",
        "what was below a priority tag must not be another tag: that would choose a sub-port, or another network",
        match=fields("vlan_vid", "eth_type"),
        next=("classify",),
        miss="classify",
    ),
    Table(
        "classify",
        "assigns each frame to its network and logical port: VIFs by in_port and tag, other bridges by the local VLAN "
        "tag",
        match=fields("in_port", "vlan_vid", "eth_dst"),
        set=fields(LOCAL_VLAN, IN_PORT, "vlan_vid", "eth_src", NEXT_HOP[-1], ORIGIN),
        next=("egress_qos", "metadata", "to_router", "next_hop", "switching"),
    ),
    Table(
        "egress_qos",
        "limits and DSCP marks of the sending port's QoS policy",
        match=fields(IN_PORT, "eth_type"),
        set=fields("ip_dscp"),
        next=("source_mac",),
        miss="source_mac",
    ),
    Table(
        "source_mac",
        "port security: only a MAC that is the port's.  Ports without port security pass all of it",
        match=fields(IN_PORT, "vlan_vid", "eth_type", "eth_src", "ip_frag"),
        next=("source_address", "requests"),
    ),
    Table(
        "source_address",
        "port security: only addresses that are the port's, in IPv4, IPv6 and ARP; no DHCP or RA servers, nor what "
        "hides in fragments",
        match=fields(IN_PORT, "eth_src", *ARP_SENDER, *FRAGMENTS, "ipv4_src", "ipv6_src", "udp_src"),
        set=fields(CLAIMED_HIGH, CLAIMED_LOW),
        next=("neighbour_claims", "claimed_mac", "requests"),
    ),
    Table(
        "neighbour_claims",
        "port security: the target of a neighbour advertisement must be the port's as well",
        match=fields(IN_PORT, *ICMPV6, "icmpv6_code", "nd_target"),
        set=fields(CLAIMED_HIGH, CLAIMED_LOW),
        next=("claimed_mac",),
        miss="requests",
    ),
    Table(
        "claimed_mac",
        "port security: and so must the MAC inside ARP and neighbour discovery",
        match=fields(IN_PORT, "eth_type", CLAIMED_HIGH, CLAIMED_LOW),
        next=("requests",),
    ),
    Table(
        "requests",
        "broadcast and multicast requests: ARP requests and ND solicitations go only to the port that has the address, "
        "DHCP requests to the agent, which answers them; and requests to the node's own services: metadata, DNS",
        match=fields(LOCAL_VLAN, IN_PORT, "vlan_vid", "eth_src", "eth_dst", "arp_op", "arp_spa", "arp_tpa")
        | fields(*ICMPV6, "icmpv6_code", "ipv6_src", "nd_target", "nd_sll", "udp_src", "udp_dst")
        | fields("ip_frag", *SOURCE_PORTS, *TARGET_PORTS, "icmpv4_type", *IP_ENDS),
        set=fields("eth_src", "eth_dst", *ARP_SENDER, "arp_tpa", "arp_tha", *IP_ENDS, *NEXT_HOP) | fields(*ADVERTISED),
        next=("advertised", "answer", "metadata", "probed", "egress"),
        agent=True,
        miss="egress",
    ),
    Table(
        "advertised",
        "completes a router's neighbour advertisement: its option can be set only once the packet is one.  "
        "Solicitations with a hop limit other than 255 are dropped (RFC 4861 7.1.1)",
        match=fields(IN_PORT, *ICMPV6, "ip_ttl", "ipv6_dst"),
        set=fields("nd_tll"),
        next=("answer", "switching"),
    ),
    Table(
        "answer",
        "ARP replies of the DHCP server and of routers: back to the requester, with the tag of its logical port",
        match=fields(IN_PORT),
        set=fields("vlan_vid"),
        output=True,
    ),
    Table(
        "metadata",
        "to the agent's interface, with the way back in the connection's ct_label; and in from that interface, health "
        "checks of load balancers' members included",
        match=fields(IN_PORT, *SERVICE, *SOURCE_PORTS, "ipv4_dst", "ipv6_dst"),
        set=fields("eth_src", "eth_dst", "tcp_dst", "udp_dst", *IP_ENDS, LOCAL_VLAN, OUT_PORT),
        next=("metadata_answer", "ingress"),
        output=True,
    ),
    Table(
        "metadata_answer",
        "what the agent answers, back to the client: to its port, with its addresses",
        match=fields("eth_type", "ip_proto", "tcp_src", "udp_src", "ct_state"),
        set=fields("eth_src", "eth_dst", "tcp_src", "udp_src", *IP_ENDS, OUT_PORT),
        next=("ingress_qos",),
        entry=True,
    ),
    Table(
        "probed",
        "a member's answers to the agent's health checks: to the agent's interface",
        match=fields(IN_PORT, *SERVICE, *SOURCE_PORTS, *IP_ENDS, "ip_frag", "ct_state"),
        set=fields("eth_dst", *IP_ENDS),
        output=True,
        entry=True,
    ),
    Table(
        "egress",
        "what a guarded port sends goes through conntrack, once; multicast and broadcast skip it; ARP, ND and the like "
        "need no rule",
        match=fields(IN_PORT, *FRAGMENTS, "udp_src", "ipv4_dst", "ipv6_dst"),
        set=fields(PIECE),
        next=("egress_pieces", "egress_state", "egress_groups", "to_router"),
        miss="to_router",
    ),
    Table(
        "egress_pieces",
        "fragments that conntrack returns, maybe together with another datagram's: each goes on in its own network",
        match=fields("ct_state"),
        set=fields(LOCAL_VLAN),
        next=("egress_state",),
        entry=True,
    ),
    Table(
        "egress_state",
        "replies of permitted connections pass; invalid packets are dropped; the rest goes to the rules, packet by "
        "packet",
        match=fields(IN_PORT, PIECE, "eth_type", "ip_frag", "ct_state", "ct_mark"),
        next=("egress_groups", "to_router"),
        miss="egress_groups",
        entry=True,
    ),
    Table(
        "egress_groups",
        "evaluates the sending port's security groups, then its firewall group, and that of the router port that the "
        "packet is for",
        match=fields(IN_PORT),
        set=fields(GROUP, *FOR_FIREWALLS),
        next=("egress_rules", "egress_verdict", "router_egress", *FIREWALL_SUBROUTINES),
        miss="egress_verdict",
    ),
    _rules("egress_rules", "dst"),
    Table(
        "egress_verdict",
        "what no rule permits is dropped; so are the replies of a connection that was permitted before",
        match=fields(PERMITTED, FLOODED, "eth_type", "ct_state", "ct_mark"),
        set=fields(PERMITTED),
        next=("to_router", "rejected"),
    ),
    *ROUTING,
    Table(
        "hand_up",
        "packets for which the agent sends an ICMP error to the sender, metered by ingress; and ARP and ND answers to "
        "agents' address probes: to all nodes that route there",
        match=fields(IN_PORT, ROUTER, LOCAL_VLAN, HANDED_UP),
        set=fields("eth_dst", OUT_PORT),
        next=("ingress",),
        agent=True,
    ),
    Table(
        "pieces",
        "as egress_pieces, on the way to a guarded port, which is looked up again",
        match=fields("ct_state"),
        set=fields(LOCAL_VLAN, OUT_PORT),
        next=("switching",),
        entry=True,
    ),
    Table(
        "switching",
        "by network and destination MAC: to a port here, a peer elsewhere, or the ports that share an address pair's "
        "MAC; multicast and broadcast are flooded; unknown unicast goes only to ports that may have any MAC, and to "
        "the wire",
        match=fields(LOCAL_VLAN, IN_PORT, "eth_dst", TRIAL),
        set=fields(OUT_PORT, FLOODED),
        next=("to_vip", "ingress", "commit"),
    ),
    *BALANCING,
    Table(
        "ingress",
        "per destination: a load balancer member's answers go to from_member.  What is for a guarded port goes through "
        "conntrack, unless it already has; multicast and broadcast skip it",
        match=fields(OUT_PORT, ANSWERED, FLOODED, TRIAL, *FRAGMENTS, "udp_src", "ipv4_dst", "ipv6_dst", "ct_state")
        | fields(ORIGIN, "eth_dst", "ipv4_src", "ipv6_src", "icmpv4_type", *SOURCE_PORTS),
        set=fields(PIECE, ORIGIN),
        next=("from_member", "ingress_state", "ingress_groups", "commit", "ingress_qos"),
        again=("pieces",),
        miss="ingress_qos",
    ),
    FROM_MEMBER,
    Table(
        "ingress_state",
        "as egress_state.  What is whole and was not tracked is tracked again",
        match=fields(OUT_PORT, PIECE, "eth_type", "ip_frag", "ct_state", "ct_mark"),
        next=("ingress_groups", "ingress_qos"),
        again=("ingress_state",),
        miss="ingress_groups",
        entry=True,
    ),
    Table(
        "ingress_groups",
        "evaluates the receiving port's security groups, then its firewall group, and that of the router port that the "
        "packet comes from",
        match=fields(OUT_PORT),
        set=fields(GROUP, *FOR_FIREWALLS),
        next=("ingress_rules", "ingress_verdict", "router_ingress", *FIREWALL_SUBROUTINES),
        miss="ingress_verdict",
    ),
    _rules("ingress_rules", "src"),
    Table(
        "ingress_verdict",
        "as egress_verdict; of a flooded packet each receiving port ends only its own answers",
        match=fields(OUT_PORT, PERMITTED, FLOODED, "eth_type", "ct_state"),
        set=fields(PERMITTED),
        next=("commit", "rejected"),
    ),
    Table(
        "commit",
        "what both ends permit: a new connection is committed, one that was blocked is unblocked",
        match=fields(OUT_PORT, FLOODED, "eth_type", "ct_state", "ct_mark", TRIAL),
        next=("ingress_qos",),
        miss="ingress_qos",
    ),
    Table(
        "ingress_qos",
        "limits of the receiving port's QoS policy: each copy by itself, so that a drop for one port is none for "
        "others",
        match=fields(OUT_PORT),
        next=("ingress_limit", "deliver"),
        miss="deliver",
    ),
    Table(
        "ingress_limit",
        "the limits themselves",
        match=fields(OUT_PORT),
        next=("deliver",),
    ),
    Table(
        "deliver",
        "out through OUT_PORT, with the tag of the logical port; towards other bridges with the local VLAN as tag",
        match=fields(IN_PORT, OUT_PORT),
        set=fields("vlan_vid"),
        output=True,
    ),
    *FIREWALLS,
)
