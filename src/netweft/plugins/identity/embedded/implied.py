"""Which role implies which.  implied_roles: {"id": "PRIOR.IMPLIED", "prior_role_id", "implied_role_id"}."""

from collections.abc import Iterable

from netweft.plugins.identity.embedded.directory import get
from netweft.plugins.identity.embedded.errors import Forbidden, NotFound
from netweft.store import Link, Object, ReadTransaction, WriteTransaction

KIND = "implied_roles"
AT_FIRST = {"admin": "manager", "manager": "member", "member": "reader"}  # as Keystone's bootstrap
NEVER = "admin"  # whoever could imply it could make anybody an admin


def add(tx: WriteTransaction, prior_id: str, implied_id: str) -> None:
    """Nothing happens when it is so already.  Raises NotFound, Forbidden."""
    get(tx, "roles", prior_id)
    if get(tx, "roles", implied_id)["name"] == NEVER:
        raise Forbidden(f"Role {NEVER} cannot be an implied role.")
    if tx.lock(KIND, _id(prior_id, implied_id)) is None:
        rule = {"id": _id(prior_id, implied_id), "prior_role_id": prior_id, "implied_role_id": implied_id}
        links = [Link("prior_role_id", "roles", prior_id), Link("implied_role_id", "roles", implied_id)]
        tx.insert(KIND, rule, links)


def remove(tx: WriteTransaction, prior_id: str, implied_id: str) -> None:
    """Raises NotFound."""
    if tx.lock(KIND, _id(prior_id, implied_id)) is None:
        raise NotFound("implied role", implied_id)
    tx.delete(KIND, _id(prior_id, implied_id))


def check(tx: ReadTransaction, prior_id: str, implied_id: str) -> None:
    """Raises NotFound when it does not."""
    get(tx, "roles", prior_id)
    if tx.get(KIND, _id(prior_id, implied_id)) is None:
        raise NotFound("implied role", implied_id)


def by_prior(tx: ReadTransaction) -> dict[str, list[str]]:
    """What each role implies itself."""
    found: dict[str, list[str]] = {}
    for rule in tx.query(KIND):
        found.setdefault(rule["prior_role_id"], []).append(rule["implied_role_id"])
    return found


def with_implied(tx: ReadTransaction, ids: Iterable[str]) -> list[Object]:
    """The roles, and all that they imply, in a fixed order."""
    rules, seen, waiting = by_prior(tx), set[str](), list(ids)
    while waiting:
        id = waiting.pop()
        if id not in seen:
            seen.add(id)
            waiting += rules.get(id, ())
    return sorted(tx.get_many("roles", seen).values(), key=lambda role: str(role["name"]))


def _id(prior_id: str, implied_id: str) -> str:
    return f"{prior_id}.{implied_id}"
