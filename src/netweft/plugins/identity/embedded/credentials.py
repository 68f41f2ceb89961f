"""Application credentials: a user's own, for programs.  Each is for one project, with some of the user's roles there.

application_credentials: {"id", "user_id", "project_id", "name", "secret_hash", "roles": [{"id", "name"}], ...}
"""

from netweft.plugins.identity.embedded import access_rules
from netweft.plugins.identity.embedded.directory import get, new_id
from netweft.plugins.identity.embedded.errors import Conflict, NotFound
from netweft.store import Claim, Link, Object, ReadTransaction, Taken, WriteTransaction

KIND = "application_credentials"


def create(tx: WriteTransaction, user_id: str, project_id: str, attributes: Object) -> Object:
    """Raises Conflict: a user's application credentials have different names; Invalid for access rules unknown."""
    created: Object = {"id": new_id(), "user_id": user_id, "project_id": project_id} | attributes
    links = [Link("user_id", "users", user_id), Link("project_id", "projects", project_id)]
    if created.get("access_rules") is not None:
        created["access_rules"] = access_rules.settle(tx, user_id, created["access_rules"])
        links += access_rules.links(created["access_rules"])
    try:
        tx.insert(KIND, created, links, [Claim(_names(user_id), created["name"])])
    except Taken:
        raise Conflict(
            "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
            f"{created['name']}."
        ) from None
    return created


def of_user(tx: ReadTransaction, user_id: str) -> list[Object]:
    ids = [referrer.id for referrer in tx.referrers("users", user_id, source_kind=KIND)]
    return sorted(tx.get_many(KIND, ids).values(), key=lambda credential: str(credential["name"]))


def find(tx: ReadTransaction, *, id: str | None, user_id: str | None, name: str | None) -> Object | None:
    """By id, or by its user and name."""
    if id is None and user_id is not None and name is not None:
        holder = tx.holders(_names(user_id), [name]).get(name)
        id = holder[1] if holder else None
    return tx.get(KIND, id) if id is not None else None


def get_own(tx: ReadTransaction, user_id: str, id: str) -> Object:
    """Raises NotFound, also for somebody else's."""
    found = get(tx, KIND, id)
    if found["user_id"] != user_id:
        raise NotFound(KIND, id)
    return found


def _names(user_id: str) -> str:
    return f"name:{KIND}:{user_id}"
