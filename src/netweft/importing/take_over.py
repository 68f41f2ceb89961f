"""Makes another cloud's objects ours: each by its own use case, in a transaction of its own, with the id it has.

What is there already stays as it is, so an import that was interrupted is run again.  What is refused is left out, with
the reason, and with who has what it would have; what needs it is refused then, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from netweft.api import body
from netweft.api.attributes import Attribute, Resource
from netweft.api.faults import HTTPBadRequest, of_store
from netweft.api.resources.l3 import conntrack_helpers as helper_parts
from netweft.api.resources.l3 import port_forwardings as forwarding_parts
from netweft.api.resources.qos import RULE_TYPES
from netweft.control import locks, qos, quotas
from netweft.control.errors import Refused
from netweft.control.l3 import conntrack_helpers, forwardings
from netweft.control.l3.associations import FORWARDED_TO
from netweft.control.l3.attached import INFO, Requester
from netweft.control.l3.owners import INTERFACE, ITS_PORT
from netweft.control.l3.routers import Routers
from netweft.control.rbac import DuplicateRbacPolicy
from netweft.control.security.security_groups import SecurityGroups
from netweft.importing.cloud import Cloud
from netweft.plugins.identity import Context
from netweft.store import Object, Store, StoreError, Taken, WriteTransaction

_ADMIN = Context(user_id="import", user_name="import", project_id="", roles=frozenset({"admin", "member", "reader"}))
_ASKER = Requester(None, True)
# what null says something about; elsewhere it is what an object has that was given nothing
_NULL_SAYS = frozenset({"gateway_ip"})
Work: TypeAlias = Callable[[WriteTransaction], object]
PartWork: TypeAlias = Callable[[Object, Object, WriteTransaction], object]  # with the parent, which is held alone
State: TypeAlias = Literal["new", "there", "refused"]


class Outcome(NamedTuple):
    """kind: the object's, in the singular."""

    kind: str
    id: str
    name: str
    state: State
    why: str = ""


class _There(Exception):
    """Leaves a transaction in which nothing is to be done."""


