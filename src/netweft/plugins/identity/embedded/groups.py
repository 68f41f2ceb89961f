"""Who is in which group.  memberships: {"id": "GROUP.USER", "group_id", "user_id"}."""

from netweft.plugins.identity.embedded.directory import get
from netweft.plugins.identity.embedded.errors import NotFound
from netweft.store import Link, Object, ReadTransaction, WriteTransaction

KIND = "memberships"


def add(tx: WriteTransaction, group_id: str, user_id: str) -> None:
    """Nothing happens when the user is in it already.  Raises NotFound."""
    get(tx, "groups", group_id)
    get(tx, "users", user_id)
    if tx.lock(KIND, _id(group_id, user_id)) is None:
        links = [Link("group_id", "groups", group_id), Link("user_id", "users", user_id)]
        tx.insert(KIND, {"id": _id(group_id, user_id), "group_id": group_id, "user_id": user_id}, links)


def remove(tx: WriteTransaction, group_id: str, user_id: str) -> None:
    """Raises NotFound."""
    if tx.lock(KIND, _id(group_id, user_id)) is None:
        raise NotFound("user", f"{user_id} in group {group_id}")
    tx.delete(KIND, _id(group_id, user_id))


def check(tx: ReadTransaction, group_id: str, user_id: str) -> None:
    """Raises NotFound when the user is not in it."""
    if tx.get(KIND, _id(group_id, user_id)) is None:
        raise NotFound("user", f"{user_id} in group {group_id}")


def of_user(tx: ReadTransaction, user_id: str) -> list[str]:
    """Ids of groups."""
    return [found["group_id"] for found in _members(tx, "users", user_id)]


def users_in(tx: ReadTransaction, group_id: str) -> list[Object]:
    ids = [found["user_id"] for found in _members(tx, "groups", group_id)]
    return sorted(tx.get_many("users", ids).values(), key=lambda user: str(user["name"]))


def _members(tx: ReadTransaction, kind: str, id: str) -> list[Object]:
    return list(tx.get_many(KIND, [one.id for one in tx.referrers(kind, id, source_kind=KIND)]).values())


def _id(group_id: str, user_id: str) -> str:
    return f"{group_id}.{user_id}"
