"""The integration bridge's tables of load balancers, in order: from a VIP to a member, and back.

They stand behind switching: what a client sends to a VIP is first permitted, routed and switched as what is sent to
any other address, and comes here where it would have been delivered.  From here it is switched, or routed, once more,
to the member that it gets (decision 0570).
"""

from netweft.services.fields import (
    HANDED_UP,
    IN_PORT,
    LOCAL_VLAN,
    NEXT_HOP,
    ORIGIN,
    OUT_PORT,
    PIECE,
    POOL,
    SLOT,
    TRIAL,
)
from netweft.services.packet_fields import IP_ENDS, SOURCE_PORTS, TARGET_PORTS
from netweft.services.tables import Table, fields

BALANCING = (
    Table(
        "to_vip",
        "a connection that a guarded port was permitted to open to a VIP is committed in its network's zone",
        match=fields("eth_type", "ct_state", "ct_mark"),
        next=("balance",),
        miss="balance",
    ),
    Table(
        "balance",
        "packets to a VIP: finds the listener and its pool, and checks allowed_cidrs.  Echo requests are answered, "
        "what has no listener is dropped",
        match=fields(LOCAL_VLAN, "eth_type", "ip_proto", "ip_frag", "icmpv4_type", "icmpv4_code", "icmpv6_type")
        | fields("icmpv6_code", *IP_ENDS, *SOURCE_PORTS, *TARGET_PORTS, PIECE, "ct_zone"),
        set=fields(POOL, PIECE, "eth_src", "eth_dst", *IP_ENDS, "icmpv4_type", "icmpv6_type", "ip_ttl", *NEXT_HOP)
        | fields(IN_PORT, "nxm_in_port", ORIGIN),
        next=("balance_state", "hairpin"),
        again=("to_router",),
    ),
    Table(
        "balance_state",
        "a known connection keeps its member; a new one gets the slot of its hash in the pool.  A new one whose first "
        "packet is fragmented goes to the agent, which commits it",
        match=fields(POOL, LOCAL_VLAN, PIECE, "eth_type", "ip_frag", "ct_state", "ct_mark", *IP_ENDS),
        set=fields(*NEXT_HOP, "ipv4_src", "ipv6_src"),
        next=("members", "to_member"),
        agent=True,
        entry=True,
    ),
    Table(
        "members",
        "the slots of a pool: which member a new connection gets",
        match=fields(POOL, SLOT, "eth_type"),
        next=("hairpin", "to_member"),
    ),
    Table(
        "hairpin",
        "a member's answer to itself by way of the VIP that it saw as its client: un-SNAT",
        match=fields("eth_type", "ct_state"),
        next=("to_member",),
        entry=True,
    ),
    Table(
        "to_member",
        "from the VIP's network to the member: in the same network, or by its router; a member that is its own client "
        "sees the VIP as client (SNAT)",
        match=fields(LOCAL_VLAN, ORIGIN, TRIAL, "eth_type", "ct_state", "ct_nw_dst", "ct_ipv6_dst", *IP_ENDS),
        set=fields("eth_src", "eth_dst", IN_PORT, "nxm_in_port", HANDED_UP, *NEXT_HOP),
        again=("to_router", "next_hop", "to_member"),
        entry=True,
    ),
)

# behind `ingress` and `to_outside`, both of which lead here
FROM_MEMBER = Table(
    "from_member",
    "a member's replies to a VIP's clients get the VIP as source, and are counted for its listener; its other packets "
    "go on unchanged",
    match=fields(
        *(ORIGIN, PIECE, "eth_type", "ip_frag", "ct_state", "ct_nw_proto", "ct_nw_dst", "ct_ipv6_dst", "ct_tp_dst"),
        *(LOCAL_VLAN, OUT_PORT, "ct_label"),
    ),
    set=fields(ORIGIN, LOCAL_VLAN, IN_PORT, OUT_PORT, "nxm_in_port", "eth_src", "eth_dst"),
    again=("switching", "ingress", "to_outside", "from_member"),
    entry=True,
)
