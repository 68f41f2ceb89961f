"""Who has which role where.  One object for each actor and target, so that a token is resolved by few look-ups by key.

role_assignments: {"id": "ACTOR.TARGET", "user_id" or "group_id", "project_id", "domain_id" or "system",
"roles": [role id, ...]}.  "inherited": true, and so in the id, for roles that hold not there, but in all projects
below.
"""

from collections.abc import Iterator
from typing import NamedTuple

from netweft.plugins.identity.embedded import groups
from netweft.plugins.identity.embedded.directory import DOMAIN_ID, delete, get, lock
from netweft.plugins.identity.embedded.errors import NotFound
from netweft.store import Link, Object, ReadTransaction, WriteTransaction

KIND = "role_assignments"
KINDS = {"user_id": "users", "group_id": "groups", "project_id": "projects", "domain_id": "domains"}


class Actor(NamedTuple):
    """Who has a role: `attribute` is user_id or group_id."""

    attribute: str
    id: str


class Target(NamedTuple):
    """Where a role holds: `attribute` is project_id, domain_id or system.  inherited: in the projects below it."""

    attribute: str
    id: str
    inherited: bool = False


def on_project(id: str) -> Target:
    return Target("project_id", id)


def on_domain(id: str) -> Target:
    return Target("domain_id", id)


ON_DOMAIN = on_domain(DOMAIN_ID)
ON_SYSTEM = Target("system", "all")


def user(id: str) -> Actor:
    return Actor("user_id", id)


def add(tx: WriteTransaction, actor: Actor, target: Target, role_id: str) -> None:
    """Nothing happens when it is there already.  Raises NotFound."""
    _check(tx, actor, target, role_id)
    before = tx.lock(KIND, _id(actor, target))
    if before is None:
        grant: Object = {"id": _id(actor, target), actor.attribute: actor.id, target.attribute: target.id}
        grant |= {"roles": [role_id]} | ({"inherited": True} if target.inherited else {})
        ends = [Link(end.attribute, KINDS[end.attribute], end.id) for end in (actor, target) if end != ON_SYSTEM]
        tx.insert(KIND, grant, [*ends, Link("roles", "roles", role_id)])
    elif role_id not in before["roles"]:
        _set_roles(tx, before, [*before["roles"], role_id])


def remove(tx: WriteTransaction, actor: Actor, target: Target, role_id: str) -> None:
    """Raises NotFound, also when the actor has not got it."""
    _check(tx, actor, target, role_id)
    before = tx.lock(KIND, _id(actor, target))
    if before is None or role_id not in before["roles"]:
        raise NotFound("role assignment", role_id)
    _set_roles(tx, before, [role for role in before["roles"] if role != role_id])


def delete_role(tx: WriteTransaction, role_id: str) -> None:
    """From everybody who has it, and itself.  Raises NotFound."""
    lock(tx, "roles", role_id)
    for referrer in tx.referrers("roles", role_id, source_kind=KIND):
        grant = tx.lock(KIND, referrer.id)
        if grant is not None:
            _set_roles(tx, grant, [role for role in grant["roles"] if role != role_id])
    delete(tx, "roles", role_id)


def granted(tx: ReadTransaction, actor: Actor, target: Target) -> list[str]:
    """Ids of the roles that this actor itself was given there."""
    grant = tx.get(KIND, _id(actor, target))
    return list(grant["roles"]) if grant else []


def role_ids(tx: ReadTransaction, user_id: str, target: Target) -> list[str]:
    """What the user was given there, itself or by a group, or inherits."""
    actors = [user(user_id), *(Actor("group_id", id) for id in groups.of_user(tx, user_id))]
    targets = [target, *_above(tx, target)]
    found = tx.get_many(KIND, [_id(actor, place) for actor in actors for place in targets])
    return list(dict.fromkeys(role for grant in found.values() for role in grant["roles"]))


def projects_of(tx: ReadTransaction, user_id: str) -> list[Object]:
    places = (place for grant in _all_of(tx, user_id) for place in places_of(tx, grant))
    ids = {place.id for place in places if place.attribute == "project_id"}
    return sorted(tx.get_many("projects", ids).values(), key=lambda project: str(project["name"]))


def domains_of(tx: ReadTransaction, user_id: str) -> list[Object]:
    ids = [grant["domain_id"] for grant in _all_of(tx, user_id) if "domain_id" in grant and not grant.get("inherited")]
    return sorted(tx.get_many("domains", ids).values(), key=lambda domain: str(domain["name"]))


def target_of(grant: Object) -> Target:
    attribute = next((name for name in ("project_id", "domain_id") if name in grant), "")
    return Target(attribute, grant[attribute], grant.get("inherited", False)) if attribute else ON_SYSTEM


def places_of(tx: ReadTransaction, grant: Object) -> list[Target]:
    """Where its roles hold."""
    target = target_of(grant)
    return [on_project(id) for id in below(tx, target)] if target.inherited else [target]


def below(tx: ReadTransaction, target: Target) -> list[str]:
    """Ids of the projects in it, and in these."""
    if target.attribute == "domain_id":
        return [one.id for one in tx.referrers("domains", target.id, source_kind="projects")]
    found: dict[str, None] = {}
    level = [target.id]
    while level:
        level = [one.id for one in tx.referrers("projects", level, source_kind="projects", attribute="parent_id")]
        found |= dict.fromkeys(level)
    return list(found)


def _above(tx: ReadTransaction, target: Target) -> Iterator[Target]:
    """From where it inherits."""
    project = tx.get("projects", target.id) if target.attribute == "project_id" else None
    while project is not None:
        domain: str = project["domain_id"]
        parent: str = project.get("parent_id") or domain
        is_top = parent == domain
        yield Target("domain_id", domain, inherited=True) if is_top else Target("project_id", parent, inherited=True)
        project = None if is_top else tx.get("projects", parent)


def _all_of(tx: ReadTransaction, user_id: str) -> list[Object]:
    found = [one.id for one in tx.referrers("users", user_id, source_kind=KIND)]
    found += [one.id for one in tx.referrers("groups", groups.of_user(tx, user_id), source_kind=KIND)]
    return list(tx.get_many(KIND, found).values())


def _set_roles(tx: WriteTransaction, grant: Object, roles: list[str]) -> None:
    if roles:
        tx.update(KIND, grant["id"], {"roles": roles}, {"roles": [Link("roles", "roles", role) for role in roles]})
    else:
        tx.delete(KIND, grant["id"])


def _check(tx: ReadTransaction, actor: Actor, target: Target, role_id: str) -> None:
    get(tx, "roles", role_id)
    for end in (actor, target):
        if end != ON_SYSTEM:
            get(tx, KINDS[end.attribute], end.id)


def _id(actor: Actor, target: Target) -> str:
    return f"{actor.id}.{target.id}" + (".inherited" if target.inherited else "")
