"""From firewall groups and policies (FWaaS) to what ports and services work with: as `services/wiring`."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from netweft.model import FirewallGroup, FirewallLog, FirewallRule, Port, RouterPort
from netweft.reconcile.memo import Reader
from netweft.services.security.firewall_policies import ends_of
from netweft.services.values import AddressEnd, Firewall, PolicyCall, PolicyRule

EVENTS: Final = ("ACCEPT", "DROP")


def firewall(read: Reader, port: Port | RouterPort) -> Firewall | None:
    """None: it is in no group.  One that is not known here yet, or is down, lets nothing pass."""
    if port.firewall_group_id is None:
        return None
    group: FirewallGroup | None = read.get(("firewall_group", port.firewall_group_id))
    if group is None:
        return Firewall()
    return replace(_of_group(read, group), port_id=port.id, events=_events(read, group, port.id))


def _of_group(read: Reader, group: FirewallGroup) -> Firewall:
    if not group.admin_state_up:
        return Firewall()
    return Firewall(
        ingress=_policy_call(read, group.ingress_firewall_policy_id),
        egress=_policy_call(read, group.egress_firewall_policy_id),
    )


def router_firewalls(read: Reader, network_id: str) -> tuple[Firewall, ...]:
    found = (read.get(("firewall_group", group_id)) for group_id in read.get(("router firewalls", network_id)) or ())
    return tuple(_of_group(read, group) for group in found if group)


def _events(read: Reader, group: FirewallGroup, port_id: str) -> tuple[str, ...]:
    logs: tuple[FirewallLog, ...] = read.get(("firewall logs", group.project_id)) or ()
    return _named(log.event for log in logs if log.is_about(group, port_id))


def group_events(read: Reader, port: Port) -> tuple[str, ...]:
    """Which of its security groups' verdicts are logged."""
    if not port.port_security_enabled:
        return ()
    projects = {id: read.get(("group project", id)) or "" for id in port.security_groups}
    logs = (log for project in sorted(set(projects.values())) for log in read.get(("firewall logs", project)) or ())
    return _named(log.event for log in logs if log.is_about_groups(projects, port.id))


def _named(events: Iterable[str]) -> tuple[str, ...]:
    named = set(events)
    return EVENTS if "ALL" in named else tuple(event for event in EVENTS if event in named)


def _policy_call(read: Reader, policy_id: str | None) -> PolicyCall | None:
    """Not its rules: one is no news for the port."""
    number: int | None = read.get(("policy number", policy_id)) if policy_id else None
    if number is None:
        return None
    sets: tuple[AddressEnd, ...] = read.get(("policy sets", policy_id)) or ()
    return PolicyCall(number, tuple(read.get(("set number", *end)) for end in sets))


def policy_rule(read: Reader, policy_id: str, rule_id: str) -> PolicyRule | None:
    """None: the policy does not name it."""
    place: int | None = read.get(("place", policy_id, rule_id))
    if place is None:
        return None
    rule: FirewallRule | None = read.get(("firewall_rule", rule_id))
    names_sets = rule is not None and next(ends_of(rule), None)
    return PolicyRule(
        policy=read.get(("policy number", policy_id)),
        place=place,
        rule=rule,
        sets=(read.get(("policy sets", policy_id)) or ()) if names_sets else (),
    )
