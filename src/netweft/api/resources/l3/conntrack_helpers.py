"""/v2.0/routers/ID/conntrack_helpers: which connections through a router's NAT the tracker reads along."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks, pages, querystring
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.gate import Gate, Handler
from netweft.api.resources.standard import READ_ONLY
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.l3 import conntrack_helpers
from netweft.control.l3.conntrack_helpers import ConntrackHelperNotFound
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store, WriteTransaction

_NUMBERS = {"6": "tcp", "17": "udp"}
_EXPOSED = ("protocol", "helper", "port")


def _protocol(value: Any) -> str:
    name = checks.protocol(value)
    if name is None:
        raise Invalid("A protocol is needed")
    return _NUMBERS.get(name, name)


_NAME = checks.string(64)


def _helper(value: Any) -> str:
    return str(_NAME(value if isinstance(value, str) else str(value)))


_PORT = checks.between(1, 65535)
_ASKED: Mapping[str, Any] = {"post": True, "put": True, "default": REQUIRED, "filter": True, "sort": True}
ATTRIBUTES: Mapping[str, Attribute] = {
    "id": Attribute(check=READ_ONLY, filter=True, sort=True),
    "protocol": Attribute(check=_protocol, parse=_protocol, **_ASKED),
    "port": Attribute(check=_PORT, parse=_PORT, **_ASKED),
    "helper": Attribute(check=_helper, **_ASKED),
    "project_id": Attribute(check=checks.string(255), post=True),
    "tenant_id": Attribute(check=checks.string(255), post=True),
}


class _Helper(NamedTuple):
    """As bodies and lists describe it."""

    member: str = "conntrack_helper"
    collection: str = "conntrack_helpers"
    attributes: Mapping[str, Attribute] = ATTRIBUTES
    computed: frozenset[str] = frozenset()


def exposed(router: Object) -> list[Object]:
    """With its router: without ids, as in Neutron."""
    return [{name: helper[name] for name in _EXPOSED} for helper in conntrack_helpers.of(router)]


class ConntrackHelpers:
    def __init__(self, router: Resource, store: Store) -> None:
        self._service = Service(router, store)
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/routers/{router_id}/conntrack_helpers"
        handlers: list[tuple[str, str, Handler]] = [
            (path, "GET", self.list),
            (path, "POST", self.create),
            (path + "/{id}", "GET", self.show),
            (path + "/{id}", "PUT", self.update),
            (path + "/{id}", "DELETE", self.delete),
        ]
        return [Route(path, gate(handler), methods=[method]) for path, method, handler in handlers]

    async def list(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        listing = querystring.listing(_Helper(), pairs)
        found = await self._ask(request, context, lambda _, router: conntrack_helpers.of(router))
        page = pages.of_parts(listing.query, found or [], ConntrackHelperNotFound(id=listing.query.marker))
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(_Helper(), listing, page, url, pairs))

    async def show(self, request: Request, context: Context) -> Response:
        fields = querystring.fields_of(querystring.parse(request.url.query))
        found = await self._one(request, context)
        return json_response({"conntrack_helper": {n: v for n, v in found.items() if not fields or n in fields}})

    async def create(self, request: Request, context: Context) -> Response:
        every, bulk = body.for_create(_Helper(), body.parse(await request.body()), context)

        def create(tx: WriteTransaction, router: Object) -> Object:
            made = []
            for wanted in every:
                current = tx.lock("routers", router["id"]) or router
                made.append(conntrack_helpers.add(tx, current, wanted))
            return {"conntrack_helpers": made} if bulk else {"conntrack_helper": made[0]}

        return json_response(await self._act(request, context, "create", create), 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = body.for_update(_Helper(), body.parse(await request.body()))
        id = (await self._one(request, context))["id"]

        def update(tx: WriteTransaction, router: Object) -> Object:
            current = conntrack_helpers.one(router, id)
            return {"conntrack_helper": conntrack_helpers.change(tx, router, current, changes)}

        return json_response(await self._act(request, context, "update", update))

    async def delete(self, request: Request, context: Context) -> Response:
        id = (await self._one(request, context))["id"]

        def delete(tx: WriteTransaction, router: Object) -> Object:
            conntrack_helpers.remove(tx, router, conntrack_helpers.one(router, id))
            return {}

        await self._act(request, context, "delete", delete)
        return Response(status_code=204)

    async def _one(self, request: Request, context: Context) -> Object:
        id = request.path_params["id"]
        found: Object | None = await self._ask(request, context, lambda _, router: conntrack_helpers.one(router, id))
        if found is None:
            raise ConntrackHelperNotFound(id=id)
        return found

    async def _ask(self, request: Request, context: Context, question: Callable[[ReadTransaction, Object], Any]) -> Any:
        id = request.path_params["router_id"]
        return await self._run.read(self._service.ask, context, id, "get_router_conntrack_helper", question)

    async def _act(
        self, request: Request, context: Context, verb: str, action: Callable[[WriteTransaction, Object], Any]
    ) -> Any:
        id, rule = request.path_params["router_id"], f"{verb}_router_conntrack_helper"
        return await self._run.write(self._service.act, context, id, rule, action)
