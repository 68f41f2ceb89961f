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
from netweft.services.firewall_tables import ASKED as FIREWALLS_ASKED
from netweft.services.firewall_tables import FIREWALLS, FOR_FIREWALLS
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
        "the rules of one group (GROUP), asked for one direction.  To a set of remote addresses: a conjunction of who "
        "and what.  The only table whose size is that of the rules and of the remote groups' members",
        match=fields(GROUP, "conj_id", "ip_frag", f"eth_{end}", f"ipv4_{end}", f"ipv6_{end}", "udp_src", *SERVICE),
        set=fields(PERMITTED),
    )


INT = Pipeline.of(
    "int",
    "the integration bridge: every VIF plugs in here",
    Table(
        "priority_tag",
        "a tag of VLAN 0 says a priority and no VLAN (802.1Q): it is taken off, but where VMs' tags are their own",
        match=fields("in_port", "vlan_vid"),
        set=fields("vlan_vid"),
        next=("only_tag", "classify"),
        miss="classify",
        entry=True,
    ),
    Table(
        "only_tag",
        "what was below it must not be a tag: it would be the port's, or another network's",
        match=fields("vlan_vid", "eth_type"),
        next=("classify",),
        miss="classify",
    ),
    Table(
        "classify",
        "whose frame is it?  A VIF's untagged frames get their network; frames from other bridges bring it as tag",
        match=fields("in_port", "vlan_vid", "eth_dst"),
        set=fields(LOCAL_VLAN, IN_PORT, "vlan_vid", "eth_src", NEXT_HOP[-1], ORIGIN),
        next=("egress_qos", "metadata", "to_router", "next_hop", "switching"),
    ),
    Table(
        "egress_qos",
        "what a VM sends is limited and marked as its QoS policy says",
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
        "port security: the address that a neighbour advertisement says inside must be the port's as well",
        match=fields(IN_PORT, *ICMPV6, "icmpv6_code", "nd_target"),
        set=fields(CLAIMED_HIGH, CLAIMED_LOW),
        next=("claimed_mac",),
        miss="requests",
    ),
    Table(
        "claimed_mac",
        "port security: and so must the MAC that ARP or neighbour discovery says inside",
        match=fields(IN_PORT, "eth_type", CLAIMED_HIGH, CLAIMED_LOW),
        next=("requests",),
    ),
    Table(
        "requests",
        "what is asked of everybody: ARP requests and ND solicitations for an address that one port alone can have go "
        "to that port, DHCP requests to the agent, which answers them, and what is asked of the node: metadata, names",
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
        "finishes a router's neighbour advertisement: its option can be written only once it is one.  What came from "
        "farther than the link (RFC 4861 7.1.1) ends",
        match=fields(IN_PORT, *ICMPV6, "ip_ttl", "ipv6_dst"),
        set=fields("nd_tll"),
        next=("answer", "switching"),
    ),
    Table(
        "answer",
        "ARP replies of the DHCP server and of routers: back to who asked, with the tag of its logical port",
        match=fields(IN_PORT),
        set=fields("vlan_vid"),
        output=True,
    ),
    Table(
        "metadata",
        "to the agent's interface, with what is needed for the way back in the connection's label; and in from there, "
        "also with what it asks of balancers' members here",
        match=fields(IN_PORT, *SERVICE, *SOURCE_PORTS, "ipv4_dst", "ipv6_dst"),
        set=fields("eth_src", "eth_dst", "tcp_dst", "udp_dst", *IP_ENDS, LOCAL_VLAN, OUT_PORT),
        next=("metadata_answer", "ingress"),
        output=True,
    ),
    Table(
        "metadata_answer",
        "what the agent says, back to who asked: his port, his addresses",
        match=fields("eth_type", "ip_proto", "tcp_src", "udp_src", "ct_state"),
        set=fields("eth_src", "eth_dst", "tcp_src", "udp_src", *IP_ENDS, OUT_PORT),
        next=("ingress_qos",),
        entry=True,
    ),
    Table(
        "probed",
        "what a balancer's member answers to the agent that asks how it is: to the agent's interface",
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
        "fragments that conntrack gives back, maybe with somebody else's: they go on in the network that they are of",
        match=fields("ct_state"),
        set=fields(LOCAL_VLAN),
        next=("egress_state",),
        entry=True,
    ),
    Table(
        "egress_state",
        "replies of allowed connections pass; invalid packets are dropped; the rest is for the rules, packet by packet",
        match=fields(IN_PORT, PIECE, "eth_type", "ip_frag", "ct_state", "ct_mark"),
        next=("egress_groups", "to_router"),
        miss="egress_groups",
        entry=True,
    ),
    Table(
        "egress_groups",
        "asks each group of the sending port, then its firewall, and that of the router's port that the packet is for",
        match=fields(IN_PORT),
        set=fields(GROUP, *FOR_FIREWALLS),
        next=("egress_rules", "egress_verdict", "router_egress", *FIREWALLS_ASKED),
        miss="egress_verdict",
    ),
    _rules("egress_rules", "dst"),
    Table(
        "egress_verdict",
        "what no rule permits is dropped; of a connection that was permitted its replies are too, until it is again",
        match=fields(PERMITTED, FLOODED, "eth_type", "ct_state", "ct_mark"),
        set=fields(PERMITTED),
        next=("to_router", "rejected"),
    ),
    *ROUTING,
    Table(
        "hand_up",
        "what the agent says an ICMP error for, to whom the packet came from; of each way into the node so much; and "
        "who says that he has an address that agents ask for: to all nodes that route there",
        match=fields(IN_PORT, ROUTER, LOCAL_VLAN, HANDED_UP),
        set=fields("eth_dst", OUT_PORT),
        next=("ingress",),
        agent=True,
    ),
    Table(
        "pieces",
        "as egress_pieces, where they were for a guarded port: which one, is looked up again",
        match=fields("ct_state"),
        set=fields(LOCAL_VLAN, OUT_PORT),
        next=("switching",),
        entry=True,
    ),
    Table(
        "switching",
        "by network and destination MAC: a port here, a peer elsewhere, those that share a pair's MAC; multicast and "
        "broadcast to all of the network; what nobody knows only to who may have any MAC, and to the outside",
        match=fields(LOCAL_VLAN, IN_PORT, "eth_dst", TRIAL),
        set=fields(OUT_PORT, FLOODED),
        next=("to_vip", "ingress", "commit"),
    ),
    *BALANCING,
    Table(
        "ingress",
        "for each destination: is it what a load balancer's member says?  What is for a guarded port goes through "
        "conntrack, unless it has already; multicast and broadcast skip it",
        match=fields(OUT_PORT, ANSWERED, FLOODED, TRIAL, *FRAGMENTS, "udp_src", "ipv4_dst", "ipv6_dst", "ct_state")
        | fields(ORIGIN, "ipv4_src", "ipv6_src", "icmpv4_type", *SOURCE_PORTS),
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
        "asks each group of the receiving port, then its firewall, and that of the router's port that the packet is "
        "from",
        match=fields(OUT_PORT),
        set=fields(GROUP, *FOR_FIREWALLS),
        next=("ingress_rules", "ingress_verdict", "router_ingress", *FIREWALLS_ASKED),
        miss="ingress_verdict",
    ),
    _rules("ingress_rules", "src"),
    Table(
        "ingress_verdict",
        "as egress_verdict; where several get it, each port that may answer ends its own answers",
        match=fields(OUT_PORT, PERMITTED, FLOODED, "eth_type", "ct_state"),
        set=fields(PERMITTED),
        next=("commit", "rejected"),
    ),
    Table(
        "commit",
        "what both ends permit: a new connection is committed, one that had been blocked is allowed again",
        match=fields(OUT_PORT, FLOODED, "eth_type", "ct_state", "ct_mark", TRIAL),
        next=("ingress_qos",),
        miss="ingress_qos",
    ),
    Table(
        "ingress_qos",
        "what comes to a VM whose QoS policy limits it: each on its own, that nobody else loses what is dropped for it",
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