class TakeOver:
    def __init__(self, store: Store, resources: Iterable[Resource], groups: SecurityGroups) -> None:
        self._store, self._groups = store, groups
        self._resources = {resource.collection: resource for resource in resources}
        routers = self._resources["routers"].use_cases
        assert isinstance(routers, Routers)
        self._routers = routers

    def run(self, cloud: Cloud) -> Iterator[Outcome]:
        """In an order in which everything that is needed is there."""
        for kind in ("address_scopes", "subnetpools", "policies", "networks", "subnets", "rbac_policies"):
            yield from self._plain(kind, cloud)
            if kind == "policies":
                for policy in cloud.objects.get(kind, ()):
                    yield from self._parts(kind, policy, "rules", "QoS rule", self._qos_rule)
        yield from self._plain("address_groups", cloud)
        for group in cloud.objects.get("security_groups", ()):
            yield self._one("security_groups", group, partial(self._group, group))
        yield from self._plain("security_group_rules", cloud)
        yield from self._ports(cloud)
        yield from self._plain("trunks", cloud)
        for router in cloud.objects.get("routers", ()):
            yield self._one("routers", router, partial(self._router, router))
            yield from self._of_router(router)
        yield from self._floating_ips(cloud)
        yield from self._plain("metering_labels", cloud)
        yield from self._plain("metering_label_rules", cloud)
        for quota in cloud.objects.get("quotas", ()):
            yield self._done("quota", quota, partial(self._quota, quota))

    # -- one by one

    def _one(self, kind: str, item: Object, work: Work) -> Outcome:
        """Unless it is there."""
        member = self._resources[kind].member
        with self._store.read() as tx:
            if tx.get(kind, item["id"]) is not None:
                return Outcome(member, item["id"], item.get("name") or "", "there")
        return self._done(member, item, work)

    def _done(self, kind: str, item: Object, work: Work) -> Outcome:
        told = partial(Outcome, kind, item["id"], item.get("name") or "")
        try:
            self._store.run(work)
        except (_There, DuplicateRbacPolicy):  # of the latter the same has another id: it was made with what it shares
            return told("there")
        except Refused as refused:
            return told("refused", f"{refused}{self._in_whose_way(refused.__cause__)}")
        except StoreError as refused:
            return told("refused", f"{of_store(refused)}{self._in_whose_way(refused)}")
        return told("new")

    def _in_whose_way(self, error: BaseException | None) -> str:
        """What the database had already; empty where that is not the trouble."""
        if not isinstance(error, Taken):
            return ""
        with self._store.read() as tx:
            kind, id = tx.holders(error.scope, [error.value]).get(error.value, ("", ""))
            name = (tx.get(kind, id) or {}).get("name") if kind else ""
        member = self._resources[kind].member if kind in self._resources else kind
        named = f" ({name})" if name else ""
        return f" {member} {id}{named} has it." if kind else ""

    def _plain(self, kind: str, cloud: Cloud) -> Iterator[Outcome]:
        for item in cloud.objects.get(kind, ()):
            yield self._one(kind, item, partial(self._create, kind, item))

    def _create(self, kind: str, item: Object, tx: WriteTransaction, **values: object) -> Object:
        wanted = self._wanted(self._resources[kind], item) | values
        locks.to_create(tx, kind, [wanted])
        (made,) = self._resources[kind].use_cases.create(tx, [wanted])
        return made

    def _wanted(self, described: body.Described, item: Object, project: str = "") -> Object:
        """As a POST of it is understood, with what no POST has: its id, its tags."""
        given = {name: value for name, value in item.items() if _is_said(described.attributes, name, value)}
        ((wanted,), _) = body.for_create(described, {described.member: given}, _ADMIN)
        wanted["project_id"] = item.get("project_id") or project
        kept = {name: item[name] for name in ("id", "tags") if name in item and name in described.attributes}
        return wanted | kept

    # -- what belongs to another object

    def _parts(self, kind: str, item: Object, name: str, called: str, work: PartWork) -> Iterator[Outcome]:
        for part in item.get(name) or ():
            yield self._done(called, part, partial(self._in_parent, kind, item["id"], work, part))

    def _in_parent(self, kind: str, id: str, work: PartWork, part: Object, tx: WriteTransaction) -> None:
        parent = locks.to_change(tx, kind, id, _named_by(part))
        if parent is None:
            raise self._resources[kind].not_found(id=id)
        work(parent, part, tx)

    def _qos_rule(self, policy: Object, rule: Object, tx: WriteTransaction) -> None:
        if any(one["id"] == rule["id"] for one in policy["rules"]):
            raise _There
        described = RULE_TYPES.get(rule["type"])
        if described is None:
            raise HTTPBadRequest(f"There are no rules of type {rule['type']} here")
        wanted = self._wanted(described, rule)
        values = {name: value for name, value in wanted.items() if name in described.attributes}
        qos.add_rule(tx, policy, described.type, values | {"id": rule["id"]})

    def _group(self, group: Object, tx: WriteTransaction) -> None:
        wanted = self._wanted(self._resources["security_groups"], group)
        self._groups.take_over(tx, wanted, is_default=group["is_default"])

    def _ports(self, cloud: Cloud) -> Iterator[Outcome]:
        """A router's interfaces are ports like any other until they are added to it."""
        interfaces = {id for router in cloud.objects.get("routers", ()) for id in router["interfaces"]}
        for port in cloud.objects.get("ports", ()):
            free = port | {"device_id": "", "device_owner": INTERFACE} if port["id"] in interfaces else port
            yield self._one("ports", free, partial(self._create, "ports", free))

    def _router(self, router: Object, tx: WriteTransaction) -> None:
        wanted = self._wanted(self._resources["routers"], router)
        if wanted.get(INFO):
            wanted[INFO] = wanted[INFO] | {ITS_PORT: router.get("port")}
        locks.to_create(tx, "routers", [wanted])
        self._routers.create(tx, [wanted])

    def _of_router(self, router: Object) -> Iterator[Outcome]:
        ports = {"interfaces": [{"id": id, "port_id": id} for id in router["interfaces"]]}
        yield from self._parts("routers", router | ports, "interfaces", "router interface", self._interface)
        if router["routes"]:
            routes = {"all": [{"id": router["id"], "routes": router["routes"]}]}
            yield from self._parts("routers", router | routes, "all", "routes of router", self._routes)
        yield from self._parts("routers", router, "conntrack_helpers", "conntrack helper", self._helper)

    def _interface(self, router: Object, interface: Object, tx: WriteTransaction) -> None:
        port = tx.glance.get("ports", interface["port_id"])
        if port is not None and port["device_id"] == router["id"]:
            raise _There
        self._routers.interfaces.add(tx, router, _ASKER, {"port_id": interface["port_id"]})

    def _routes(self, router: Object, wanted: Object, tx: WriteTransaction) -> None:
        if router["routes"] == wanted["routes"]:
            raise _There
        self._routers.update(tx, router, {"routes": wanted["routes"]})

    def _helper(self, router: Object, helper: Object, tx: WriteTransaction) -> None:
        if any(one["id"] == helper["id"] for one in conntrack_helpers.of(router)):
            raise _There
        described = helper_parts.ConntrackHelpers.part
        conntrack_helpers.add(tx, router, self._wanted(described, helper))

    def _floating_ips(self, cloud: Cloud) -> Iterator[Outcome]:
        for one in cloud.objects.get("floatingips", ()):
            yield self._one("floatingips", one, partial(self._floating_ip, one))
        for one in cloud.objects.get("floatingips", ()):
            yield from self._parts("floatingips", one, "port_forwardings", "port forwarding", self._forwarding)

    def _floating_ip(self, floating_ip: Object, tx: WriteTransaction) -> None:
        self._create("floatingips", floating_ip, tx, **{ITS_PORT: floating_ip.get("port")})

    def _forwarding(self, floating_ip: Object, forwarding: Object, tx: WriteTransaction) -> None:
        if tx.glance.get(forwardings.KIND, forwarding["id"]) is not None:
            raise _There
        described = forwarding_parts.PortForwardings.part
        wanted = self._wanted(described, forwarding, floating_ip["project_id"])
        forwardings.add(tx, floating_ip, forwarding_parts.ranges_of(wanted, whole=True))

    def _quota(self, quota: Object, tx: WriteTransaction) -> None:
        known = {resource.member for resource in self._resources.values() if resource.quota is not None}
        limits = {name: limit for name, limit in quota["limits"].items() if name in known}
        quotas.change(tx, quota["id"], limits, force=True)


def _is_said(attributes: Mapping[str, Attribute], name: str, value: object) -> bool:
    attribute = attributes.get(name)
    return (
        attribute is not None
        and attribute.post
        and name not in ("id", "tags")
        and (value is not None or name in _NULL_SAYS)
    )


def _named_by(part: Object) -> Object:
    """See control/locks.py: which attribute of the parent says what else is held."""
    if forwardings.PORT in part:
        return {FORWARDED_TO: [part[forwardings.PORT]]}
    return {"port_id": part["port_id"]} if "port_id" in part else {}
