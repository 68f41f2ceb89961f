"""RBAC entries: that one other project, or everybody, may use an object, or that a network is external to them.

Only that is written down; who may see or name what, and whether it is `shared` to them, is worked out from it when
somebody asks.  Only `router:external` is kept with the network as well: it says whether there is any such entry.
"""

from collections.abc import Collection, Iterator

from netweft.control.errors import BadRequest, Conflict, InvalidSharedSetting, NotFound
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.control.standard import Plain, born, bumped
from netweft.store import Claim, New, Object, Query, ReadTransaction, Taken, WriteTransaction

KIND = "rbac_policies"
EVERYBODY = "*"
SHARED = "access_as_shared"
EXTERNAL = "access_as_external"
IS_EXTERNAL, IS_DEFAULT = "router:external", "is_default"  # of networks
KINDS = {
    "network": "networks",
    "security_group": "security_groups",
    "address_group": "address_groups",
    "qos_policy": "policies",
    "subnetpool": "subnetpools",
    "address_scope": "address_scopes",
}
_PARTS = ("security_group_id",)  # by which an object's own parts name it
_SERVICE = "network:"  # how the device_owner of a network's own ports begins: they use nothing, but for interfaces
_TYPES = {kind: type for type, kind in KINDS.items()}
_ACTIONS = dict.fromkeys(KINDS, (SHARED,)) | {"network": (SHARED, EXTERNAL)}


class RbacPolicyNotFound(NotFound):
    message = "RBAC policy of type %(object_type)s with ID %(policy_id)s not found"

    def __init__(self, id: str) -> None:
        super().__init__(object_type="", policy_id=id)


class RbacObjectNotFound(NotFound):
    type = "NotFound"
    message = "%(object_type)s %(object_id)s could not be found."


class InvalidActionForType(BadRequest):
    message = "Invalid action '%(action)s' for object type '%(object_type)s'. Valid actions: %(valid_actions)s"


class RbacPolicyInitError(BadRequest):
    message = "Failed to create RBAC policy on object %(object_id)s because %(reason)s."


class DuplicateRbacPolicy(Conflict):
    message = "An RBAC policy already exists with those values."


class RbacPolicyInUse(Conflict):
    message = (
        "RBAC policy on object %(object_id)s cannot be removed because other objects depend on it.\n"
        "Details: %(details)s"
    )


