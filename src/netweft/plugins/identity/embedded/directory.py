"""Users, projects and roles.  There is one domain, `default`; names are unique within their kind.

An object in the store is what the API shows, and for a user `password_hash` and `token_generation`: every token names
the generation it was issued in, so that raising it revokes them all.
"""

import uuid
from typing import Final

from netweft.plugins.identity.embedded.errors import Conflict, NotFound
from netweft.store import Claim, Missing, Object, Query, ReadTransaction, Taken, WriteTransaction

DOMAIN_ID: Final = "default"
DOMAIN: Final[Object] = {
    "id": DOMAIN_ID,
    "name": "Default",
    "description": "The default domain",
    "enabled": True,
    "tags": [],
    "options": {},
}
# what an object has unless it is said; `project` and `user` as Keystone shows them
_DEFAULTS: Final[dict[str, Object]] = {
    "roles": {"description": "", "domain_id": None, "options": {}},
    "projects": {
        "domain_id": DOMAIN_ID,
        "description": "",
        "enabled": True,
        "parent_id": DOMAIN_ID,
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
_DEPENDENTS = ("role_assignments", "application_credentials", "access_rules")


def new_id() -> str:
    return uuid.uuid4().hex


def get(tx: ReadTransaction, kind: str, id: str) -> Object:
    """Raises NotFound."""
    found = tx.get(kind, id)
    if found is None:
        raise NotFound(kind, id)
    return found


def find(tx: ReadTransaction, kind: str, *, id: str | None = None, name: str | None = None) -> Object | None:
    if id is None and name is not None:
        holder = tx.holders(_names(kind), [name]).get(name)
        id = holder[1] if holder else None
    return tx.get(kind, id) if id is not None else None


def query(tx: ReadTransaction, kind: str, query: Query) -> list[Object]:
    """Raises NotFound for a marker that is not there."""
    try:
        return tx.query(kind, query)
    except Missing as error:
        raise NotFound(kind, error.id) from None


def create(tx: WriteTransaction, kind: str, attributes: Object) -> Object:
    """Raises Conflict for a name that is taken, NotFound for a default project that is not there."""
    created: Object = {"id": new_id(), **_DEFAULTS[kind], **attributes}
    _check_default_project(tx, attributes)
    try:
        tx.insert(kind, created, claims=[Claim(_names(kind), created["name"])])
    except Taken:
        raise _taken(kind, created["name"]) from None
    return created


def update(tx: WriteTransaction, kind: str, id: str, changes: Object) -> Object:
    """A user that is disabled, or gets a new password, loses all tokens.  Raises NotFound, Conflict."""
    before = tx.lock(kind, id)
    if before is None:
        raise NotFound(kind, id)
    _check_default_project(tx, changes)
    name = changes["name"] if "name" in changes else before["name"]
    if name != before["name"]:
        tx.release(kind, id, [Claim(_names(kind), before["name"])])
        try:
            tx.claim(kind, id, [Claim(_names(kind), name)])
        except Taken:
            raise _taken(kind, name) from None
    if kind == "users" and (changes.get("enabled") is False or "password_hash" in changes):
        changes = changes | {"token_generation": before["token_generation"] + 1}
    return tx.update(kind, id, changes)


def delete(tx: WriteTransaction, kind: str, id: str) -> None:
    """With the grants, application credentials and access rules that depend on it.  Raises NotFound."""
    if tx.lock(kind, id) is None:
        raise NotFound(kind, id)
    referrers = {(r.kind, r.id) for r in tx.referrers(kind, id) if r.kind in _DEPENDENTS}
    for referrer in sorted(referrers, key=lambda one: _DEPENDENTS.index(one[0])):
        tx.delete(*referrer)
    tx.delete(kind, id)


def _names(kind: str) -> str:
    return f"name:{kind}"


def _taken(kind: str, name: str) -> Conflict:
    return Conflict(
        f"Conflict occurred attempting to store {kind.removesuffix('s')} - Duplicate entry found with name {name}."
    )


def _check_default_project(tx: ReadTransaction, attributes: Object) -> None:
    if attributes.get("default_project_id") is not None:
        get(tx, "projects", attributes["default_project_id"])
