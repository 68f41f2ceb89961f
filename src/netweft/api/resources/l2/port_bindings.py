"""/v2.0/ports/ID/bindings: what Nova moves a VM with.  For admins and services."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, pages, querystring
from netweft.api.attributes import Attribute, Resource
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate, Handler
from netweft.api.resources.l2.port import BINDING
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.l2 import port_bindings
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction


class _Binding(NamedTuple):
    """As bodies and lists describe it."""

    member: str = "binding"
    collection: str = "bindings"
    attributes: Mapping[str, Attribute] = BINDING
    computed: frozenset[str] = frozenset()


class PortBindings:
    def __init__(self, port: Resource, store: Store) -> None:
        self._service = Service(port, store)
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/ports/{id}/bindings"
        handlers: list[tuple[str, str, Handler]] = [
            (path, "GET", self.list),
            (path, "POST", self.create),
            (path + "/{host}", "GET", self.show),
            (path + "/{host}", "PUT", self.update),
            (path + "/{host}", "DELETE", self.delete),
            (path + "/{host}/activate", "PUT", self.activate),
        ]
        return [Route(path, gate(handler), methods=[method]) for path, method, handler in handlers]

    async def list(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        listing = querystring.listing(_Binding(), pairs)
        found = await self._ask(request, context, port_bindings.every) or []
        absent = port_bindings.PortBindingNotFound(port_id=request.path_params["id"], host=listing.query.marker)
        page = pages.of_parts(listing.query, found, absent, "host")
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(_Binding(), listing, page, url, pairs, "host"))

    async def show(self, request: Request, context: Context) -> Response:
        return json_response({"binding": await self._one(request, context)})

    async def create(self, request: Request, context: Context) -> Response:
        (wanted, *more), _ = body.for_create(_Binding(), body.parse(await request.body()), context)
        if more:
            raise HTTPBadRequest("Bindings are made one at a time")
        made = await self._act(
            request, context, "create_port_binding", lambda tx, port: port_bindings.create(tx, port, wanted)
        )
        return json_response({"binding": made}, 201)

    async def update(self, request: Request, context: Context) -> Response:
        host, changes = request.path_params["host"], body.for_update(_Binding(), body.parse(await request.body()))
        await self._one(request, context)
        changed = await self._act(
            request, context, "update_port_binding", lambda tx, port: port_bindings.update(tx, port, host, changes)
        )
        return json_response({"binding": changed})

    async def activate(self, request: Request, context: Context) -> Response:
        """Answers as Neutron does, without `binding` around it."""
        host = request.path_params["host"]
        await self._one(request, context)
        return json_response(
            await self._act(request, context, "activate", lambda tx, port: port_bindings.activate(tx, port, host))
        )

    async def delete(self, request: Request, context: Context) -> Response:
        host = request.path_params["host"]
        await self._one(request, context)
        await self._act(request, context, "delete_port_binding", lambda tx, port: port_bindings.delete(tx, port, host))
        return Response(status_code=204)

    async def _one(self, request: Request, context: Context) -> Object:
        """What a caller does not see is not there, before anything else is said of it."""
        id, host = request.path_params["id"], request.path_params["host"]
        found: Object | None = await self._ask(request, context, lambda port: port_bindings.one(port, host))
        if found is None:
            raise port_bindings.PortBindingNotFound(port_id=id, host=host)
        return found

    async def _ask(self, request: Request, context: Context, question: Callable[[Object], Any]) -> Any:
        id = request.path_params["id"]
        return await self._run.read(self._service.ask, context, id, "get_port_binding", lambda tx, port: question(port))

    async def _act(
        self, request: Request, context: Context, rule: str, action: Callable[[WriteTransaction, Object], Any]
    ) -> Any:
        return await self._run.write(self._service.act, context, request.path_params["id"], rule, action)
