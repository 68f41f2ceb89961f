"""/v2.0/ports/ID/bindings: what Nova moves a VM with.  For admins."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body
from netweft.api.attributes import Attribute, Resource
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest, PolicyNotAuthorized
from netweft.api.gate import Gate, Handler
from netweft.api.resources.port import BINDING
from netweft.api.running import runner
from netweft.api.service import Service
from netweft.control import port_bindings
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store, WriteTransaction


class _Binding(NamedTuple):
    """As bodies describe it."""

    member: str = "binding"
    collection: str = "bindings"
    attributes: Mapping[str, Attribute] = BINDING


class PortBindings:
    def __init__(self, port: Resource, store: Store) -> None:
        self._service = Service(port, store)
        self._run = runner(store)

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
        return json_response({"bindings": await self._ask(request, context, port_bindings.every)})

    async def show(self, request: Request, context: Context) -> Response:
        host = request.path_params["host"]
        return json_response({"binding": await self._ask(request, context, lambda port: port_bindings.one(port, host))})

    async def create(self, request: Request, context: Context) -> Response:
        (wanted, *more), _ = body.for_create(_Binding(), body.parse(await request.body()), context)
        if more:
            raise HTTPBadRequest("Bindings are made one at a time")
        made = await self._act(request, context, "create", lambda tx, port: port_bindings.create(tx, port, wanted))
        return json_response({"binding": made}, 201)

    async def update(self, request: Request, context: Context) -> Response:
        host, changes = request.path_params["host"], body.for_update(_Binding(), body.parse(await request.body()))
        changed = await self._act(
            request, context, "update", lambda tx, port: port_bindings.update(tx, port, host, changes)
        )
        return json_response({"binding": changed})

    async def activate(self, request: Request, context: Context) -> Response:
        """Answers as Neutron does, without `binding` around it."""
        host = request.path_params["host"]
        return json_response(
            await self._act(request, context, "update", lambda tx, port: port_bindings.activate(tx, port, host))
        )

    async def delete(self, request: Request, context: Context) -> Response:
        host = request.path_params["host"]
        await self._act(request, context, "delete", lambda tx, port: port_bindings.delete(tx, port, host))
        return Response(status_code=204)

    async def _ask(self, request: Request, context: Context, question: Callable[[Object], Any]) -> Any:
        def ask(tx: ReadTransaction, port: Object) -> Any:
            _only_admin(context, "get")
            return question(port)

        return await self._run(self._service.ask, context, request.path_params["id"], ask)

    async def _act(
        self, request: Request, context: Context, verb: str, action: Callable[[WriteTransaction, Object], Any]
    ) -> Any:
        def act(tx: WriteTransaction, port: Object) -> Any:
            _only_admin(context, verb)
            return action(tx, port)

        return await self._run(self._service.act, context, request.path_params["id"], act)


def _only_admin(context: Context, verb: str) -> None:
    """Once it is clear that the caller sees the port."""
    if not context.is_admin:
        raise PolicyNotAuthorized(action=f"{verb}_port_binding")
