"""Asks the rules who may do what: not found is what a caller cannot see, refused what they see and may not touch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from netweft.api.attributes import UNSET, Resource
from netweft.api.faults import PolicyNotAuthorized, PolicyRemoveAuthorizationError
from netweft.api.relations import ANY, Filters, Relations
from netweft.api.rules import RULES, Grant, Rule, rule_of
from netweft.control import rbac
from netweft.control.errors import (
    AddressGroupNotFound,
    InvalidInput,
    NetworkNotFound,
    NotFound,
    PortNotFound,
    SecurityGroupNotFound,
    SubnetNotFound,
)
from netweft.control.fwaas.errors import FirewallPolicyNotFound, FirewallRuleNotFound
from netweft.control.ipam.address_scopes import AddressScopeNotFound
from netweft.control.ipam.subnetpools import SubnetPoolNotFound
from netweft.control.qos import QosPolicyNotFound
from netweft.model.fwaas import DESTINATION_ADDRESSES, SOURCE_ADDRESSES
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

# what an object refers to must be seen: attribute -> the member and the kind of what it names
_NAMED: Mapping[str, tuple[str, str, type[NotFound]]] = {
    "network_id": ("network", "networks", NetworkNotFound),
    "floating_network_id": ("network", "networks", NetworkNotFound),
    "external_gateway_info": ("network", "networks", NetworkNotFound),
    "external_gateways": ("network", "networks", NetworkNotFound),
    "subnet_id": ("subnet", "subnets", SubnetNotFound),
    "security_group_id": ("security_group", "security_groups", SecurityGroupNotFound),
    "remote_group_id": ("security_group", "security_groups", SecurityGroupNotFound),
    "remote_address_group_id": ("address_group", "address_groups", AddressGroupNotFound),
    "qos_policy_id": ("policy", "policies", QosPolicyNotFound),
    "subnetpool_id": ("subnetpool", "subnetpools", SubnetPoolNotFound),
    SOURCE_ADDRESSES: ("address_group", "address_groups", AddressGroupNotFound),
    DESTINATION_ADDRESSES: ("address_group", "address_groups", AddressGroupNotFound),
    "ingress_firewall_policy_id": ("firewall_policy", "firewall_policies", FirewallPolicyNotFound),
    "egress_firewall_policy_id": ("firewall_policy", "firewall_policies", FirewallPolicyNotFound),
    "firewall_rules": ("firewall_rule", "firewall_rules", FirewallRuleNotFound),
    "ports": ("port", "ports", PortNotFound),
    "address_scope_id": ("address_scope", "address_scopes", AddressScopeNotFound),
}


_INFO = "external_gateway_info"


class Policy:
    """The rules for one resource."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        rules = _of_attributes(resource.member)
        self._guarded = {name: rule for name, rule in rules.items() if name in resource.attributes}

    def hidden(self, context: Context) -> frozenset[str]:
        """The attributes that this caller is not shown, and must learn nothing of."""
        return frozenset(name for name, rule in self._guarded.items() if not is_any(context, rule))

    def visible(self, tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        """Of which one must match; for whom everything does there are none."""
        granted = _granted(context, rule_of(f"get_{self._resource.member}"))
        if any(grant.relation == ANY for grant in granted):
            return ()
        relations = Relations(tx, context)
        found = [one for grant in granted for one in relations.filters(grant.relation, self._resource.collection)]
        return found or [{"id": []}]

    def may_see(self, tx: ReadTransaction, context: Context, object: Object) -> bool:
        return self.allows(tx, context, f"get_{self._resource.member}", object)

    def allows(self, tx: ReadTransaction, context: Context, action: str, object: Object) -> bool:
        return _allows(Relations(tx, context), context, action, self._resource.collection, object)

    def require(self, tx: ReadTransaction, context: Context, action: str, object: Object) -> None:
        if not self.allows(tx, context, action, object):
            raise PolicyNotAuthorized(action=action)

    def check_create(
        self, tx: ReadTransaction, context: Context, wanted: Sequence[Object], given: Sequence[Object]
    ) -> None:
        """given: as they were sent."""
        action = f"create_{self._resource.member}"
        relations = Relations(tx, context)
        for one, sent in zip(wanted, given, strict=True):
            asked = {name for name, value in sent.items() if self._is_asked_for(name, value)}
            self._check(relations, context, action, one, asked)

    def check_update(self, tx: ReadTransaction, context: Context, current: Object, changes: Object) -> None:
        action = f"update_{self._resource.member}"
        self._check(Relations(tx, context), context, action, {**current, **changes}, changes.keys())

    def check_gateways(
        self, tx: ReadTransaction, context: Context, router: Object, wanted: Sequence[Object], ports: Iterable[Object]
    ) -> None:
        """Of several gateways each asks for what one alone would.  ports: the router's gateways, whose addresses only
        say which is meant."""
        held = {fixed["ip_address"] for port in ports for fixed in port["fixed_ips"]}
        now = router.get("external_gateway_info") or {}
        relations = Relations(tx, context)
        for one in wanted:
            known = {"external_fixed_ips"} if _addresses(one) <= held else set()
            known |= {name for name, value in now.items() if name == "enable_snat" and one.get(name) == value}
            asked = {name: value for name, value in one.items() if name not in known}
            self._check(relations, context, "update_router", {**router, _INFO: asked}, [_INFO])

    def check_delete(self, tx: ReadTransaction, context: Context, current: Object) -> None:
        self.require(tx, context, f"delete_{self._resource.member}", current)

    def _check(
        self, relations: Relations, context: Context, action: str, object: Object, names: Collection[str]
    ) -> None:
        """The action, and each of these attributes with its parts."""
        parts = (part for name in sorted(names) for part in _parts(action, name, object.get(name)))
        for rule in (action, *parts):
            if not _allows(relations, context, rule, self._resource.collection, object):
                raise PolicyNotAuthorized(action=rule)

    def _is_asked_for(self, name: str, value: Any) -> bool:
        """A default given in so many words is not."""
        attribute = self._resource.attributes.get(name)
        return attribute is not None and (attribute.default is UNSET or bool(value != attribute.default))


def is_any(context: Context, rule: Rule) -> bool:
    """Whether the rule lets this caller, whatever it is about."""
    return any(grant.relation == ANY for grant in _granted(context, rule))


def may(context: Context, action: str) -> bool:
    """For what is no object."""
    return is_any(context, rule_of(action))


def sees(tx: ReadTransaction, context: Context, kind: str, id: str) -> bool:
    found = tx.get(kind, id)
    return found is not None and _allows(Relations(tx, context), context, f"get_{kind.removesuffix('s')}", kind, found)


def check_named(tx: ReadTransaction, context: Context, wanted: Sequence[Object]) -> None:
    """What an object refers to is there for the caller; what it is made of is theirs."""
    if context.sees_all:
        return
    relations = Relations(tx, context)
    for name, (member, kind, not_found) in _NAMED.items():
        for id, found in _look_up(tx, kind, (id for one in wanted for id in _ids(one.get(name)))).items():
            if found is None or not _allows(relations, context, f"get_{member}", kind, found):
                raise not_found(id=id)
    _check_gateways_limits(tx, relations, context, wanted)
    for one in wanted:
        if "object_type" in one:
            _check_shareable(tx, relations, context, one["object_type"], one["object_id"])


def _check_gateways_limits(
    tx: ReadTransaction, relations: Relations, context: Context, wanted: Sequence[Object]
) -> None:
    """A router's gateway names a QoS policy, too."""
    infos = [info for one in wanted if isinstance(info := one.get("external_gateway_info"), dict)]
    infos += [info for one in wanted for info in one.get("external_gateways") or ()]
    for id, found in _look_up(tx, "policies", (info.get("qos_policy_id") for info in infos)).items():
        if found is None or not _allows(relations, context, "get_policy", "policies", found):
            raise QosPolicyNotFound(id=id)


def check_kept(tx: ReadTransaction, context: Context, current: Object, changes: Object) -> None:
    """A QoS policy that is not for the caller to use is not for them to take off either."""
    kept = current.get("qos_policy_id")
    if context.sees_all or not kept or changes.get("qos_policy_id", kept) == kept:
        return
    policy = tx.get("policies", kept)
    if policy is None or not _allows(Relations(tx, context), context, "get_policy", "policies", policy):
        raise PolicyRemoveAuthorizationError(policy_id=kept)


def check_ports(tx: ReadTransaction, context: Context, wanted: Sequence[Object]) -> None:
    """Ports are seen by who names them; those that a trunk is made of change with it."""
    relations = Relations(tx, context)
    ids = [one.get("port_id") for one in wanted]
    ids += [sub["port_id"] for one in wanted for sub in one.get("sub_ports") or ()]
    change = any("sub_ports" in one for one in wanted)
    for id, port in _look_up(tx, "ports", ids).items():
        if port is None or not _allows(relations, context, "get_port", "ports", port):
            raise PortNotFound(id=id)
        if change and not _allows(relations, context, "update_port", "ports", port):
            raise PolicyNotAuthorized(action="update_port")


def _addresses(gateway: Object) -> set[str]:
    return {ip["ip_address"] for ip in gateway.get("external_fixed_ips") or () if ip.get("ip_address")}


def _ids(value: Any) -> Iterable[Any]:
    """A gateway names its network among other things; a router may have several."""
    for one in value if isinstance(value, list) else [value]:
        yield one["network_id"] if isinstance(one, dict) else one


def _look_up(tx: ReadTransaction, kind: str, ids: Iterable[Any]) -> dict[str, Object | None]:
    wanted = {id for id in ids if id}
    found = tx.get_many(kind, wanted) if wanted else {}
    return {id: found.get(id) for id in sorted(wanted)}


def _check_shareable(tx: ReadTransaction, relations: Relations, context: Context, type: str, id: str) -> None:
    """Only the owner of an object may share it; others who see it get a 403."""
    kind = rbac.KINDS[type]
    found = tx.get(kind, id)
    if found is not None and found["project_id"] == context.project_id:
        return
    if found is None or not _allows(relations, context, f"get_{type.removeprefix('qos_')}", kind, found):
        raise rbac.RbacObjectNotFound(object_type=type, object_id=id)
    raise InvalidInput("Only admins can manipulate policies on objects they do not own")


def _parts(action: str, name: str, value: Any) -> list[str]:
    """The rules that an attribute's value is asked about: its own, and those of what its members name."""
    members = value if isinstance(value, list) else [value]
    keys = {f"{action}:{name}:{key}" for member in members if isinstance(member, dict) for key in member}
    return [rule for rule in (f"{action}:{name}", *sorted(keys)) if rule in RULES]


def _allows(relations: Relations, context: Context, action: str, kind: str, object: Object) -> bool:
    _, _, name = action.partition(":")
    return any(
        (grant.value is None or grant.value(object.get(name))) and relations.holds(grant.relation, kind, object)
        for grant in _granted(context, rule_of(action))
    )


def _granted(context: Context, rule: Rule) -> list[Grant]:
    """What a token that is for no project is granted is nobody's."""
    roles = context.roles
    if context.project_id is None:
        return [grant for grant in rule.grants if grant.role in roles and grant.relation == ANY]
    return [grant for grant in rule.grants if not grant.role or grant.role in roles]


@cache
def _of_attributes(member: str) -> Mapping[str, Rule]:
    """Who is shown which attribute."""
    prefix = f"get_{member}:"
    return {action.removeprefix(prefix): rule for action, rule in RULES.items() if action.startswith(prefix)}
