"""Fields of packets that are matched together, by OpenFlow's names (Open vSwitch's ovs-fields(7))."""

ICMPV6 = ("eth_type", "ip_proto", "icmpv6_type")
IP_ENDS = ("ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst")
ADVERTISED = ("icmpv6_type", "nd_options_type", "nd_reserved")
ARP_SENDER = ("arp_op", "arp_spa", "arp_sha")
SOURCE_PORTS, TARGET_PORTS = ((f"tcp_{end}", f"udp_{end}", f"sctp_{end}") for end in ("src", "dst"))
SERVICE = (*ICMPV6, "icmpv6_code", "icmpv4_type", "icmpv4_code", "tcp_dst", "udp_dst", "sctp_dst")
