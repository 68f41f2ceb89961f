"""/v2.0/trunks/ID/add_subports, remove_subports, get_subports."""

from collections.abc import Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body
from netweft.api.attributes import Resource
from netweft.api.checks import Check, Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import check_ports
from netweft.api.resources.l2.trunk import PORTS, sub_ports
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import InvalidInput
from netweft.control.l2.trunks import Trunks
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

Change: TypeAlias = Callable[[WriteTransaction, Object, list[Object]], Object]


class SubPorts:
    def __init__(self, trunk: Resource, store: Store) -> None:
        self._service = Service(trunk, store)
        self._run = Run(store)
        self._trunks = Trunks()

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/trunks/{id}"
        return [
            Route(path + "/add_subports", gate(self.add), methods=["PUT"]),
            Route(path + "/remove_subports", gate(self.remove), methods=["PUT"]),
            Route(path + "/get_subports", gate(self.list), methods=["GET"]),
        ]

    async def list(self, request: Request, context: Context) -> Response:
        fields = frozenset({"sub_ports"})
        return json_response(await self._run.read(self._service.show, context, request.path_params["id"], fields))

    async def add(self, request: Request, context: Context) -> Response:
        return await self._change(request, context, "add_subports", sub_ports, self._trunks.add)

    async def remove(self, request: Request, context: Context) -> Response:
        return await self._change(request, context, "remove_subports", PORTS, self._trunks.remove)

    async def _change(self, request: Request, context: Context, rule: str, check: Check, change: Change) -> Response:
        """Answers as Neutron does, without `trunk` around it."""
        sub_ports = _given(body.parse(await request.body()), check)
        id = request.path_params["id"]

        def act(tx: WriteTransaction, trunk: Object) -> None:
            check_ports(tx, context, [{"sub_ports": sub_ports}])
            change(tx, trunk, sub_ports)

        return json_response(await self._run.write(self._service.act, context, id, rule, act, {"sub_ports": sub_ports}))


def _given(parsed: Object, check: Check) -> list[Object]:
    if "sub_ports" not in parsed:
        raise HTTPBadRequest("Unable to find 'sub_ports' in request body")
    try:
        given: list[Object] = check(parsed["sub_ports"])
    except Invalid as invalid:
        raise InvalidInput(str(invalid)) from None
    return given
