"""/v2.0/quotas: no resource like the others, since a project has its quotas before anybody has said anything."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks
from netweft.api.attributes import Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response, told
from netweft.api.faults import HTTPBadRequest, PolicyNotAuthorized
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.running import Run
from netweft.control import quotas
from netweft.control.l3 import routes
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")
MORE = {routes.QUOTA: routes.MOST}  # of what is no resource


class Quotas:
    """`project` and `tenant` instead of an id ask for the caller's own."""

    def __init__(self, resources: Sequence[Resource], store: Store) -> None:
        self._defaults = {resource.member: resource.quota for resource in resources if resource.quota is not None}
        self._defaults |= MORE
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/quotas"
        return [
            Route(path, gate(self.list)),
            Route(path + "/{id}", gate(self.show), methods=["GET"]),
            Route(path + "/{id}", gate(self.update), methods=["PUT"]),
            Route(path + "/{id}", gate(self.reset), methods=["DELETE"]),
            Route(path + "/{id}/default", gate(self.default)),
            Route(path + "/{id}/details", gate(self.details)),
            Route(path + "/{id}/details.json", gate(self.details)),
        ]

    async def list(self, request: Request, context: Context) -> Response:
        """Of the projects of which somebody has said something."""
        _require(context, "get_quota")

        def found(tx: ReadTransaction) -> list[Object]:
            return [self._shown(tx, kept["id"]) for kept in tx.query(quotas.KIND)]

        return json_response({"quotas": await self._read(found)})

    async def show(self, request: Request, context: Context) -> Response:
        id = _project(request, context)
        return json_response({"quota": await self._read(lambda tx: self._shown(tx, id))})

    async def default(self, request: Request, context: Context) -> Response:
        """Of no project, as Neutron's: Horizon takes all that is there for a limit."""
        _project(request, context)
        return json_response({"quota": self._defaults})

    async def details(self, request: Request, context: Context) -> Response:
        id = _project(request, context)

        def found(tx: ReadTransaction) -> Object:
            limits = quotas.limits(tx, id, self._defaults)
            return {
                member: {"limit": limit, "used": quotas.used(tx, member, id), "reserved": 0}
                for member, limit in limits.items()
            }

        return json_response({"quota": await self._read(found)})

    async def update(self, request: Request, context: Context) -> Response:
        _require(context, "update_quota")
        id, (changes, force) = request.path_params["id"], self._changes(body.parse(await request.body()))

        def work(tx: WriteTransaction) -> Raw:
            quotas.change(tx, id, changes, force=force)
            return told({"quota": self._shown(tx, id)})

        return json_response(await self._run.write(self._store.run, work))

    async def reset(self, request: Request, context: Context) -> Response:
        _require(context, "delete_quota")
        id = request.path_params["id"]
        await self._run.write(self._store.run, lambda tx: quotas.reset(tx, id))
        return Response(status_code=204)

    async def _read(self, question: Callable[[ReadTransaction], T]) -> T:
        def work() -> T:
            with self._store.read() as tx:
                return question(tx)

        return await self._run.read(work)

    def _shown(self, tx: ReadTransaction, id: str) -> Object:
        return quotas.limits(tx, id, self._defaults) | {"project_id": id, "tenant_id": id}

    def _changes(self, parsed: Object) -> tuple[dict[str, int], bool]:
        """Limits, and whether they may be below what is used."""
        given = parsed.get("quota")
        if not isinstance(given, dict):
            raise HTTPBadRequest("Unable to find 'quota' in request body")
        asked = {name: _flag(name, given[name]) for name in ("force", "check_limit") if name in given}
        given = {name: value for name, value in given.items() if name not in asked}
        unknown = [name for name in given if name not in self._defaults]
        if unknown:
            raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
        limits = {name: _limit(name, value) for name, value in given.items()}
        return limits, asked.get("force", False) or not asked.get("check_limit", True)


def _flag(name: str, value: object) -> bool:
    try:
        return checks.boolean(value)
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {invalid}.") from None


def _limit(name: str, value: object) -> int:
    try:
        limit = checks.integer(value)
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {invalid}.") from None
    if not quotas.UNLIMITED <= limit < 2**31:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: '{value}' is not in valid range '-1 to 2147483647'.")
    return limit


def _project(request: Request, context: Context) -> str:
    id: str = request.path_params["id"]
    if id in ("project", "tenant") and context.project_id is not None:
        return context.project_id
    if id != context.project_id:
        _require(context, "get_quota")
    return id


def _require(context: Context, action: str) -> None:
    if not may(context, action):
        raise PolicyNotAuthorized(action=action)
