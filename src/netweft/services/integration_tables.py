"""The tables of the integration bridge, in order: see `pipeline`."""

from netweft.services.fields import (
    ANSWERED,
    CLAIMED_HIGH,
    CLAIMED_LOW,
    FLOODED,
    GROUP,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    METERED,
    NEXT_HOP,
    OUT_PORT,
    PERMITTED,
    PIECE,
    ROUTER,
    TRIAL,
)
from netweft.services.security.fragments import MATCH as FRAGMENTS
from netweft.services.tables import Pipeline, Table, fields

ICMPV6 = ("eth_type", "ip_proto", "icmpv6_type")
IP_ENDS = ("ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst")
ADVERTISED = ("icmpv6_type", "nd_options_type", "nd_reserved")
ARP_SENDER = ("arp_op", "arp_spa", "arp_sha")
SOURCE_PORTS, TARGET_PORTS = ((f"tcp_{end}", f"udp_{end}", f"sctp_{end}") for end in ("src", "dst"))
SERVICE = (*ICMPV6, "icmpv6_code", "icmpv4_type", "icmpv4_code", "tcp_dst", "udp_dst", "sctp_dst")


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
        set=fields(LOCAL_VLAN, IN_PORT, "vlan_vid", "eth_src", NEXT_HOP[-1]),
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
        match=fields(IN_PORT, "vlan_vid", "eth_type", "eth_src"),
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
        "to that port, DHCP requests to the agent, which answers them, and what is asked of the metadata service",
        match=fields(LOCAL_VLAN, IN_PORT, "vlan_vid", "eth_src", "eth_dst", "arp_op", "arp_spa", "arp_tpa")
        | fields(*ICMPV6, "icmpv6_code", "ipv6_src", "nd_target", "nd_sll", "udp_src", "udp_dst")
        | fields("ip_frag", "tcp_dst", "ipv4_dst", "ipv6_dst"),
        set=fields("eth_src", "eth_dst", *ARP_SENDER, "arp_tpa", "arp_tha", *IP_ENDS, *NEXT_HOP) | fields(*ADVERTISED),
        next=("advertised", "answer", "metadata", "egress"),
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
        "to the agent's interface, with what is needed for the way back in the connection's label; and in from there",
        match=fields(IN_PORT, "eth_type", "ip_proto", "tcp_src", "tcp_dst"),
        set=fields("eth_dst", "tcp_dst"),
        next=("metadata_answer",),
        output=True,
    ),
    Table(
        "metadata_answer",
        "what the agent says, back to who asked: his port, his addresses",
        match=fields("eth_type", "ip_proto", "ct_state"),
        set=fields("eth_src", "eth_dst", "tcp_src", *IP_ENDS, OUT_PORT),
        next=("ingress_qos",),
        entry=True,
    ),
    Table(
        "egress",
        "what a guarded port sends goes through the connection tracker, once, unless it is for many; ARP, ND and the "
        "like need no rule",
        match=fields(IN_PORT, *ICMPV6, "ip_frag", "udp_src", "udp_dst", "ipv4_dst", "ipv6_dst"),
        set=fields(PIECE),
        next=("egress_pieces", "egress_state", "egress_groups", "to_router"),
        miss="to_router",
    ),
    Table(
        "egress_pieces",
        "fragments that the tracker gives back, maybe with somebody else's: they go on in the network that they are of",
        match=fields("ct_state"),
        set=fields(LOCAL_VLAN),
        next=("egress_state",),
        entry=True,
    ),
    Table(
        "egress_state",
        "answers to what is allowed pass; what makes no sense ends; all else is for the rules, each packet again",
        match=fields(IN_PORT, PIECE, "eth_type", "ip_frag", "ct_state", "ct_mark"),
        next=("egress_groups", "to_router"),
        miss="egress_groups",
        entry=True,
    ),
    Table(
        "egress_groups",
        "asks each group of the sending port",
        match=fields(IN_PORT),
        set=fields(GROUP),
        next=("egress_rules", "egress_verdict"),
        miss="egress_verdict",
    ),
    _rules("egress_rules", "dst"),
    Table(
        "egress_verdict",
        "what no rule permits ends; if it is a connection that was permitted, its answers end too, until it is again",
        match=fields(PERMITTED, FLOODED, "eth_type", "ct_state", "ct_mark"),
        set=fields(PERMITTED),
        next=("to_router",),
    ),
    Table(
        "to_router",
        "what is for a router's MAC: whose?  A router's packets go through it where they start, on this node; BFD of "
        "a next hop goes to its session",
        match=fields(LOCAL_VLAN, "eth_dst", "eth_src", "vlan_vid", "arp_op", "arp_sha", "arp_spa", "arp_tpa")
        | fields(*ICMPV6, "icmpv6_code", "nd_target", "nd_sll", *IP_ENDS, "ip_ttl", "udp_dst"),
        set=fields(ROUTER, IN_PORT, "nxm_in_port", "eth_src", "eth_dst", *ARP_SENDER, "arp_tpa", "arp_tha", "nd_sll")
        | fields(HANDED_UP, "ipv6_src", "ipv6_dst", *ADVERTISED),
        next=("leaves_network", "outside_ingress", "from_outside", "hand_up", "switching"),
        again=("advertised",),
        miss="switching",
        agent=True,
        output=True,
    ),
    Table(
        "leaves_network",
        "what a guarded port was permitted to send is remembered in the network that it leaves; the next one has a "
        "conntrack zone of its own",
        match=fields("eth_type", "ct_state", "ct_mark"),
        next=("to_router_itself",),
        miss="to_router_itself",
    ),
    Table(
        "outside_ingress",
        "from the external network, for an address that a QoS policy limits: a floating IP, a gateway's",
        match=fields(ROUTER, "eth_type", "ipv4_dst"),
        next=("from_outside",),
        miss="from_outside",
    ),
    Table(
        "from_outside",
        "from the external network: what is for the gateway's address goes back to who it was for, what is for a "
        "floating IP to the port that it stands for, or that its port is forwarded to; an ICMP error about that goes "
        "to the agent",
        match=fields(ROUTER, "eth_type", "ip_proto", "icmpv4_type", "ipv4_dst", "conj_id", "ip_frag", *TARGET_PORTS)
        | fields("icmpv6_type", "ipv6_dst", LOCAL_VLAN, "ipv4_src", "tcp_src", "udp_src"),
        set=fields("ipv4_dst", *TARGET_PORTS, PIECE, NEXT_HOP[-1]),
        next=("forwarded_pieces", "translated", "to_router_itself"),
        miss="to_router_itself",
        agent=True,
    ),
    Table(
        "translated",
        "what a gateway's tracker gives back goes on in that gateway's router; fragments may have come with another's; "
        "what a helper has heard of is committed; an ICMPv6 error about what NAT66 has translated goes to the agent",
        match=fields("ct_zone", "ct_state", "eth_type", "ct_nw_proto", "ct_nw_dst")
        | fields("ip_proto", "icmpv6_type", "ipv4_dst", "sctp_dst"),
        set=fields(ROUTER, LOCAL_VLAN),
        next=("to_router_itself",),
        entry=True,
        agent=True,
    ),
    Table(
        "to_router_itself",
        "for an address of the router's own: echo requests are turned round, anything else is for the agent",
        match=fields(ROUTER, LOCAL_VLAN, "eth_type", "ip_proto", "ip_frag", "ipv4_dst", "ipv6_dst", "ipv6_src")
        | fields("icmpv4_type", "icmpv6_type", "icmpv4_code", "icmpv6_code"),
        set=fields("eth_src", "eth_dst", "ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst", "icmpv4_type", "icmpv6_type")
        | fields("ip_ttl", ANSWERED, HANDED_UP, *NEXT_HOP, IN_PORT, "nxm_in_port"),
        next=("routing", "hand_up", "switching"),
        miss="routing",
        entry=True,
    ),
    Table(
        "routing",
        "the router's routes, the longest prefix first: into which network, to which next hop there, and whether it is "
        "too big for that network",
        match=fields(ROUTER, LOCAL_VLAN, "eth_type", "ip_ttl", "ip_frag", *IP_ENDS),
        set=fields(LOCAL_VLAN, "eth_src", "eth_dst", "ip_ttl", HANDED_UP, METERED, *NEXT_HOP)
        | fields(IN_PORT, "nxm_in_port"),
        next=("paths", "metering", "to_outside", "next_hop", "hand_up", "switching"),
    ),
    Table(
        "paths",
        "of a route with several next hops: the one that has the slot of the packet's flow",
        match=fields(ROUTER, LOCAL_VLAN, "eth_type", "ipv4_src", "ipv4_dst", "ipv6_dst", NEXT_HOP[0]),
        set=fields(LOCAL_VLAN, "eth_src", "eth_dst", "ip_ttl", HANDED_UP, METERED, *NEXT_HOP)
        | fields(IN_PORT, "nxm_in_port"),
        next=("metering", "to_outside", "next_hop", "switching"),
    ),
    Table(
        "metering",
        "asked in passing, for each metering label of the router, about what comes from the external network and what "
        "leaves for it: its flows only count",
        match=fields(METERED, ROUTER, LOCAL_VLAN, "eth_type", *IP_ENDS),
    ),
    Table(
        "to_outside",
        "to the external network: a port's address becomes its floating IP, what comes from where a port is forwarded "
        "to becomes that port, any other the gateway's; ICMP errors of who has a floating IP go to the agent",
        match=fields(
            ROUTER, HANDED_UP, "eth_src", "eth_type", "ip_proto", "icmpv4_type", "ipv4_src", "conj_id", "ip_frag"
        )
        | fields("icmpv6_type", "ipv6_src", *SOURCE_PORTS, "tcp_dst", "udp_dst"),
        set=fields(LOCAL_VLAN, "eth_src", "ipv4_src", *SOURCE_PORTS, PIECE, *NEXT_HOP),
        next=("forwarded_pieces", "answers", "outside_egress", "next_hop", "hand_up"),
        miss="outside_egress",
        agent=True,
    ),
    Table(
        "forwarded_pieces",
        "fragments from or to where ports are forwarded: of which ports they are, where the tracker gives them whole",
        match=fields(
            "ct_zone", "ct_state", "eth_type", "ct_nw_proto", "ct_nw_src", "ct_nw_dst", "ct_tp_src", "ct_tp_dst"
        ),
        next=("outside_egress",),
        again=("translated",),
        entry=True,
    ),
    Table(
        "answers",
        "of a router with several gateways: whether it was asked through another one than routes lead to",
        match=fields(ROUTER, "eth_src", "eth_type", "ipv4_src", "ct_zone", "ct_state"),
        set=fields(LOCAL_VLAN, "eth_src", "ipv4_src", *NEXT_HOP),
        next=("outside_egress",),
        entry=True,
    ),
    Table(
        "outside_egress",
        "to the external network, with such an address; what the tracker could not translate ends, but an ICMPv6 error "
        "about what NAT66 has translated goes to the agent",
        match=fields(ROUTER, "eth_type", "ip_proto", "ipv4_src", "ct_state", "ct_zone"),
        next=("next_hop",),
        miss="next_hop",
        entry=True,
        agent=True,
    ),
    Table(
        "next_hop",
        "whose address is it?  As the database knows it; a neighbouring router's packets go on there at once",
        match=fields(LOCAL_VLAN, "eth_type", HANDED_UP, *NEXT_HOP),
        set=fields("eth_dst", IN_PORT, "nxm_in_port", HANDED_UP),
        next=("hand_up", "switching"),
        again=("to_router",),
        entry=True,
    ),
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
        next=("ingress", "commit"),
    ),
    Table(
        "ingress",
        "for each destination: what is for a guarded port goes through the connection tracker, unless it has or is for "
        "many",
        match=fields(OUT_PORT, ANSWERED, FLOODED, *FRAGMENTS, "udp_src", "ipv4_dst", "ipv6_dst", "ct_state"),
        set=fields(PIECE),
        next=("ingress_state", "ingress_groups", "commit", "ingress_qos"),
        again=("pieces",),
        miss="ingress_qos",
    ),
    Table(
        "ingress_state",
        "as egress_state",
        match=fields(PIECE, "eth_type", "ip_frag", "ct_state", "ct_mark"),
        next=("ingress_groups", "ingress_qos"),
        miss="ingress_groups",
        entry=True,
    ),
    Table(
        "ingress_groups",
        "asks each group of the receiving port",
        match=fields(OUT_PORT),
        set=fields(GROUP),
        next=("ingress_rules", "ingress_verdict"),
        miss="ingress_verdict",
    ),
    _rules("ingress_rules", "src"),
    Table(
        "ingress_verdict",
        "as egress_verdict; where several get it, each port that may answer ends its own answers",
        match=fields(OUT_PORT, PERMITTED, FLOODED, "eth_type", "ct_state"),
        set=fields(PERMITTED),
        next=("commit",),
    ),
    Table(
        "commit",
        "what both ends permit: a new connection is remembered, one that had ended is taken up again",
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
)
