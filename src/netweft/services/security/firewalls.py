"""From firewall groups and policies (FWaaS) to what ports and services work with: as `services/wiring`."""

from netweft.model import FirewallGroup, FirewallRule
from netweft.reconcile.memo import Reader
from netweft.services.security.firewall_policies import ends_of
from netweft.services.values import AddressEnd, Firewall, PolicyCall, PolicyRule


def firewall(read: Reader, group_id: str | None) -> Firewall | None:
    """None: there is no group.  One that is not known here yet, or is down, lets nothing pass."""
    if group_id is None:
        return None
    group: FirewallGroup | None = read.get(("firewall_group", group_id))
    if group is None or not group.admin_state_up:
        return Firewall()
    return Firewall(
        ingress=_policy_call(read, group.ingress_firewall_policy_id),
        egress=_policy_call(read, group.egress_firewall_policy_id),
    )


def router_firewalls(read: Reader, network_id: str) -> tuple[Firewall, ...]:
    found = (firewall(read, group_id) for group_id in read.get(("router firewalls", network_id)) or ())
    return tuple(one for one in found if one)


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
