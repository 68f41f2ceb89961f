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
from netweft.services.firewall_tables import FOR_FIREWALLS
from netweft.services.firewall_tables import SUBROUTINES as FIREWALL_SUBROUTINES
from netweft.services.packet_fields import ADVERTISED, ARP_SENDER, ICMPV6, IP_ENDS, SOURCE_PORTS, TARGET_PORTS
from netweft.services.tables import Table, fields

ROUTING = (
    Table(
        "to_router",
        "packets to a router's MAC: routed on the node where they start; BFD of a next hop goes to its session; what "
        "physical hosts send to a VIP is recognised by this node's MAC for it",
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
            *("from_member", *FIREWALL_SUBROUTINES),
        ),
        again=("advertised",),
        miss="switching",
        agent=True,
        output=True,
    ),
    Table(
        "from_the_wire",
        "what comes to a router from physical hosts, which have no port: if the router port's firewall permits it",
        match=fields(PERMITTED),
        set=fields(PERMITTED),
        next=("leaves_network", "rejected"),
    ),
    Table(
        "leaves_network",
        "a connection that a guarded port was permitted to open is committed in the zone of the network that it "
        "leaves; the next network has its own",
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
        "from the external network: un-SNATs what is for the gateway's address, DNATs floating IPs and port "
        "forwardings; ICMP errors about those go to the agent; source addresses of the router's own networks are "
        "dropped",
        match=fields(ROUTER, "eth_type", "ip_proto", "icmpv4_type", "ipv4_dst", "conj_id", "ip_frag", *TARGET_PORTS)
        | fields("icmpv6_type", "ipv6_dst", LOCAL_VLAN, "ipv4_src", "ipv6_src", "tcp_src", "udp_src"),
        set=fields("ipv4_dst", *TARGET_PORTS, PIECE, NEXT_HOP[-1]),
        next=("forwarded_pieces", "translated", "to_router_itself"),
        miss="to_router_itself",
        agent=True,
    ),
    Table(
        "translated",
        "what a gateway's conntrack returns goes on in that gateway's router, fragments of another datagram included; "
        "connections that a helper expects are committed; ICMPv6 errors about what NAT66 translated go to the agent",
        match=fields("ct_zone", "ct_state", "eth_type", "ct_nw_proto", "ct_nw_dst")
        | fields("ip_proto", "icmpv6_type", "ipv4_dst", "sctp_dst", "tcp_dst"),
        set=fields(ROUTER, LOCAL_VLAN, "ipv4_dst", "tcp_dst"),
        next=("to_router_itself",),
        entry=True,
        agent=True,
    ),
    Table(
        "to_router_itself",
        "to an address of the router itself: echo requests are answered, anything else goes to the agent",
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
        "the router's routes, longest prefix first: output network, next hop, and whether the packet exceeds that "
        "network's MTU",
        match=fields(ROUTER, LOCAL_VLAN, *ICMPV6, "ip_ttl", "ip_frag", *IP_ENDS, "udp_src", "udp_dst"),
        set=fields(LOCAL_VLAN, "eth_src", "eth_dst", "ip_ttl", HANDED_UP, METERED, *NEXT_HOP)
        | fields(IN_PORT, "nxm_in_port"),
        next=("paths", "metering", "to_outside", "next_hop", "hand_up", "switching"),
    ),
    Table(
        "paths",
        "ECMP: the next hop that has the slot of the packet's hash",
        match=fields(ROUTER, LOCAL_VLAN, "eth_type", "ipv4_src", "ipv4_dst", "ipv6_dst", NEXT_HOP[0]),
        set=fields(LOCAL_VLAN, "eth_src", "eth_dst", "ip_ttl", HANDED_UP, METERED, *NEXT_HOP)
        | fields(IN_PORT, "nxm_in_port"),
        next=("metering", "to_outside", "next_hop", "switching"),
    ),
    Table(
        "metering",
        "subroutine, once per metering label of the router, of what comes from and leaves for the external network: "
        "its flows only count",
        match=fields(METERED, ROUTER, LOCAL_VLAN, "eth_type", *IP_ENDS),
    ),
    Table(
        "to_outside",
        "to the external network: SNAT to the port's floating IP, to the forwarded port, or else to the gateway's "
        "address; ICMP errors from ports with a floating IP go to the agent",
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
        "fragments of port forwardings, which have no ports to match: where conntrack returns them the connection's "
        "ct_mark has them, and the agent gets those of a connection without",
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
        "of a router with several gateways: replies whose request came in by another gateway than the routes lead to",
        match=fields(ROUTER, "eth_src", "eth_type", "ipv4_src", "ct_zone", "ct_state"),
        set=fields(LOCAL_VLAN, "eth_src", "ipv4_src", *NEXT_HOP),
        next=("outside_egress",),
        entry=True,
    ),
    Table(
        "outside_egress",
        "to the external network, translated; what conntrack could not translate is dropped, but ICMPv6 errors about "
        "what NAT66 translated go to the agent",
        match=fields(ROUTER, "eth_type", "ip_proto", "ipv4_src", "ct_state", "ct_zone"),
        next=("next_hop",),
        miss="next_hop",
        entry=True,
        agent=True,
    ),
    Table(
        "next_hop",
        "resolves the next hop to a MAC, as the database knows it; if it is another router's interface, that router "
        "routes next",
        match=fields(LOCAL_VLAN, "eth_type", HANDED_UP, *NEXT_HOP),
        set=fields("eth_dst", IN_PORT, "nxm_in_port", HANDED_UP, PERMITTED),
        next=("into_network", "hand_up", "switching", "router_egress", "router_ingress"),
        again=("to_router",),
        entry=True,
    ),
    Table(
        "into_network",
        "to another router, or to a host that the database does not know, where router ports have firewall groups: no "
        "later table evaluates them",
        match=fields(PERMITTED, TRIAL, "eth_type", "ct_state"),
        set=fields(PERMITTED, TRIAL, LOCAL_VLAN),
        next=("rejected",),
        again=("to_router",),
    ),
)
