"""Roles given and taken: of users and groups, on projects, domains and the system, or inherited by projects below; and
the list of all of them."""

from typing import Any

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, listing, no_content
from netweft.api.identity.resources import is_on
from netweft.plugins.identity.embedded import directory, grants, groups, implied
from netweft.plugins.identity.embedded.errors import Invalid, NotFound
from netweft.plugins.identity.embedded.grants import ON_SYSTEM, Actor, Target
from netweft.store import Object, ReadTransaction

_TARGETS = {"projects": "project_id", "domains": "domain_id"}
_ACTORS = {"users": "user_id", "groups": "group_id"}
_IN = "scope.project.id"
_FILTERS = ("user.id", "group.id", "role.id", _IN, "scope.domain.id")
_INHERITED = "OS-INHERIT:inherited_to"
_BELOW = "inherited_to_projects"


async def grant(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: grants.add(tx, _actor(call), _target(call), call.path("role")))
    return no_content()


async def check(call: Call) -> Response:
    await call.admin()
    granted = await call.identity.read(lambda tx: grants.granted(tx, _actor(call), _target(call)))
    if call.path("role") not in granted:
        raise NotFound("role assignment", call.path("role"))
    return no_content()


async def withdraw(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: grants.remove(tx, _actor(call), _target(call), call.path("role")))
    return no_content()


async def list_granted(call: Call) -> Response:
    """Of one user or group, in one place."""
    await call.admin()

    def work(tx: ReadTransaction) -> list[Object]:
        return list(tx.get_many("roles", grants.granted(tx, _actor(call), _target(call))).values())

    return listing(call, "roles", await call.identity.read(work), *call.request.url.path.split("/")[3:])


async def list_assignments(call: Call) -> Response:
    """An admin sees all, others their own, when they ask for no more."""
    wanted = call.request.query_params
    await call.admin_or(wanted.get("user.id"))
    subtree = is_on(wanted.get("include_subtree", "0"))
    if subtree and _IN not in wanted:
        raise Invalid(f"{_IN} must be specified if include_subtree is also specified.")
    filters = {name: {wanted[name]} for name in _FILTERS if name in wanted}

    def work(tx: ReadTransaction) -> list[Object]:
        if subtree:
            filters[_IN].update(grants.below(tx, grants.on_project(wanted[_IN])))
        return _Assignments(call, tx).all()

    found = await call.identity.read(work)
    shown = [entry for entry in found if all(_at(entry, path) in values for path, values in filters.items())]
    if "scope.system" in wanted:
        shown = [entry for entry in shown if "system" in entry["scope"]]
    if f"scope.{_INHERITED}" in wanted:
        shown = [entry for entry in shown if _INHERITED in entry["scope"]]
    return listing(call, "role_assignments", shown, "role_assignments")


class _Assignments:
    """How role assignments are shown.  Effective ones are those of users, with what groups and roles bring them, and
    where they hold."""

    def __init__(self, call: Call, tx: ReadTransaction) -> None:
        self._call = call
        self._tx = tx
        asked = call.request.query_params
        self._names = is_on(asked.get("include_names", "0"))
        self._effective = is_on(asked.get("effective", "0"))

    def all(self) -> list[Object]:
        found = [entry for grant in self._tx.query(grants.KIND) for entry in self._entries(grant)]
        return list({str(entry): entry for entry in found}.values()) if self._effective else found

    def _entries(self, grant: Object) -> list[Object]:
        attribute = "user_id" if "user_id" in grant else "group_id"
        target = grants.target_of(grant)
        actors, ids, places = [Actor(attribute, grant[attribute])], grant["roles"], [target]
        if self._effective:
            ids = [role["id"] for role in implied.with_implied(self._tx, ids)]
            places = grants.places_of(self._tx, grant)
            if attribute == "group_id":
                actors = [grants.user(user["id"]) for user in groups.users_in(self._tx, grant["group_id"])]
        return [self._entry(target, place, actor, role) for place in places for actor in actors for role in ids]

    def _entry(self, target: Target, place: Target, actor: Actor, role_id: str) -> Object:
        """place: where it holds; what is inherited was given above that, to target."""
        who = grants.KINDS[actor.attribute]
        scope: Object = {"system": {"all": True}}
        if place.attribute in grants.KINDS:
            kind = grants.KINDS[place.attribute]
            scope = {kind[:-1]: self._reference(kind, place.id)}
        path = [grants.KINDS[target.attribute], target.id] if target.attribute in grants.KINDS else ["system"]
        path += [who, actor.id, "roles", role_id]
        if target.inherited:
            scope[_INHERITED], path = "projects", ["OS-INHERIT", *path, _BELOW]
        return {
            who[:-1]: self._reference(who, actor.id),
            "role": self._reference("roles", role_id),
            "scope": scope,
            "links": {"assignment": self._call.url(*path)},
        }

    def _reference(self, kind: str, id: str) -> dict[str, Any]:
        if not self._names:
            return {"id": id}
        named = self._tx.get(kind, id) or {}
        reference: dict[str, Any] = {"id": id, "name": named.get("name")}
        if kind in ("roles", "domains"):
            return reference
        return reference | {"domain": directory.domain_of(self._tx, named)}


def _at(entry: Object, path: str) -> Any:
    """entry["scope"]["project"]["id"], or None when it is not there."""
    value: Any = entry
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _actor(call: Call) -> Actor:
    kind, id = call.path("actors"), call.path("actor")
    if kind not in _ACTORS:
        raise NotFound(kind, id)
    return Actor(_ACTORS[kind], id)


def _target(call: Call) -> Target:
    if "target" not in call.request.path_params:
        return ON_SYSTEM
    kind, id = call.path("kind"), call.path("target")
    if kind not in _TARGETS:
        raise NotFound(kind, id)
    return Target(_TARGETS[kind], id, inherited=call.request.url.path.startswith(_ABOVE))


_ABOVE = f"{PREFIX}/OS-INHERIT/"
_ROLES = "{kind}/{target}/{actors}/{actor}/roles"
OPERATIONS = [
    Operation("GET", f"{PREFIX}/role_assignments", list_assignments),
    *(
        operation
        for roles, below in (
            (f"{PREFIX}/system/{{actors}}/{{actor}}/roles", ""),
            (f"{PREFIX}/{_ROLES}", ""),
            (f"{_ABOVE}{_ROLES}", f"/{_BELOW}"),
        )
        for operation in (
            Operation("GET", roles + below, list_granted),
            Operation("PUT", f"{roles}/{{role}}{below}", grant),
            Operation("GET", f"{roles}/{{role}}{below}", check),
            Operation("DELETE", f"{roles}/{{role}}{below}", withdraw),
        )
    ),
]
