"""/v2.0/routers/ID/{add,remove}_router_interface, {add,remove}_extraroutes, {add,update,remove}_external_gateways."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks
from netweft.api.attributes import Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate, Handler
from netweft.api.policy import Policy, check_named, check_ports
from netweft.api.resources.l3.router import EXTERNAL_GATEWAYS, ROUTES
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.l3 import attached, routes
from netweft.control.l3.attached import Requester
from netweft.control.l3.errors import BadRouterRequest
from netweft.control.l3.more_gateways import GATEWAYS
from netweft.control.l3.routers import Routers
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

_NAMING = ("port_id", "subnet_id")
Change: TypeAlias = Callable[[WriteTransaction, Object, Object], Object]
Merge: TypeAlias = Callable[[routes.Routes, routes.Routes], list[Object]]


class RouterActions:
    def __init__(self, router: Resource, store: Store) -> None:
        assert isinstance(router.use_cases, Routers)
        self._service = Service(router, store)
        self._run = Run(store)
        self._policy = Policy(router)
        self._routers = router.use_cases
        self._interfaces = router.use_cases.interfaces

    def routes(self, gate: Gate) -> list[BaseRoute]:
        handlers: dict[str, Handler] = {
            "add_router_interface": self.add_interface,
            "remove_router_interface": self.remove_interface,
            "add_extraroutes": self.add_routes,
            "remove_extraroutes": self.remove_routes,
        }
        for verb in ("add", "update", "remove"):
            handlers[f"{verb}_external_gateways"] = partial(self.change_gateways, verb)
        path = "/v2.0/routers/{id}"
        return [Route(f"{path}/{name}", gate(handler), methods=["PUT"]) for name, handler in handlers.items()]

    async def add_interface(self, request: Request, context: Context) -> Response:
        requester = Requester(context.project_id, context.is_admin)

        def add(tx: WriteTransaction, router: Object, wanted: Object) -> Object:
            if len(wanted) > 1:
                raise BadRouterRequest(reason="Cannot specify both subnet-id and port-id")
            check_named(tx, context, [wanted])
            check_ports(tx, context, [wanted])
            return self._interfaces.add(tx, router, requester, wanted)

        return await self._change(request, context, "add_router_interface", add)

    async def remove_interface(self, request: Request, context: Context) -> Response:
        def remove(tx: WriteTransaction, router: Object, wanted: Object) -> Object:
            if "port_id" not in wanted:
                check_named(tx, context, [wanted])
            return self._interfaces.remove(tx, router, wanted)

        return await self._change(request, context, "remove_router_interface", remove)

    async def add_routes(self, request: Request, context: Context) -> Response:
        return await self._edit_routes(request, context, "add_extraroutes", routes.added)

    async def remove_routes(self, request: Request, context: Context) -> Response:
        return await self._edit_routes(request, context, "remove_extraroutes", routes.without)

    async def change_gateways(self, verb: str, request: Request, context: Context) -> Response:
        parsed, id = body.parse(await request.body()), request.path_params["id"]
        wanted: list[Object] | None = None
        with suppress(HTTPBadRequest):
            wanted = _gateways(parsed)

        def act(tx: WriteTransaction, router: Object) -> None:
            gateways = _gateways(parsed)  # what is wrong is said once the caller may ask
            check_named(tx, context, [{GATEWAYS: gateways}])
            if verb != "remove":
                ports = tx.get_many("ports", attached.gateway_ports(router)).values()
                self._policy.check_gateways(tx, context, router, gateways, ports)
            self._routers.change_gateways(tx, router, verb, gateways)

        rule, naming = f"{verb}_external_gateways", {GATEWAYS: wanted or []}
        answer = await self._run.write(self._service.act, context, id, rule, act, naming, _around)
        return json_response(answer)

    async def _change(self, request: Request, context: Context, rule: str, change: Change) -> Response:
        """What is wrong with the request is said once the caller may ask.  The answer has nothing around it."""
        parsed, id = body.parse(await request.body()), request.path_params["id"]
        naming: Object = {}
        for name in _NAMING:
            with suppress(Invalid):
                naming[name] = checks.uuid_text(parsed.get(name))

        def act(tx: WriteTransaction, router: Object) -> Object:
            return change(tx, router, _interface(parsed))

        return json_response(await self._run.write(self._service.act, context, id, rule, act, naming))

    async def _edit_routes(self, request: Request, context: Context, rule: str, merge: Merge) -> Response:
        parsed = body.parse(await request.body())

        def decide(router: Object) -> Object:
            return {"routes": merge(router["routes"], _routes(parsed))}

        id = request.path_params["id"]
        answer = await self._run.write(self._service.edit, context, id, decide, rule=rule, answer=_around)
        return json_response(answer)


def _around(router: Object) -> Object:
    return {"router": router}


def _interface(parsed: Object) -> Object:
    """What is named; anything else in the body is not looked at, as in Neutron."""
    wanted = {name: parsed[name] for name in _NAMING if name in parsed}
    if not wanted:
        raise BadRouterRequest(reason="Either subnet_id or port_id must be specified")
    try:
        return {name: checks.uuid_text(value) for name, value in wanted.items()}
    except Invalid as invalid:
        raise BadRouterRequest(reason=str(invalid)) from None


def _gateways(parsed: Object) -> list[Object]:
    """Not given, there are none."""
    inner = parsed.get("router")
    if not isinstance(inner, dict):
        raise HTTPBadRequest("Unable to find 'router' in request body")
    try:
        given: list[Object] = EXTERNAL_GATEWAYS(inner.get(GATEWAYS) or [])
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for external_gateways. Reason: {invalid}.") from None
    return given


def _routes(parsed: Object) -> list[Object]:
    inner = parsed.get("router")
    if not isinstance(inner, dict) or "routes" not in inner:
        raise HTTPBadRequest("Unable to find 'routes' in request body")
    try:
        given: list[Object] = ROUTES(inner["routes"])
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for routes. Reason: {invalid}.") from None
    return given
