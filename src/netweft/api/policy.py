"""Who may do what.  What a caller cannot see is not found; what they see and may not touch is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from netweft.api.attributes import UNSET, Attribute, Resource, Visibility, Who
from netweft.api.faults import PolicyNotAuthorized
from netweft.control import rbac
from netweft.control.errors import AddressGroupNotFound, NetworkNotFound, NotFound, PortNotFound, SecurityGroupNotFound
from netweft.control.qos import QosPolicyNotFound
from netweft.control.subnetpools import SubnetPoolNotFound
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

Filters = Mapping[str, Sequence[Any]]
_PARENT = "security_group_id"  # to be used is not to be changed
_NAMED: Mapping[str, tuple[str, type[NotFound]]] = {
    "security_group_id": ("security_groups", SecurityGroupNotFound),
    "remote_group_id": ("security_groups", SecurityGroupNotFound),
    "remote_address_group_id": ("address_groups", AddressGroupNotFound),
    "qos_policy_id": ("policies", QosPolicyNotFound),
    "subnetpool_id": ("subnetpools", SubnetPoolNotFound),
}
_SHARED_BY_FLAG = ("policies", "subnetpools")


class Policy:
    """The rules for one resource."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._for_admin = tuple(resource.attributes)
        self._for_others = tuple(n for n, a in resource.attributes.items() if a.seen_by is not Who.ADMIN)

    def seen(self, context: Context) -> tuple[str, ...]:
        """The attributes that this caller is shown."""
        return self._for_admin if context.is_admin else self._for_others

    def visible(self, tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        """Of which one must match; for an admin everything does."""
        if context.is_admin:
            return [{}]
        return self._resource.visible(tx, context) or [{"id": []}]

    def may_see(self, tx: ReadTransaction, context: Context, object: Object) -> bool:
        return any(_matches(object, filters) for filters in self.visible(tx, context))

    def check_create(self, tx: ReadTransaction, context: Context, given: Sequence[Object]) -> None:
        """given: as they were sent."""
        action = f"create_{self._resource.member}"
        _require(Who.MEMBER, context, None, action)
        networks = self._networks(tx, given) if not context.is_admin else {}
        for one in given:
            network = networks.get(one.get("network_id", ""))
            _require(self._resource.create_by, context, network, action)
            self._check_attributes(context, one, network, action)

    def check_update(self, tx: ReadTransaction, context: Context, current: Object, changes: Object) -> None:
        action = f"update_{self._resource.member}"
        network = self._check_owner(tx, context, current, action)
        self._check_attributes(context, changes, network, action)

    def check_delete(self, tx: ReadTransaction, context: Context, current: Object) -> None:
        self._check_owner(tx, context, current, f"delete_{self._resource.member}")

    def _check_owner(self, tx: ReadTransaction, context: Context, current: Object, action: str) -> Object | None:
        """The object's network, where it has one and that matters."""
        if context.is_admin:
            return None
        _require(self._resource.change_by, context, None, action)
        network = tx.get("networks", current["network_id"]) if self._resource.owned_through_network else None
        if current["project_id"] != context.project_id:
            _require(Who.NETWORK_OWNER, context, network, action)
        return network

    def _check_attributes(self, context: Context, values: Object, network: Object | None, action: str) -> None:
        for name, value in values.items():
            attribute = self._resource.attributes.get(name)
            if attribute is not None and attribute.set_by is not Who.MEMBER and _is_guarded(attribute, value):
                _require(attribute.set_by, context, network, f"{action}:{name}")

    def _networks(self, tx: ReadTransaction, given: Sequence[Object]) -> dict[str, Object]:
        if not self._resource.owned_through_network:
            return {}
        ids = {id for one in given if isinstance(id := one.get("network_id"), str)}
        return tx.get_many("networks", ids)


def visible_networks(tx: ReadTransaction, context: Context) -> Sequence[Filters]:
    """One's own, shared ones, and the external ones that routers lead to."""
    return [*own_and_shared("networks")(tx, context), {"shared": [True]}, {"router:external": [True]}]


def own_and_shared(kind: str) -> Visibility:
    def visible(tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        shared = rbac.shared_with(tx, kind, context.project_id)
        return [{"project_id": [context.project_id]}, *([{"id": sorted(shared)}] if shared else [])]

    return visible


def check_network(tx: ReadTransaction, context: Context, wanted: Sequence[Object]) -> None:
    """Nothing can be made on a network that the caller does not see."""
    if context.is_admin:
        return
    ids = {one["network_id"] for one in wanted if "network_id" in one}
    networks = tx.get_many("networks", ids)
    seen = visible_networks(tx, context)
    for id in ids:
        network = networks.get(id)
        if network is None or not any(_matches(network, filters) for filters in seen):
            raise NetworkNotFound(id=id)


def check_ports(tx: ReadTransaction, context: Context, wanted: Sequence[Object]) -> None:
    """Ports that something is made of are the caller's own."""
    if context.is_admin:
        return
    ids = {one["port_id"] for one in wanted if one.get("port_id")}
    ids |= {sub["port_id"] for one in wanted for sub in one.get("sub_ports") or ()}
    ports = tx.get_many("ports", ids)
    for id in ids:
        if id not in ports or ports[id]["project_id"] != context.project_id:
            raise PortNotFound(id=id)


def check_named(tx: ReadTransaction, context: Context, wanted: Sequence[Object]) -> None:
    """What an object refers to is the caller's own, or shared with them."""
    if context.is_admin:
        return
    for name, (kind, not_found) in _NAMED.items():
        ids = {one[name] for one in wanted if one.get(name)}
        found = tx.get_many(kind, ids)
        for id in ids:
            if id not in found or not _may_use(tx, context, kind, found[id]):
                raise not_found(id=id)
            if name == _PARENT and found[id]["project_id"] != context.project_id:
                raise PolicyNotAuthorized(action="create_security_group_rule")
    for one in wanted:
        if "object_type" in one:
            _check_shareable(tx, context, one["object_type"], one["object_id"])


def _check_shareable(tx: ReadTransaction, context: Context, type: str, id: str) -> None:
    """Only the owner of an object may share it."""
    found = tx.get(rbac.KINDS[type], id)
    if found is None or found["project_id"] != context.project_id:
        raise rbac.RbacObjectNotFound(object_type=type, object_id=id)


def _may_use(tx: ReadTransaction, context: Context, kind: str, object: Object) -> bool:
    if object["project_id"] == context.project_id or (kind in _SHARED_BY_FLAG and object["shared"]):
        return True
    return kind in rbac.KINDS.values() and object["id"] in rbac.shared_with(tx, kind, context.project_id)


def _is_guarded(attribute: Attribute, value: Any) -> bool:
    if attribute.guarded is not None:
        return attribute.guarded(value)
    return attribute.default is UNSET or bool(value != attribute.default)


def _matches(object: Object, filters: Filters) -> bool:
    return all(object.get(name) in values for name, values in filters.items())


def _require(who: Who, context: Context, network: Object | None, action: str) -> None:
    if context.is_admin:
        return
    owner = network is not None and network["project_id"] == context.project_id
    allowed = {
        Who.READER: True,
        Who.MEMBER: "member" in context.roles,
        Who.NETWORK_OWNER: "member" in context.roles and owner,
        Who.ADMIN: False,
    }
    if not allowed[who]:
        raise PolicyNotAuthorized(action=action)
