"""Sharing with some projects: an entry says that one other project, or everybody, may use an object.

Only what is shared is written down; who may see or name what, and whether it is `shared` to them, is worked out from
that when somebody asks.
"""

from netweft.control.errors import BadRequest, Conflict, InvalidSharedSetting, NotFound
from netweft.control.standard import Plain, born, bumped
from netweft.store import Claim, New, Object, Query, ReadTransaction, Taken, WriteTransaction

KIND = "rbac_policies"
EVERYBODY = "*"
ACTION = "access_as_shared"
KINDS = {
    "network": "networks",
    "security_group": "security_groups",
    "address_group": "address_groups",
    "qos_policy": "policies",
    "subnetpool": "subnetpools",
}
_SERVICE = "network:"  # how the device_owner of a network's own ports begins: they use nothing of what is shared
_TYPES = {kind: type for type, kind in KINDS.items()}


class RbacPolicyNotFound(NotFound):
    message = "RBAC policy of type %(object_type)s with ID %(policy_id)s not found"

    def __init__(self, id: str) -> None:
        super().__init__(object_type="", policy_id=id)


class RbacObjectNotFound(NotFound):
    type = "NotFound"
    message = "%(object_type)s %(object_id)s could not be found."


class InvalidActionForType(BadRequest):
    message = "Invalid action '%(action)s' for object type '%(object_type)s'. Valid actions: %(valid_actions)s"


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
                raise InvalidActionForType(
                    action=entry["action"], object_type=entry["object_type"], valid_actions=(ACTION,)
                )
            _changed(tx, entry)
        _insert(tx, entries)
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
            _changed(tx, current)
        return super().update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        _refuse_in_use(tx, current)
        _changed(tx, current)
        super().delete(tx, current)


def share_with_everybody(tx: WriteTransaction, kind: str, object: Object, *, shared: bool) -> None:
    """Or no longer.  The object is locked, and written by the caller."""
    same = {"object_type": _TYPES[kind], "object_id": object["id"], "action": ACTION, "target_tenant": EVERYBODY}
    there = tx.query(KIND, Query({name: [value] for name, value in same.items()}))
    if shared and not there:
        _insert(tx, [born(same | {"project_id": object["project_id"]})])
    for entry in there if not shared else ():
        try:
            _refuse_in_use(tx, entry)
        except RbacPolicyInUse as refusal:
            if kind != "networks":
                raise
            raise InvalidSharedSetting(network=object.get("name") or object["id"]) from refusal
        tx.delete(KIND, entry["id"])


def shared_with(tx: ReadTransaction, kind: str, project_id: str | None) -> set[str]:
    """Ids of others' objects that this project may use."""
    return {entry["object_id"] for entry in tx.query(KIND, Query(_by_target(kind, [project_id, EVERYBODY])))}


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
        if found and found.get("device_owner", "").startswith(_SERVICE):
            continue
        project = found["project_id"] if found else shared["project_id"]
        concerned = entry["target_tenant"] in (EVERYBODY, project)
        if concerned and project != shared["project_id"] and project not in others:
            raise RbacPolicyInUse(object_id=id)


def _insert(tx: WriteTransaction, entries: list[Object]) -> None:
    try:
        tx.insert_many(KIND, [New(entry, claims=[_claim(entry)]) for entry in entries])
    except Taken as taken:
        raise DuplicateRbacPolicy() from taken


def _changed(tx: WriteTransaction, entry: Object) -> None:
    """What it is about is shared otherwise now: that is a revision of it."""
    kind, id = KINDS[entry["object_type"]], entry["object_id"]
    object = tx.lock(kind, id)
    if object is None:
        raise RbacObjectNotFound(object_type=entry["object_type"], object_id=id)
    tx.update(kind, id, bumped(object, {}))


def _claim(entry: Object) -> Claim:
    return Claim(f"rbac:{entry['object_type']}:{entry['object_id']}", f"{entry['action']}:{entry['target_tenant']}")
