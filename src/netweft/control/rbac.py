"""Sharing with some projects: an entry says that one other project, or everybody, may use an object.

Only what is shared is written down; who may see or name what is worked out from that when somebody asks.
"""

from collections.abc import Collection

from netweft.control.errors import BadRequest, Conflict, NotFound
from netweft.control.standard import Plain, born
from netweft.store import Claim, New, Object, Query, ReadTransaction, Taken, WriteTransaction

KIND = "rbac_policies"
EVERYBODY = "*"
ACTION = "access_as_shared"
KINDS = {
    "network": "networks",
    "security_group": "security_groups",
    "address_group": "address_groups",
    "qos_policy": "policies",
}
_TYPES = {kind: type for type, kind in KINDS.items()}


class RbacPolicyNotFound(NotFound):
    message = "RBAC policy of type %(object_type)s with ID %(policy_id)s not found"

    def __init__(self, id: str) -> None:
        super().__init__(object_type="", policy_id=id)


class RbacObjectNotFound(NotFound):
    type = "NotFound"
    message = "%(object_type)s %(object_id)s could not be found."


class RbacPolicyInitError(BadRequest):
    message = "Failed to create RBAC policy on object %(object_id)s because %(reason)s"


class DuplicateRbacPolicy(Conflict):
    message = "An RBAC policy already exists with those values."


class RbacPolicyInUse(Conflict):
    message = "RBAC policy on object %(object_id)s cannot be removed because other objects depend on it."


class RbacPolicies(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        """The API has checked that the object is the caller's."""
        entries = [born(one) for one in wanted]
        for entry in entries:
            if entry["action"] != ACTION:
                raise RbacPolicyInitError(object_id=entry["object_id"], reason=f"only {ACTION} is supported")
            if tx.lock(KINDS[entry["object_type"]], entry["object_id"]) is None:
                raise RbacObjectNotFound(object_type=entry["object_type"], object_id=entry["object_id"])
        try:
            tx.insert_many(KIND, [New(entry, claims=[_claim(entry)]) for entry in entries])
        except Taken as taken:
            raise DuplicateRbacPolicy() from taken
        return entries

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        moved = current | changes
        if moved["target_tenant"] != current["target_tenant"]:
            _refuse_in_use(tx, current)
            tx.release(KIND, current["id"], [_claim(current)])
            try:
                tx.claim(KIND, current["id"], [_claim(moved)])
            except Taken as taken:
                raise DuplicateRbacPolicy() from taken
        return super().update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        _refuse_in_use(tx, current)
        super().delete(tx, current)


def shared_with(tx: ReadTransaction, kind: str, project_id: str | None) -> set[str]:
    """Ids of others' objects that this project may use."""
    return {entry["object_id"] for entry in tx.query(KIND, Query(_by_target(kind, [project_id, EVERYBODY])))}


def shared_by(tx: ReadTransaction, kind: str, ids: Collection[str]) -> set[str]:
    """Those of these objects that are shared with anybody."""
    entries = tx.query(KIND, Query({"object_type": [_TYPES[kind]], "object_id": list(ids)})) if ids else []
    return {entry["object_id"] for entry in entries}


def forget(tx: WriteTransaction, kind: str, id: str) -> None:
    """The object goes, and what was said about it."""
    for entry in tx.query(KIND, Query({"object_type": [_TYPES[kind]], "object_id": [id]})):
        tx.delete(KIND, entry["id"])


def _by_target(kind: str, targets: list[str | None]) -> dict[str, list[str | None]]:
    return {"object_type": [_TYPES[kind]], "target_tenant": targets}


def _refuse_in_use(tx: WriteTransaction, entry: Object) -> None:
    """Somebody else's object uses this one, and no other entry lets them."""
    kind, id = KINDS[entry["object_type"]], entry["object_id"]
    shared = tx.lock(kind, id)  # nobody begins to use it now
    same = tx.query(KIND, Query({"object_type": [entry["object_type"]], "object_id": [id]}))
    others = {one["target_tenant"] for one in same if one["id"] != entry["id"]}
    if shared is None or EVERYBODY in others:
        return
    for user in tx.referrers(kind, id):
        found = tx.glance.get(user.kind, user.id)
        project = found["project_id"] if found else shared["project_id"]
        concerned = entry["target_tenant"] in (EVERYBODY, project)
        if concerned and project != shared["project_id"] and project not in others:
            raise RbacPolicyInUse(object_id=id)


def _claim(entry: Object) -> Claim:
    return Claim(f"rbac:{entry['object_type']}:{entry['object_id']}", f"{entry['action']}:{entry['target_tenant']}")
