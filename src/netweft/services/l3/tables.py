"""The integration bridge's tables of routers, in order: what enters a router, where it leaves it, and to whom.

They stand between what leaves a port and what is switched (`integration_tables`).
"""

from netweft.services.fields import (
    ANSWERED,
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    METERED,
    NEXT_HOP,
    ORIGIN,
    OUT_PORT,
    PERMITTED,
    PIECE,
    ROUTER,
    TRIAL,
)
from netweft.services.firewall_tables import ASKED as FIREWALLS_ASKED
from netweft.services.firewall_tables import FOR_FIREWALLS
from netweft.services.packet_fields import ADVERTISED, ARP_SENDER, ICMPV6, IP_ENDS, SOURCE_PORTS, TARGET_PORTS
from netweft.services.tables import Table, fields

ROUTING = (
    Table(
        "to_router",
        "what is for a router's MAC: whose?  A router's packets go through it where they start, on this node; BFD of "
        "a next hop goes to its session.  And what physical hosts send to a VIP, by this node's MAC for it",
        match=fields(LOCAL_VLAN, "eth_dst", "eth_src", "vlan_vid", "arp_op", "arp_sha", "arp_spa", "arp_tpa")
        | fields(*ICMPV6, "icmpv6_code", "nd_target", "nd_sll", *IP_ENDS, "ip_ttl", "ip_frag", "udp_dst"),
        set=fields(
            ROUTER,
            IN_PORT,
            OUT_PORT,
            ORIGIN,
            "nxm_in_port",
            "eth_src",
            "eth_dst",
            *ARP_SENDER,
            "arp_tpa",
            "arp_tha",
            "nd_sll",
        )
        | fields(HANDED_UP, "ipv6_src", "ipv6_dst", *ADVERTISED, *FOR_FIREWALLS),
        next=(
            *("from_the_wire", "leaves_network", "outside_ingress", "from_outside", "hand_up", "switching"),
            *("from_member", *FIREWALLS_ASKED),
        ),
        again=("advertised",),
        miss="switching",
        agent=True,
        output=True,
    ),
    Table(
        "from_the_wire",
        "what comes to a router from hosts on a wire, whom nothing else guards: if its firewall lets it through",
        match=fields(PERMITTED),
        set=fields(PERMITTED),
        next=("leaves_network", "rejected"),
    ),
    Table(
        "leaves_network",
        "what a guarded port was permitted to send is committed in the zone of the network that it leaves; the next "
        "one has a conntrack zone of its own",
        match=fields("eth_type", "ct_state", "ct_mark", TRIAL),
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
        "to the agent; nothing comes in as from inside",
        match=fields(ROUTER, "eth_type", "ip_proto", "icmpv4_type", "ipv4_dst", "conj_id", "ip_frag", *TARGET_PORTS)
        | fields("icmpv6_type", "ipv6_dst", LOCAL_VLAN, "ipv4_src", "ipv6_src", "tcp_src", "udp_src"),
        set=fields("ipv4_dst", *TARGET_PORTS, PIECE, NEXT_HOP[-1]),
        next=("forwarded_pieces", "translated", "to_router_itself"),
        miss="to_router_itself",
        agent=True,
    ),
    Table(
        "translated",
        "what a gateway's conntrack gives back goes on in that gateway's router; fragments may have come with "
        "another's; what a helper has heard of is committed; an ICMPv6 error about what NAT66 has translated goes to "
        "the agent",
        match=fields("ct_zone", "ct_state", "eth_type", "ct_nw_proto", "ct_nw_dst")
        | fields("ip_proto", "icmpv6_type", "ipv4_dst", "sctp_dst", "tcp_dst"),
        set=fields(ROUTER, LOCAL_VLAN, "ipv4_dst", "tcp_dst"),
        next=("to_router_itself",),
        entry=True,
        agent=True,
    ),
    Table(
        "to_router_itself",
        "for an address of the router's own: echo requests are turned round, anything else is for the agent",
        match=fields(ROUTER, LOCAL_VLAN, PIECE, "eth_type", "ip_proto", "ip_frag", "ipv4_dst", "ipv6_dst", "ipv6_src")
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
        | fields("icmpv6_type", "ipv6_src", *SOURCE_PORTS, "tcp_dst", "udp_dst", ORIGIN),
        set=fields(ORIGIN, LOCAL_VLAN, "eth_src", "ipv4_src", *SOURCE_PORTS, PIECE, *NEXT_HOP),
        next=("forwarded_pieces", "answers", "outside_egress", "next_hop", "hand_up", "from_member"),
        miss="outside_egress",
        agent=True,
    ),
    Table(
        "forwarded_pieces",
        "fragments from or to where ports are forwarded: of which ports they are; where conntrack gives fragments "
        "back their connection's mark says it, and the agent gets those of one that has none",
        match=fields(
            *("ct_zone", "ct_state", "ct_mark", "eth_type", PIECE),
            *("ct_nw_proto", "ct_nw_src", "ct_nw_dst", "ct_tp_src", "ct_tp_dst", "ip_proto", "ipv4_src", "ipv4_dst"),
        ),
        next=("outside_egress",),
        again=("translated",),
        entry=True,
        agent=True,
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
        "to the external network, with such an address; what conntrack could not translate ends, but an ICMPv6 error "
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
        set=fields("eth_dst", IN_PORT, "nxm_in_port", HANDED_UP, PERMITTED),
        next=("into_network", "hand_up", "switching", "router_egress", "router_ingress"),
        again=("to_router",),
        entry=True,
    ),
    Table(
        "into_network",
        "to another router, or to a host that the database does not know, where routers' ports have firewalls: nobody "
        "asks them later on",
        match=fields(PERMITTED, TRIAL, "eth_type", "ct_state"),
        set=fields(PERMITTED, TRIAL, LOCAL_VLAN),
        next=("rejected",),
        again=("to_router",),
    ),
)
