"""Domains, projects, users, groups and roles.  Names are unique within their kind and domain; roles have no domain.

An object in the store is what the API shows, and for a user `password_hash` and `token_generation`: every token names
the generation it was issued in, so that raising it revokes them all.
"""

import uuid
from typing import Final

from netweft.plugins.identity.embedded.errors import Conflict, Forbidden, Invalid, NotFound
from netweft.store import Claim, Link, Missing, Object, Query, ReadTransaction, Taken, WriteTransaction

DOMAIN_ID: Final = "default"
MAX_DEPTH: Final = 5  # of projects in projects, as Keystone
DOMAIN: Final[Object] = {"id": DOMAIN_ID, "name": "Default", "description": "The default domain"}
# what an object has unless it is said; `project` and `user` as Keystone shows them
_DEFAULTS: Final[dict[str, Object]] = {
    "domains": {"description": "", "enabled": True, "tags": [], "options": {}},
    "groups": {"domain_id": DOMAIN_ID, "description": ""},
    "roles": {"description": "", "domain_id": None, "options": {}},
    "projects": {
        "domain_id": DOMAIN_ID,
        "description": "",
        "enabled": True,
        "is_domain": False,
        "tags": [],
        "options": {},
    },
    "users": {
        "domain_id": DOMAIN_ID,
        "enabled": True,
        "options": {},
        "password_expires_at": None,
        "password_hash": None,
        "token_generation": 0,
    },
}
# what goes with an object, in this order: the links that others hold to it
_DEPENDENTS = ("role_assignments", "memberships", "implied_roles", "application_credentials", "access_rules")
_IN_DOMAINS = ("projects", "users", "groups")


def new_id() -> str:
    return uuid.uuid4().hex


def get(tx: ReadTransaction, kind: str, id: str) -> Object:
    """Raises NotFound."""
    found = tx.get(kind, id)
    if found is None:
        raise NotFound(kind, id)
    return found


def lock(tx: WriteTransaction, kind: str, id: str) -> Object:
    """To be changed or deleted.  Raises NotFound."""
    found = tx.lock(kind, id)
    if found is None:
        raise NotFound(kind, id)
    return found


def find(
    tx: ReadTransaction, kind: str, *, id: str | None = None, name: str | None = None, domain_id: str = DOMAIN_ID
) -> Object | None:
    """By id, or by name within a domain."""
    if id is None and name is not None:
        holder = tx.holders(_names(kind, domain_id), [name]).get(name)
        id = holder[1] if holder else None
    return tx.get(kind, id) if id is not None else None


def query(tx: ReadTransaction, kind: str, query: Query) -> list[Object]:
    """Raises NotFound for a marker that is not there."""
    try:
        return tx.query(kind, query)
    except Missing as error:
        raise NotFound(kind, error.id) from None


def create(tx: WriteTransaction, kind: str, attributes: Object) -> Object:
    """Raises Conflict for a name that is taken, Invalid for a domain, parent or default project that is not there."""
    created: Object = {"id": new_id(), **_DEFAULTS[kind], **attributes}
    links = []
    if kind in _IN_DOMAINS:
        links.append(Link("domain_id", "domains", created["domain_id"]))
        if tx.get("domains", created["domain_id"]) is None:
            raise Invalid(f"domain_id: could not find domain: {created['domain_id']}.")
    if kind == "projects":
        created["parent_id"] = created.get("parent_id") or created["domain_id"]
        links += _parent(tx, created)
    _check_default_project(tx, attributes)
    try:
        tx.insert(kind, created, links, [Claim(_names(kind, created.get("domain_id")), created["name"])])
    except Taken:
        raise _taken(kind, created["name"]) from None
    return created


