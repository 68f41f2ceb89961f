"""Who has which role where.  One object per user and project (or domain), so that a token is resolved by one look-up.

role_assignments: {"id": "USER.TARGET", "user_id", "project_id" or "domain_id", "roles": [role id, ...]}
"""

from collections.abc import Iterable
from typing import NamedTuple

from netweft.plugins.identity.embedded.directory import DOMAIN_ID, delete, get
from netweft.plugins.identity.embedded.errors import NotFound
from netweft.store import Link, Object, ReadTransaction, WriteTransaction

KIND = "role_assignments"
IMPLIED = {"admin": "manager", "manager": "member", "member": "reader"}


class Target(NamedTuple):
    """Where a role holds: `attribute` is project_id or domain_id."""

    attribute: str
    id: str


def on_project(id: str) -> Target:
    return Target("project_id", id)


ON_DOMAIN = Target("domain_id", DOMAIN_ID)


def add(tx: WriteTransaction, user_id: str, target: Target, role_id: str) -> None:
    """Nothing happens when it is there already.  Raises NotFound."""
    _check(tx, user_id, target, role_id)
    before = tx.lock(KIND, _id(user_id, target))
    if before is None:
        grant = {"id": _id(user_id, target), "user_id": user_id, target.attribute: target.id, "roles": [role_id]}
        links = [Link("user_id", "users", user_id), Link("roles", "roles", role_id)]
        if target.attribute == "project_id":
            links.append(Link("project_id", "projects", target.id))
        tx.insert(KIND, grant, links)
    elif role_id not in before["roles"]:
        _set_roles(tx, before, [*before["roles"], role_id])


def remove(tx: WriteTransaction, user_id: str, target: Target, role_id: str) -> None:
    """Raises NotFound, also when the user has not got it."""
    _check(tx, user_id, target, role_id)
    before = tx.lock(KIND, _id(user_id, target))
    if before is None or role_id not in before["roles"]:
        raise NotFound("role assignment", role_id)
    _set_roles(tx, before, [role for role in before["roles"] if role != role_id])


def delete_role(tx: WriteTransaction, role_id: str) -> None:
    """From everybody who has it, and itself.  Raises NotFound."""
    if tx.lock("roles", role_id) is None:
        raise NotFound("roles", role_id)
    for referrer in tx.referrers("roles", role_id, source_kind=KIND):
        grant = tx.lock(KIND, referrer.id)
        if grant is not None:
            _set_roles(tx, grant, [role for role in grant["roles"] if role != role_id])
    delete(tx, "roles", role_id)


def role_ids(tx: ReadTransaction, user_id: str, target: Target) -> list[str]:
    """As granted."""
    grant = tx.get(KIND, _id(user_id, target))
    return list(grant["roles"]) if grant else []


def with_implied(tx: ReadTransaction, ids: Iterable[str]) -> list[Object]:
    """The roles, and those that they imply, in a fixed order."""
    roles = {role["id"]: role for role in tx.query("roles")}
    names = {roles[id]["name"] for id in ids if id in roles}
    for name, implied in IMPLIED.items():  # in order: what admin implies implies on
        if name in names:
            names.add(implied)
    return sorted((role for role in roles.values() if role["name"] in names), key=lambda role: str(role["name"]))


def projects_of(tx: ReadTransaction, user_id: str) -> list[Object]:
    grants = tx.get_many(KIND, [r.id for r in tx.referrers("users", user_id, source_kind=KIND)])
    ids = [grant["project_id"] for grant in grants.values() if "project_id" in grant]
    return sorted(tx.get_many("projects", ids).values(), key=lambda project: str(project["name"]))


def _set_roles(tx: WriteTransaction, grant: Object, roles: list[str]) -> None:
    if roles:
        tx.update(KIND, grant["id"], {"roles": roles}, {"roles": [Link("roles", "roles", role) for role in roles]})
    else:
        tx.delete(KIND, grant["id"])


def _check(tx: ReadTransaction, user_id: str, target: Target, role_id: str) -> None:
    get(tx, "users", user_id)
    get(tx, "roles", role_id)
    if target.attribute == "project_id":
        get(tx, "projects", target.id)
    elif target.id != DOMAIN_ID:
        raise NotFound("domains", target.id)


def _id(user_id: str, target: Target) -> str:
    return f"{user_id}.{target.id}"
