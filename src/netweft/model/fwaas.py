"""Firewalls as a service (FWaaS v2), as a node sees them: what filters its ports besides security groups.

    Port, RouterPort ── firewall_group_id ──▶ FirewallGroup ──▶ FirewallPolicy ── in this order ──▶ FirewallRule

A port has one group at most and names it itself, so that one port more is one small change whatever the size of the
group.  Each of the three is an object of its own: a rule that many policies name is sent once.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

FIREWALL_GROUP: Final = "netweft:firewall_group"  # kept on a port, not shown: the group that it is in
# ours, of rules: Neutron's have single prefixes only
SOURCE_ADDRESSES: Final = "netweft:source_address_group_id"
DESTINATION_ADDRESSES: Final = "netweft:destination_address_group_id"
PLACES: Final = "netweft:places"  # kept on a policy, not shown
MOST_PLACES: Final = 59_998
Event: TypeAlias = Literal["ALL", "ACCEPT", "DROP"]
OF_FIREWALLS: Final = "firewall_group"  # types of logs
OF_GROUPS: Final = "security_group"
Action: TypeAlias = Literal["allow", "deny", "reject"]


class FirewallRule(Struct, frozen=True, kw_only=True, tag="firewall_rule", omit_defaults=True):
    """What is done with packets of which all that is set is true.

    enabled: False: as if it were not there.
    protocol: the number in the IP header (58 for ICMPv6, also where the user said `icmp` with IPv6); None: any.
    source_*, destination_*: of the packet, whatever its direction.  An address and an address group at most one each;
    an address is a single one or a prefix, of ip_version; of a group, what it has of that version counts.
    *_port_range_*: inclusive, both or none; only with TCP and UDP.
    """

    id: str
    action: Action = "deny"
    enabled: bool = True
    ip_version: Literal[4, 6] = 4
    protocol: int | None = None
    source_ip_address: str | None = None
    destination_ip_address: str | None = None
    source_address_group_id: str | None = field(default=None, name=SOURCE_ADDRESSES)
    destination_address_group_id: str | None = field(default=None, name=DESTINATION_ADDRESSES)
    source_port_range_min: int | None = None
    source_port_range_max: int | None = None
    destination_port_range_min: int | None = None
    destination_port_range_max: int | None = None


class FirewallPolicy(Struct, frozen=True, kw_only=True, tag="firewall_policy", omit_defaults=True):
    """firewall_rules: ids, the first that is true of a packet decides.
    places: where each stands, rising, below MOST_PLACES; with gaps, so that a rule put between others moves none.  None
    of an older server: side by side."""

    id: str
    firewall_rules: tuple[str, ...] = ()
    places: tuple[int, ...] = field(default=(), name=PLACES)

    @property
    def placed(self) -> dict[str, int]:
        """Each rule's place."""
        count = len(self.firewall_rules)
        places = self.places if len(self.places) == count else range(count)
        return dict(zip(self.firewall_rules, places, strict=True))


class FirewallGroup(Struct, frozen=True, kw_only=True, tag="firewall_group", omit_defaults=True):
    """Which policies a port's traffic passes, by direction.

    ingress: to the VM; of a router's port: out of the router, into the port's network, as with FWaaS' L3 driver.
    A direction without a policy lets nothing through, nor does a group that is down: decision 0605.
    project_id: whose it is, and so its ports.
    """

    id: str
    project_id: str = ""
    admin_state_up: bool = True
    ingress_firewall_policy_id: str | None = None
    egress_firewall_policy_id: str | None = None


class FirewallLog(Struct, frozen=True, kw_only=True, tag="firewall_log", omit_defaults=True):
    """What is logged of the project's firewall groups, or security groups: new connections that are let through,
    packets that are not.

    resource_id: of one group alone.  target_id: of one port alone.
    """

    id: str
    project_id: str
    resource_type: str = OF_FIREWALLS
    event: Event = "ALL"
    resource_id: str | None = None
    target_id: str | None = None

    def is_about(self, group: FirewallGroup, port_id: str) -> bool:
        of_it = self.project_id == group.project_id and self.resource_id in (None, group.id)
        return self.resource_type == OF_FIREWALLS and of_it and self.target_id in (None, port_id)

    def is_about_groups(self, projects: Mapping[str, str], port_id: str) -> bool:
        """projects: of the port's security groups, by id."""
        of_them = self.resource_id in projects if self.resource_id else self.project_id in projects.values()
        return self.resource_type == OF_GROUPS and of_them and self.target_id in (None, port_id)