def update(tx: WriteTransaction, kind: str, id: str, changes: Object) -> Object:
    """A user that is disabled, or gets a new password, loses all tokens.  Raises NotFound, Conflict, Invalid."""
    before = lock(tx, kind, id)
    for name in ("domain_id", "parent_id"):
        if changes.get(name, before.get(name)) != before.get(name):
            raise Invalid(f"{name} cannot be changed.")
    _check_default_project(tx, changes)
    name = changes["name"] if "name" in changes else before["name"]
    if name != before["name"]:
        scope = _names(kind, before.get("domain_id"))
        tx.release(kind, id, [Claim(scope, before["name"])])
        try:
            tx.claim(kind, id, [Claim(scope, name)])
        except Taken:
            raise _taken(kind, name) from None
    if kind == "users" and (changes.get("enabled") is False or "password_hash" in changes):
        changes = changes | {"token_generation": before["token_generation"] + 1}
    return tx.update(kind, id, changes)


def delete(tx: WriteTransaction, kind: str, id: str) -> None:
    """With what depends on it (_DEPENDENTS); of a domain all that is in it.  Raises NotFound, Forbidden."""
    found = lock(tx, kind, id)
    if kind == "domains":
        _empty_domain(tx, found)
    if kind == "projects" and tx.referrers(kind, id, source_kind="projects"):
        raise Forbidden(f"Cannot delete the project {id} since it is not a leaf in the hierarchy.")
    referrers = {(r.kind, r.id) for r in tx.referrers(kind, id) if r.kind in _DEPENDENTS}
    for referrer in sorted(referrers, key=lambda one: _DEPENDENTS.index(one[0])):
        tx.delete(*referrer)
    tx.delete(kind, id)


def domain_of(tx: ReadTransaction, found: Object) -> dict[str, str]:
    """As tokens and role assignments show it."""
    domain = tx.get("domains", found["domain_id"]) or DOMAIN
    return {"id": domain["id"], "name": domain["name"]}


def is_usable(tx: ReadTransaction, found: Object) -> bool:
    """A user, or a project: it is enabled, and so is its domain."""
    return bool(found["enabled"] and (tx.get("domains", found["domain_id"]) or {"enabled": True})["enabled"])


def _parent(tx: ReadTransaction, project: Object) -> list[Link]:
    """Of a project that is not right below its domain.  Raises Invalid."""
    parent_id = project["parent_id"]
    if parent_id == project["domain_id"]:
        return []
    parent = tx.get("projects", parent_id)
    if parent is None or parent["domain_id"] != project["domain_id"]:
        raise Invalid(f"parent_id: could not find project: {parent_id} in domain {project['domain_id']}.")
    depth, above = 1, parent
    while above["parent_id"] != above["domain_id"]:
        depth, above = depth + 1, get(tx, "projects", above["parent_id"])
    if depth >= MAX_DEPTH:
        raise Forbidden(f"Max hierarchy depth reached for {parent_id} branch.")
    return [Link("parent_id", "projects", parent_id)]


def _empty_domain(tx: WriteTransaction, domain: Object) -> None:
    """Raises Forbidden."""
    if domain["enabled"]:
        raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
    if domain["id"] == DOMAIN_ID:
        raise Forbidden("The default domain cannot be deleted.")
    for kind in ("users", "groups"):
        for referrer in tx.referrers("domains", domain["id"], source_kind=kind):
            delete(tx, kind, referrer.id)
    projects = {one.id for one in tx.referrers("domains", domain["id"], source_kind="projects")}
    while projects:  # leaves first
        leaves = {id for id in projects if not tx.referrers("projects", id, source_kind="projects")}
        for id in leaves:
            delete(tx, "projects", id)
        projects -= leaves


def _names(kind: str, domain_id: str | None = DOMAIN_ID) -> str:
    return f"name:{kind}" if domain_id in (None, DOMAIN_ID) else f"name:{kind}:{domain_id}"


def _taken(kind: str, name: str) -> Conflict:
    return Conflict(
        f"Conflict occurred attempting to store {kind.removesuffix('s')} - Duplicate entry found with name {name}."
    )


def _check_default_project(tx: ReadTransaction, attributes: Object) -> None:
    if attributes.get("default_project_id") is not None:
        get(tx, "projects", attributes["default_project_id"])
