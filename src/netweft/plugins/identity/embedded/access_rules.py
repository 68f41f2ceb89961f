"""Access rules: a user's own, each there once, for any number of that user's application credentials.

access_rules: {"id", "user_id", "service", "method", "path"}; they never change: credentials have copies.
"""

from collections.abc import Iterable

from netweft.plugins.identity.embedded.directory import get, new_id
from netweft.plugins.identity.embedded.errors import Forbidden, Invalid, NotFound
from netweft.store import Busy, Claim, InUse, Link, Object, ReadTransaction, Taken, WriteTransaction

KIND = "access_rules"
SHOWN = ("id", "service", "method", "path")


def settle(tx: WriteTransaction, user_id: str, wanted: Iterable[Object]) -> list[Object]:
    """What stands for what is wanted: by id, or by what it says; made when it is not there.  Raises Invalid."""
    return [_settle(tx, user_id, one) for one in wanted]


def links(rules: Iterable[Object]) -> list[Link]:
    return [Link(KIND, KIND, id) for id in dict.fromkeys(rule["id"] for rule in rules)]


def of_user(tx: ReadTransaction, user_id: str) -> list[Object]:
    ids = [referrer.id for referrer in tx.referrers("users", user_id, source_kind=KIND)]
    return sorted(tx.get_many(KIND, ids).values(), key=lambda rule: str(rule["id"]))


def get_own(tx: ReadTransaction, user_id: str, id: str) -> Object:
    """Raises NotFound, also for somebody else's."""
    found = get(tx, KIND, id)
    if found["user_id"] != user_id:
        raise NotFound(KIND, id)
    return found


def delete(tx: WriteTransaction, user_id: str, id: str) -> None:
    """Raises NotFound, Forbidden."""
    tx.lock(KIND, id)
    get_own(tx, user_id, id)
    try:
        tx.delete(KIND, id)
    except InUse:
        raise Forbidden("May not delete access rule in use") from None


def shown(rule: Object) -> Object:
    return {name: rule[name] for name in SHOWN}


def _settle(tx: WriteTransaction, user_id: str, wanted: Object) -> Object:
    said = [wanted.get(name) for name in ("service", "method", "path")]
    if wanted.get("id") is not None:
        found = tx.get(KIND, wanted["id"])
        if found is None or found["user_id"] != user_id:
            raise Invalid(f"Could not find access rule: {wanted['id']}.")
        return shown(found)
    if None in said:
        raise Invalid("An access rule has an id, or a service, a method and a path.")
    same = Claim(f"{KIND}:{user_id}", " ".join(map(str, said)))
    holder = tx.holders(same.scope, [same.value]).get(same.value)
    if holder is not None:
        return shown(get(tx, KIND, holder[1]))
    rule = {"id": new_id(), "user_id": user_id} | {name: wanted[name] for name in ("service", "method", "path")}
    try:
        tx.insert(KIND, rule, [Link("user_id", "users", user_id)], [same])
    except Taken as taken:
        raise Busy() from taken  # another transaction has just made the same one
    return shown(rule)
