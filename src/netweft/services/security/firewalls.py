"""From firewall groups and policies (FWaaS) to what ports and services work with: as `services/wiring`."""

from netweft.model import FirewallGroup, FirewallPolicy
from netweft.reconcile.memo import Reader
from netweft.services.values import AddressEnd, Firewall, LocalPolicy, PolicyCall


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


def local_policy(read: Reader, policy_id: str) -> LocalPolicy | None:
    """None: there is no such policy."""
    policy: FirewallPolicy | None = read.get(("firewall_policy", policy_id))
    if policy is None:
        return None
    return LocalPolicy(
        id=policy_id,
        number=read.get(("policy number", policy_id)),
        rules=tuple(read.get(("firewall_rule", id)) for id in policy.firewall_rules),
        sets=read.get(("policy sets", policy_id)) or (),
    )
