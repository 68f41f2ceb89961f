"""Firewall groups: an ingress and an egress policy, and the ports that they are for.

Each project has one called `default`, made when somebody first looks or makes a group: with two policies and four rules
of its own, which let everything out and nothing in.  Nobody's ports are in it until they are put there (decision 0601).
"""

from collections.abc import Mapping

from netweft.control.fwaas import attachment, logs, policies, rules, status
from netweft.control.fwaas.attachment import GROUPS as KIND
from netweft.control.fwaas.errors import (
    FirewallDefaultObjectUpdateRestricted,
    FirewallDefaultParameterExists,
    FirewallGroupInUse,
    FirewallPolicyConflict,
    FirewallPolicyNotFound,
)
from netweft.control.fwaas.policies import DEFAULT_EGRESS, DEFAULT_INGRESS
from netweft.control.fwaas.rules import ADDRESS_GROUPS, RULES
from netweft.control.fwaas.rules import POLICIES as POLICIES_KIND
from netweft.control.fwaas.status import POLICIES
from netweft.control.standard import born, bumped
from netweft.store import Busy, Claim, Link, New, Object, ReadTransaction, Taken, WriteTransaction

DEFAULT = "default"
INGRESS, EGRESS = POLICIES
_DEFAULTS = "default_firewall_group"  # scope: a project holds one
_OF_DEFAULT = ("name", "description", "admin_state_up", *POLICIES)  # what a default group keeps
_ACTIONS: Mapping[str, str] = {"ingress": "deny", "egress": "allow"}


def default_exists(tx: ReadTransaction, project_id: str) -> bool:
    return bool(tx.holders(_DEFAULTS, [project_id]))


def is_default(group: Object) -> bool:
    return bool(group["name"] == DEFAULT)


class FirewallGroups:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            _refuse_reserved(one["name"])
        for project in sorted({one["project_id"] for one in wanted}):
            default_of(tx, project)
        return [self._create(tx, born(one, ports=list(one["ports"] or ()))) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        """What only an admin may do to a default group the API has refused to others."""
        if is_default(current) and "name" in changes:
            raise FirewallDefaultObjectUpdateRestricted(resource_type="Firewall Group", resource_id=current["id"])
        _refuse_reserved(changes.get("name", ""))
        after = current | changes
        named = [name for name in POLICIES if name in changes]
        for name in named:
            _check_policy(tx, after, after[name])
        if "ports" in changes:
            attachment.detach(tx, set(current["ports"]) - set(changes["ports"]))
            attachment.attach(tx, current, changes["ports"])
        links: dict[str, list[Link]] = {name: _links(after, name) for name in named}
        updated = tx.update(KIND, current["id"], bumped(current, changes), links)
        if any(updated[name] != current[name] for name in ("ports", "admin_state_up", *POLICIES)):
            status.pend(tx, [current["id"]])
        return tx.lock(KIND, current["id"]) or updated

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        """A default group goes with its policies and rules, as far as nobody else uses those; it is made again."""
        if current["ports"]:
            raise FirewallGroupInUse(firewall_id=current["id"])
        logs.leave(tx, KIND, current["id"])
        tx.delete(KIND, current["id"])
        if is_default(current):
            _delete_unused(tx, [current[name] for name in POLICIES if current[name]])

    def _create(self, tx: WriteTransaction, group: Object) -> Object:
        for name in POLICIES:
            _check_policy(tx, group, group[name])
        tx.insert_many(KIND, [New(group, [link for name in POLICIES for link in _links(group, name)])])
        attachment.attach(tx, group, group["ports"])
        status.pend(tx, [group["id"]])
        return tx.lock(KIND, group["id"]) or group


def refuse_to_change_default(current: Object, changes: Object) -> None:
    """For those who are no admins."""
    if is_default(current) and any(name in changes for name in _OF_DEFAULT):
        raise FirewallDefaultObjectUpdateRestricted(resource_type="Firewall Group", resource_id=current["id"])


def default_of(tx: WriteTransaction, project_id: str) -> str:
    """The id of the project's default group, which is made if it is not there."""
    holder = tx.holders(_DEFAULTS, [project_id]).get(project_id)
    if holder is not None:
        return holder[1]
    made = {way: _default_policy(tx, project_id, way) for way in _ACTIONS}
    group = born(
        {
            **_owned(project_id, DEFAULT, "Default firewall group"),
            "ports": [],
            "admin_state_up": True,
            INGRESS: made["ingress"],
            EGRESS: made["egress"],
        }
    )
    links = [link for name in POLICIES for link in _links(group, name)]
    try:
        tx.insert(KIND, group, links, [Claim(_DEFAULTS, project_id)])
    except Taken as taken:  # another server made it just now
        raise Busy(str(taken)) from taken
    id: str = group["id"]
    return id


def _default_policy(tx: WriteTransaction, project_id: str, way: str) -> str:
    made = [born(_default_rule(project_id, way, version)) for version in (4, 6)]
    tx.insert_many(rules.KIND, [New(rule) for rule in made])
    name = DEFAULT_INGRESS if way == "ingress" else DEFAULT_EGRESS
    policy = born(_owned(project_id, name, f"{way.capitalize()} firewall policy"), audited=False)
    policy[RULES] = [rule["id"] for rule in made]
    policies.insert(tx, [policy])
    id: str = policy["id"]
    return id


def _default_rule(project_id: str, way: str, version: int) -> Object:
    anything = ("protocol", "source_ip_address", "destination_ip_address", "source_port", "destination_port")
    return {
        **_owned(project_id, f"default {way} ipv{version}", f"default {way} rule for IPv{version}"),
        "action": _ACTIONS[way],
        "ip_version": version,
        "enabled": True,
        **dict.fromkeys((*anything, *ADDRESS_GROUPS)),
    }


def _owned(project_id: str, name: str, description: str) -> Object:
    return {"project_id": project_id, "name": name, "description": description, "shared": False}


def _delete_unused(tx: WriteTransaction, ids: list[str]) -> None:
    for id, policy in tx.lock_many(POLICIES_KIND, set(ids)).items():
        if tx.referrers(POLICIES_KIND, id):
            continue
        tx.delete(POLICIES_KIND, id)
        for rule in sorted(tx.lock_many(rules.KIND, set(policy[RULES]))):
            if not tx.referrers(rules.KIND, rule):
                tx.delete(rules.KIND, rule)


def _check_policy(tx: WriteTransaction, group: Object, id: str | None) -> None:
    """There, and for this group to have."""
    if id is None:
        return
    policy = tx.get(POLICIES_KIND, id)
    if policy is None:
        raise FirewallPolicyNotFound(id=id)
    if policy["project_id"] != group["project_id"] and not policy["shared"]:
        raise FirewallPolicyConflict(firewall_policy_id=id)


def _links(group: Object, name: str) -> list[Link]:
    return [Link(name, POLICIES_KIND, group[name])] if group[name] else []


def _refuse_reserved(name: str) -> None:
    if name == DEFAULT:
        raise FirewallDefaultParameterExists(resource_type="Firewall Group", name=name)
