"""Roles given and taken: on a project, on the domain; and the list of all of them."""

from typing import Any

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, listing, no_content
from netweft.plugins.identity.embedded import grants
from netweft.plugins.identity.embedded.directory import DOMAIN, DOMAIN_ID
from netweft.plugins.identity.embedded.errors import NotFound
from netweft.plugins.identity.embedded.grants import Target
from netweft.store import Object, Query, ReadTransaction

_TARGETS = {"projects": "project_id", "domains": "domain_id"}
_FILTERS = ("user.id", "role.id", "scope.project.id", "scope.domain.id")


async def grant(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: grants.add(tx, call.path("user"), _target(call), call.path("role")))
    return no_content()


async def check(call: Call) -> Response:
    await call.admin()
    granted = await call.identity.read(lambda tx: grants.role_ids(tx, call.path("user"), _target(call)))
    if call.path("role") not in granted:
        raise NotFound("role assignment", call.path("role"))
    return no_content()


async def withdraw(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: grants.remove(tx, call.path("user"), _target(call), call.path("role")))
    return no_content()


async def list_granted(call: Call) -> Response:
    """Of one user on one project."""
    await call.admin()

    def work(tx: ReadTransaction) -> list[Object]:
        return list(tx.get_many("roles", grants.role_ids(tx, call.path("user"), _target(call))).values())

    return listing(call, "roles", await call.identity.read(work), *call.request.url.path.split("/")[3:])


async def list_assignments(call: Call) -> Response:
    """An admin sees all, others their own, when they ask for no more."""
    wanted = call.request.query_params
    await call.admin_or(wanted.get("user.id"))
    found = await call.identity.read(lambda tx: _Assignments(call, tx).all())
    filters = {name: wanted[name] for name in _FILTERS if name in wanted}
    shown = [entry for entry in found if all(_at(entry, path) == value for path, value in filters.items())]
    return listing(call, "role_assignments", shown, "role_assignments")


class _Assignments:
    """How role assignments are shown."""

    def __init__(self, call: Call, tx: ReadTransaction) -> None:
        self._call = call
        self._tx = tx
        self._names = "include_names" in call.request.query_params
        self._effective = "effective" in call.request.query_params

    def all(self) -> list[Object]:
        return [entry for grant in self._tx.query(grants.KIND, Query()) for entry in self._entries(grant)]

    def _entries(self, grant: Object) -> list[Object]:
        ids = grant["roles"]
        if self._effective:
            ids = [role["id"] for role in grants.with_implied(self._tx, ids)]
        return [self._entry(grant, role) for role in ids]

    def _entry(self, grant: Object, role_id: str) -> Object:
        kind = "projects" if "project_id" in grant else "domains"
        target_id = grant[_TARGETS[kind]]
        url = self._call.url(kind, target_id, "users", grant["user_id"], "roles", role_id)
        return {
            "user": self._reference("users", grant["user_id"]),
            "role": self._reference("roles", role_id),
            "scope": {kind[:-1]: self._reference(kind, target_id)},
            "links": {"assignment": url},
        }

    def _reference(self, kind: str, id: str) -> dict[str, Any]:
        if not self._names:
            return {"id": id}
        if kind == "domains":
            return {"id": id, "name": DOMAIN["name"]}
        named = self._tx.get(kind, id) or {}
        reference: dict[str, Any] = {"id": id, "name": named.get("name")}
        return reference if kind == "roles" else reference | {"domain": {"id": DOMAIN_ID, "name": DOMAIN["name"]}}


def _at(entry: Object, path: str) -> Any:
    """entry["scope"]["project"]["id"], or None when it is not there."""
    value: Any = entry
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _target(call: Call) -> Target:
    kind, id = call.path("kind"), call.path("target")
    if kind not in _TARGETS:
        raise NotFound(kind, id)
    return Target(_TARGETS[kind], id)


_ROLES = f"{PREFIX}/{{kind}}/{{target}}/users/{{user}}/roles"

OPERATIONS = [
    Operation("GET", f"{PREFIX}/role_assignments", list_assignments),
    Operation("GET", _ROLES, list_granted),
    Operation("PUT", f"{_ROLES}/{{role}}", grant),
    Operation("GET", f"{_ROLES}/{{role}}", check),
    Operation("DELETE", f"{_ROLES}/{{role}}", withdraw),
]
