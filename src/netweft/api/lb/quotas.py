"""HTTP for quotas of load balancing.  Two of them have two names, of which the older ones are misspelled."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from netweft.api import body as bodies
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.lb import body, fields, policy
from netweft.api.lb.endpoint import route
from netweft.api.running import Run
from netweft.control import quotas
from netweft.control.lb.quota import DEFAULTS, KIND
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")
_OTHER_NAMES = {"load_balancer": "loadbalancer", "health_monitor": "healthmonitor"}
_LIMIT = fields.number(quotas.UNLIMITED, 2_000_000_000)


class Quotas:
    def __init__(self, store: Store) -> None:
        self._store, self._run = store, Run(store)

    def routes(self, gate: Gate) -> Sequence[BaseRoute]:
        return [
            *route(gate, "quotas", GET=self.list),
            *route(gate, "quotas/defaults", GET=self.defaults),
            *route(gate, "quotas/{id}", GET=self.show, PUT=self.update, DELETE=self.reset),
            *route(gate, "quotas/{id}/default", GET=self.defaults),
        ]

    async def list(self, request: Request, context: Context) -> Response:
        """Of projects of which somebody has said something."""
        asked = request.query_params.get("project_id") or request.query_params.get("tenant_id")
        project = asked if policy.sees_all_quotas(context) else asked or context.project_id
        if not policy.sees_all_quotas(context):
            policy.require_quota_read(context, project)

        def found(tx: ReadTransaction) -> Object:
            query = Query({"id": [project]} if project else {})
            return {"quotas": [_shown(tx, kept["id"]) for kept in tx.query(KIND, query)], "quotas_links": []}

        return json_response(await self._read(found))

    async def show(self, request: Request, context: Context) -> Response:
        id = request.path_params["id"]
        policy.require_quota_read(context, id)
        return json_response({"quota": await self._read(lambda tx: _shown(tx, id))})

    async def defaults(self, request: Request, context: Context) -> Response:
        id = request.path_params.get("id") or context.project_id
        policy.require_quota_read(context, id)
        return json_response({"quota": _both(DEFAULTS) | {"project_id": id, "tenant_id": id}})

    async def update(self, request: Request, context: Context) -> Response:
        policy.require_quota_write(context)
        id, changes = request.path_params["id"], _changes(await request.body())

        def work(tx: WriteTransaction) -> Object:
            quotas.change(tx, id, changes, force=True, kind=KIND)
            return {"quota": _shown(tx, id)}

        return json_response(await self._run.write(self._store.run, work), 202)

    async def reset(self, request: Request, context: Context) -> Response:
        policy.require_quota_write(context)
        id = request.path_params["id"]
        await self._run.write(self._store.run, lambda tx: quotas.reset(tx, id, kind=KIND))
        return Response(status_code=202)

    async def _read(self, question: Callable[[ReadTransaction], T]) -> T:
        def work() -> T:
            with self._store.read() as tx:
                return question(tx)

        return await self._run.read(work)


def _shown(tx: ReadTransaction, id: str) -> Object:
    return _both(quotas.limits(tx, id, DEFAULTS, kind=KIND)) | {"project_id": id, "tenant_id": id}


def _both(limits: Any) -> Object:
    return dict(limits) | {old: limits[name] for old, name in _OTHER_NAMES.items()}


def _changes(data: bytes) -> dict[str, int]:
    """Null: as usual."""
    item = body.given(bodies.parse(data), "quota")
    if not isinstance(item, dict):
        raise HTTPBadRequest('Missing argument: "quota"')
    found = {}
    for given, value in item.items():
        name = _OTHER_NAMES.get(given, given)
        if name not in DEFAULTS:
            raise HTTPBadRequest(f"Unknown attribute for argument quota: {given[:200]}")
        try:
            found[name] = DEFAULTS[name] if value is None else _LIMIT(value)
        except Invalid as invalid:
            raise HTTPBadRequest(f"Invalid input for field/attribute {given}. {invalid}") from None
    return found
