"""The integration bridge's tables of firewalls (FWaaS): asked in passing from where ports' groups are asked, and from
where routers hand packets to each other.  They are the last, so that all may ask them."""

from typing import Final

from netweft.services.fields import IN_PORT, LOCAL_VLAN, MEMBERS, OUT_PORT, PERMITTED, POLICY, TRIAL
from netweft.services.packet_fields import IP_ENDS, SOURCE_PORTS, TARGET_PORTS
from netweft.services.tables import Table, fields

FOR_FIREWALLS: Final = (PERMITTED, POLICY, MEMBERS)  # what a flow sets that asks them

ASKED: Final = ("address_sets", "policy_rules", "firewall_log")  # and where it goes for that

FIREWALLS: Final = (
    Table(
        "router_egress",
        "asked in passing, where routers' ports have firewalls: what is for such a router passes its port's egress "
        "policy, but for what is for the router itself",
        match=fields(LOCAL_VLAN, "eth_dst", "eth_type", "ipv4_dst", "ipv6_dst"),
        set=fields(*FOR_FIREWALLS),
        next=ASKED,
        passing=True,
    ),
    Table(
        "router_ingress",
        "likewise: what comes from such a router passes its port's ingress policy",
        match=fields(LOCAL_VLAN, "eth_src", "eth_type"),
        set=fields(*FOR_FIREWALLS),
        next=ASKED,
        passing=True,
    ),
    Table(
        "address_sets",
        "asked in passing, for each address group that a policy names: whether the packet's source, or its "
        "destination, is in it",
        match=fields(POLICY, "eth_type", *IP_ENDS),
        set=fields(MEMBERS),
    ),
    Table(
        "policy_rules",
        "asked in passing: the rules of one policy (POLICY), in order; the first that is true of the packet decides, "
        "and what none is true of is refused.  Answers are not asked about",
        match=fields(
            POLICY, MEMBERS, OUT_PORT, TRIAL, "conj_id", "ct_state", "ip_frag", "eth_type", "ip_proto", *IP_ENDS
        )
        | fields(*SOURCE_PORTS, *TARGET_PORTS),
        set=fields(PERMITTED),
    ),
    Table(
        "rejected",
        "what a firewall refuses by name: the agent says so to its sender, of each port so much, and of what no port "
        "is asked about, of each network",
        match=fields(LOCAL_VLAN, IN_PORT, OUT_PORT, TRIAL),
        agent=True,
    ),
    Table(
        "firewall_log",
        "what is logged of a port's firewall or security groups: a copy goes to the agent, of each port so much",
        match=fields(POLICY, MEMBERS, PERMITTED, TRIAL, "ct_state"),
        agent=True,
    ),
)