class RbacPolicies(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        """The API has checked that the object is the caller's."""
        entries = [born(one) for one in wanted]
        for entry in entries:
            type, action = entry["object_type"], entry["action"]
            if action not in _ACTIONS[type]:
                raise InvalidActionForType(action=action, object_type=type, valid_actions=_ACTIONS[type])
            _changed(tx, entry, {IS_EXTERNAL: True} if action == EXTERNAL else {})
            _refuse_out_of_scope(tx, entry)
        _insert(tx, entries)
        return entries

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        moved = current | changes
        if moved["target_tenant"] != current["target_tenant"]:
            _refuse_in_use(tx, current, instead=moved["target_tenant"])
            tx.release(KIND, current["id"], [_claim(current)])
            try:
                tx.claim(KIND, current["id"], [_claim(moved)])
            except Taken as taken:
                raise DuplicateRbacPolicy() from taken
            _changed(tx, current, {})
        return super().update(tx, current, changes)

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        _refuse_in_use(tx, current)
        was_last = current["action"] == EXTERNAL and len(_entries(tx, current)) == 1
        _changed(tx, current, {IS_EXTERNAL: False} if was_last else {})
        super().delete(tx, current)


def share_with_everybody(tx: WriteTransaction, kind: str, object: Object, *, shared: bool) -> None:
    """Or no longer.  The object is locked, and written by the caller."""
    same = _for_everybody(kind, object, SHARED)
    scope, this = _claim(same)
    there = tx.holders(scope, [this])
    if shared and not there:
        _insert(tx, [born(same)])
    for _, id in there.values() if not shared else ():
        try:
            _refuse_in_use(tx, same | {"id": id})
        except RbacPolicyInUse as refusal:
            if kind != "networks":
                raise
            raise InvalidSharedSetting(network=object.get("name") or object["id"]) from refusal
        tx.delete(KIND, id)


def open_to_everybody(tx: WriteTransaction, network: Object, *, external: bool) -> None:
    """It becomes external to everybody, or to nobody any more.  The network is locked, and written by the caller."""
    same = _for_everybody("networks", network, EXTERNAL)
    if external:
        _insert(tx, [born(same)])
    else:
        for entry in _entries(tx, same):
            tx.delete(KIND, entry["id"])


def is_open_to_everybody(tx: ReadTransaction, network: Object) -> bool:
    scope, this = _claim(_for_everybody("networks", network, EXTERNAL))
    return bool(tx.holders(scope, [this]))


def shared_with(
    tx: ReadTransaction,
    kind: str,
    project_id: str | None,
    action: str = SHARED,
    among: Collection[str] | None = None,
) -> set[str]:
    """Ids of others' objects that this project may use, or to which these networks are external.  among: of these."""
    scopes = {_scope(_TYPES[kind], action, target) for target in (project_id, EVERYBODY) if target}
    return {id for scope in scopes for id in (tx.held(scope) if among is None else tx.holders(scope, among))}


def is_shared_with(tx: ReadTransaction, kind: str, id: str, project_id: str | None) -> bool:
    """By an entry that names this project."""
    return bool(project_id and tx.holders(_scope(_TYPES[kind], SHARED, project_id), [id]))


def forget(tx: WriteTransaction, kind: str, id: str) -> None:
    """The object goes, and what was said about it."""
    for entry in tx.query(KIND, Query({"object_type": [_TYPES[kind]], "object_id": [id]})):
        tx.delete(KIND, entry["id"])


def _for_everybody(kind: str, object: Object, action: str) -> Object:
    said = {"object_type": _TYPES[kind], "object_id": object["id"], "action": action, "target_tenant": EVERYBODY}
    return said | {"project_id": object["project_id"]}


def _entries(tx: ReadTransaction, like: Object) -> list[Object]:
    """That say the same of the same object, to whomever."""
    return tx.query(KIND, Query({name: [like[name]] for name in ("object_type", "object_id", "action")}))


def _refuse_in_use(tx: WriteTransaction, entry: Object, instead: str | None = None) -> None:
    """Somebody else's object needs it, and no other entry lets them.  instead: whom it will be for.
    Both as Neutron has it: of what is shared with everybody the owner's objects count, too, but on networks; and what
    is shared with one project instead is as good as gone, whichever project that is."""
    kind, id, target = KINDS[entry["object_type"]], entry["object_id"], entry["target_tenant"]
    object = tx.lock(kind, id)  # nobody begins to use it now
    others = {one["target_tenant"] for one in _entries(tx, entry) if one["id"] != entry["id"]}
    others |= {instead} if entry["action"] == EXTERNAL or instead == EVERYBODY else set()
    if object is None or EVERYBODY in others:
        return
    if entry["action"] == EXTERNAL and target == EVERYBODY and object.get(IS_DEFAULT):
        raise RbacPolicyInUse(object_id=id, details="Default external networks must be shared to everyone.")
    needs_none = object["project_id"] if kind == "networks" or target != EVERYBODY else None
    for project in _users(tx, kind, object, entry["action"]):
        concerned = target in (EVERYBODY, project)
        if concerned and project != needs_none and project not in others:
            raise RbacPolicyInUse(object_id=id, details="Other projects use it.")


def _refuse_out_of_scope(tx: WriteTransaction, entry: Object) -> None:
    """A subnet pool is for those who may use the address scope that it is in."""
    pool = tx.glance.get("subnetpools", entry["object_id"]) if entry["object_type"] == "subnetpool" else None
    scope, target = (pool or {}).get("address_scope_id"), entry["target_tenant"]
    named = None if target == EVERYBODY else target
    if scope and not shared_with(tx, "address_scopes", named, among=[scope]):
        reason = "target project doesn't have access to associated address scope"
        raise RbacPolicyInitError(object_id=entry["object_id"], reason=reason)


def _users(tx: WriteTransaction, kind: str, object: Object, action: str) -> Iterator[str]:
    """The projects of what uses it, as what the action says: routers, by their gateways, what is external."""
    for user in tx.referrers(kind, object["id"]):
        if user.attribute in _PARTS:
            continue
        found = tx.glance.get(user.kind, user.id) or object
        owner = found.get("device_owner", "")
        if owner == GATEWAY and action == EXTERNAL:
            router = tx.glance.get("routers", found["device_id"])  # whose gateway, itself, is nobody's
            yield (router or found)["project_id"]
        elif action != EXTERNAL and (owner == INTERFACE or not owner.startswith(_SERVICE)):
            yield found["project_id"]


def _insert(tx: WriteTransaction, entries: list[Object]) -> None:
    try:
        tx.insert_many(KIND, [New(entry, claims=[_claim(entry)]) for entry in entries])
    except Taken as taken:
        raise DuplicateRbacPolicy() from taken


def _changed(tx: WriteTransaction, entry: Object, changes: Object) -> None:
    """What it is about is shared otherwise now: that is a revision of it."""
    kind, id = KINDS[entry["object_type"]], entry["object_id"]
    object = tx.lock(kind, id)
    if object is None:
        raise RbacObjectNotFound(object_type=entry["object_type"], object_id=id)
    tx.update(kind, id, bumped(object, changes))


def _claim(entry: Object) -> Claim:
    """By target: what is shared with a project is looked up with each answer (decision 0321)."""
    return Claim(_scope(entry["object_type"], entry["action"], entry["target_tenant"]), entry["object_id"])


def _scope(type: str, action: str, target: str) -> str:
    return f"rbac:{type}:{action}:{target}"
