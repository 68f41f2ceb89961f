"""What each use case decides by, and so holds before it looks at anything.  `PARENTS` is the whole list: decision 0260.

Whoever makes, changes or deletes one of a kind holds what it names: *shared*, which keeps that as it is, or *alone*
where it is changed too, or where others must not decide by it meanwhile.  The store notices what is missing here as far
as it can: a row that is read is shared from then on; only the order, and who waits longest, come from naming it here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from netweft.control import flavors, rbac
from netweft.control.fwaas import rules, status
from netweft.control.ipam import address_scopes
from netweft.control.l3 import associations, gateway_hosts, metering
from netweft.control.l3.associations import ADDRESS_PORT, FORWARDED_TO, LEADING
from netweft.control.l3.forwardings import FORWARDED
from netweft.control.l3.more_gateways import GATEWAYS
from netweft.control.l3.owners import OWNERS
from netweft.control.lb import offers, vocabulary
from netweft.model.fwaas import DESTINATION_ADDRESSES, FIREWALL_GROUP, SOURCE_ADDRESSES
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.model.router import EXTRA, GATEWAY_PORT
from netweft.store import Busy, Object, ReadTransaction, WriteTransaction

Row: TypeAlias = tuple[str, str]
_ROUTERS = {owner: kind for owner, kind in OWNERS.items() if kind == "routers"}


class Parent(NamedTuple):
    """What an attribute names.  alone: nobody else decides by it meanwhile.  home: also when that is not what changes.
    kind: where the object's own attribute says which, a mapping of that.
    member: which member, of a value that is an object.  network: the network of what is named is shared with it."""

    kind: str | tuple[str, Mapping[str, str]]
    alone: bool = False
    home: bool = False
    member: str = "port_id"
    network: bool = False


Parents: TypeAlias = Mapping[str, Parent | tuple[Parent, ...]]
PARENTS: Mapping[str, Parents] = {
    # is the policy there, and the project's to use?
    "networks": {"qos_policy_id": Parent("policies")},
    # overlaps, pools of the same network, its list of subnets; what a pool has left
    "subnets": {
        "network_id": Parent("networks", alone=True, home=True),
        "subnetpool_id": Parent("subnetpools", alone=True),
    },
    # what other pools of the scope have; whether the scope is there, and the project's to use
    "subnetpools": {address_scopes.SCOPE: Parent(address_scopes.KIND, alone=True, home=True)},
    # seen by the project, its subnets, port security; whether groups are there, whose, stateful; what a router's are
    "ports": {
        "network_id": Parent("networks", home=True),
        "device_id": Parent(("device_owner", _ROUTERS), alone=True, home=True),
        LEADING: Parent("floatingips", alone=True, home=True),
        FORWARDED: Parent("floatingips", alone=True, home=True),
        FIREWALL_GROUP: Parent("firewall_groups", alone=True, home=True),
        "security_groups": Parent("security_groups"),
        "qos_policy_id": Parent("policies"),
    },
    # a group's revision counts its rules
    "security_group_rules": {
        "security_group_id": Parent("security_groups", alone=True, home=True),
        "remote_group_id": Parent("security_groups"),
        "remote_address_group_id": Parent("address_groups"),
    },
    "default_security_group_rules": {
        "remote_group_id": Parent("security_groups"),
        "remote_address_group_id": Parent("address_groups"),
    },
    # other rules of the label, which keeps them
    "metering_label_rules": {metering.LABEL: Parent(metering.KIND, alone=True, home=True)},
    # in use by a trunk, or by a VM; the ports say whose they are
    "trunks": {
        "port_id": Parent("ports", alone=True, home=True),
        "sub_ports": Parent("ports", alone=True, home=True),
    },
    # are its profiles there
    "flavors": {flavors.PROFILES: Parent(flavors.PROFILES)},
    # what it is attached to; subnets, their gateways and pools, with their networks; whether a port is free
    "routers": {
        "external_gateway_info": (
            Parent("networks", home=True, member="network_id"),
            Parent("policies", member="qos_policy_id"),
        ),
        GATEWAY_PORT: Parent("ports", alone=True, home=True),
        EXTRA: Parent("ports", alone=True, home=True),
        GATEWAYS: (Parent("networks", member="network_id"), Parent("policies", member="qos_policy_id")),
        "subnet_id": Parent("subnets", network=True),
        "port_id": Parent("ports", alone=True, network=True),
        flavors.FLAVOR: Parent(flavors.KIND),
    },
    # are policies there, and the project's to use; which group a port is in
    "firewall_groups": {
        "ingress_firewall_policy_id": Parent("firewall_policies"),
        "egress_firewall_policy_id": Parent("firewall_policies"),
        "ports": Parent("ports", alone=True, home=True),
    },
    # are rules there, whose, shared
    "firewall_policies": {"firewall_rules": Parent("firewall_rules")},
    "firewall_rules": {
        SOURCE_ADDRESSES: Parent("address_groups"),
        DESTINATION_ADDRESSES: Parent("address_groups"),
    },
    # are they there, whose; are they of each other
    "logs": {"resource_id": Parent("firewall_groups"), "target_id": Parent("ports")},
    # is it external, whose pools; both ports say what they are for; and a router, see FOUND
    "floatingips": {
        "floating_network_id": Parent("networks", home=True),
        "port_id": Parent("ports", alone=True, home=True),
        "qos_policy_id": Parent("policies"),
        ADDRESS_PORT: Parent("ports", alone=True, home=True),
        FORWARDED_TO: Parent("ports", alone=True),
    },
    # is the network there, whose pools; is the port free; and nobody else changes the tree
    vocabulary.BALANCERS: {
        "vip_network_id": Parent("networks", home=True),
        "vip_subnet_id": Parent("subnets", network=True),
        "vip_port_id": Parent("ports", alone=True, home=True),
        "vip_sg_ids": Parent("security_groups"),
        "vip_qos_policy_id": Parent("policies"),
        "flavor_id": Parent(offers.FLAVORS),
        "availability_zone": Parent(offers.ZONES),
    },
    **{kind: {LOAD_BALANCER: Parent(vocabulary.BALANCERS, alone=True, home=True)} for kind in vocabulary.CHILDREN},
    # an entry goes only when nobody needs it: until then nobody may begin to
    "rbac_policies": {"object_id": Parent(("object_type", rbac.KINDS), alone=True, home=True)},
}
# what nobody names, and is shared too: it takes a look to find it, before it is held and again after that
FOUND: Mapping[str, Callable[[ReadTransaction, Object], Iterable[Row]]] = {
    "floatingips": associations.routers_for,
    "routers": gateway_hosts.decided_by,
}
# likewise, and changes too when this attribute does: the networks that follow a pool into another address scope; where
# gateways may be
FOLLOWING: Mapping[tuple[str, str], Callable[[ReadTransaction, Object], Iterable[Row]]] = {
    (address_scopes.POOLS, address_scopes.SCOPE): address_scopes.networks_of,
    ("agents", "admin_state_up"): lambda *_: [gateway_hosts.PLACES],
    # of firewalls: who audited a policy, and groups that are pending then
    ("firewall_policies", rules.RULES): status.users_of_policy,
    **{("firewall_rules", name): status.users_of_rule for name in rules.CHANGED},
}


def to_create(tx: WriteTransaction, kind: str, wanted: Sequence[Object]) -> None:
    """Before anything is checked."""
    parents = PARENTS.get(kind, {})
    named = [named for one in wanted for named in _named(tx, parents, one, parents)]
    _hold(tx, [*named, *(found for one in wanted for found in _found(tx, kind, one))])


def to_change(tx: WriteTransaction, kind: str, id: str, changes: Object) -> Object | None:
    """The object, to be changed or deleted; it and what it belongs to are held.  changes: what else will be named."""
    parents = PARENTS.get(kind, {})
    homes = [name for name in parents if any(parent.home for parent in _parents(parents, name))]
    following = [FOLLOWING[kind, name] for name in changes if (kind, name) in FOLLOWING]
    before = (tx.glance.get(kind, id) or {}) if homes or following else {}
    named = [(kind, id, True), *_named(tx, parents, before, homes)]
    named += _named(tx, parents, before | changes, changes)
    named += [(*row, True) for find in dict.fromkeys(following) for row in (find(tx.glance, before) if before else ())]
    _hold(tx, [*named, *(_found(tx, kind, before | changes) if changes else ())])
    found = tx.lock(kind, id)
    if found is not None and any(found.get(name) != before.get(name) for name in homes):
        raise Busy(f"{kind} {id} went elsewhere")
    return found


def _hold(tx: WriteTransaction, named: Iterable[tuple[str, str, bool]]) -> None:
    shared, alone = set[Row](), set[Row]()
    for kind, id, is_alone in named:
        (alone if is_alone else shared).add((kind, id))
    tx.hold(shared - alone, alone)


def _found(tx: WriteTransaction, kind: str, object: Object) -> Iterator[tuple[str, str, bool]]:
    for found_kind, id in FOUND[kind](tx.glance, object) if kind in FOUND else ():
        yield found_kind, id, False


def _named(
    tx: WriteTransaction, parents: Parents, object: Object, names: Iterable[str]
) -> Iterator[tuple[str, str, bool]]:
    for name in names:
        for parent in _parents(parents, name) if object.get(name) else ():
            yield from _by(tx, parent, object, object[name])


def _by(tx: WriteTransaction, parent: Parent, object: Object, value: Any) -> Iterator[tuple[str, str, bool]]:
    kind = parent.kind if isinstance(parent.kind, str) else parent.kind[1].get(object.get(parent.kind[0], ""))
    for one in value if isinstance(value, list) else [value]:
        id = one.get(parent.member) if isinstance(one, dict) else one
        if kind is None or id is None:
            continue
        yield kind, id, parent.alone
        if parent.network and (found := tx.glance.get(kind, id)):
            yield "networks", found["network_id"], False


def _parents(parents: Parents, name: str) -> tuple[Parent, ...]:
    found = parents.get(name, ())
    return (found,) if isinstance(found, Parent) else found
