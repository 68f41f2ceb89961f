"""The integration bridge's tables of firewalls (FWaaS): subroutines of the tables that evaluate ports' security groups,
and of those where routers pass packets to each other.  They are the last, so that any table can resubmit to them."""

from typing import Final

from netweft.services.fields import IN_PORT, LOCAL_VLAN, MEMBERS, OUT_PORT, PERMITTED, POLICY, TRIAL
from netweft.services.packet_fields import IP_ENDS, SOURCE_PORTS, TARGET_PORTS
from netweft.services.tables import Table, fields

FOR_FIREWALLS: Final = (PERMITTED, POLICY, MEMBERS)  # what a flow sets that resubmits to them

SUBROUTINES: Final = ("address_sets", "policy_rules", "firewall_log")  # and where it goes for that

FIREWALLS: Final = (
    Table(
        "router_egress",
        "subroutine, where router ports have firewall groups: what is sent to such a router passes its port's egress "
        "policy, except what is for the router itself",
        match=fields(LOCAL_VLAN, "eth_dst", "eth_type", "ipv4_dst", "ipv6_dst"),
        set=fields(*FOR_FIREWALLS),
        next=SUBROUTINES,
        subroutine=True,
    ),
    Table(
        "router_ingress",
        "subroutine: what comes from such a router passes its port's ingress policy",
        match=fields(LOCAL_VLAN, "eth_src", "eth_type"),
        set=fields(*FOR_FIREWALLS),
        next=SUBROUTINES,
        subroutine=True,
    ),
    Table(
        "address_sets",
        "subroutine, once per address group that a policy names: whether the packet's source, or its destination, is "
        "in it",
        match=fields(POLICY, "eth_type", *IP_ENDS),
        set=fields(MEMBERS),
    ),
    Table(
        "policy_rules",
        "subroutine: the rules of one policy (POLICY), in order; the first that matches decides, and what none matches "
        "is denied.  Replies are not evaluated",
        match=fields(
            POLICY, MEMBERS, OUT_PORT, TRIAL, "conj_id", "ct_state", "ip_frag", "eth_type", "ip_proto", *IP_ENDS
        )
        | fields(*SOURCE_PORTS, *TARGET_PORTS),
        set=fields(PERMITTED),
    ),
    Table(
        "rejected",
        "what a firewall rule rejects: the agent answers the sender with a TCP RST or an ICMP error, metered by port, "
        "or by network where no port is involved",
        match=fields(LOCAL_VLAN, IN_PORT, OUT_PORT, TRIAL),
        agent=True,
    ),
    Table(
        "firewall_log",
        "logging of a port's firewall or security groups: a copy goes to the agent, metered by port",
        match=fields(POLICY, MEMBERS, PERMITTED, TRIAL, "ct_state"),
        agent=True,
    ),
)
