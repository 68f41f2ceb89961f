"""What a router of Neutron's may have and one of ours has not: asked for, it is refused in so many words.

The aliases `l3-conntrack-helper` and `external-gateway-multihoming` are not named among the extensions (decision 0473).
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body
from netweft.api.attributes import Resource
from netweft.api.encoding import json_response
from netweft.api.gate import Gate
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import BadRequest, NotFound
from netweft.control.l3.errors import BadRouterRequest
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

_GATEWAYS = ("add_external_gateways", "update_external_gateways", "remove_external_gateways")
_HELPERS = "/v2.0/routers/{id}/conntrack_helpers"
ONE_GATEWAY = "a router here has one gateway, its external_gateway_info; external-gateway-multihoming is not there"


class ConntrackHelperNotFound(NotFound):
    message = "Conntrack Helper %(id)s could not be found."


class ConntrackHelperNotAllowed(BadRequest):
    message = (
        "Conntrack Helper %(helper)s is not allowed. Allowed are: none; routers here use no helper of the connection "
        "tracker."
    )


class NotThere:
    def __init__(self, router: Resource, store: Store) -> None:
        self._service = Service(router, store)
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        gateways = [Route(f"/v2.0/routers/{{id}}/{name}", gate(self.gateways), methods=["PUT"]) for name in _GATEWAYS]
        return [
            *gateways,
            Route(_HELPERS, gate(self.no_helpers), methods=["GET"]),
            Route(_HELPERS, gate(self.refuse_helper), methods=["POST"]),
            Route(_HELPERS + "/{helper}", gate(self.no_helper), methods=["GET", "PUT", "DELETE"]),
        ]

    async def gateways(self, request: Request, context: Context) -> Response:
        """Who may not ask is told that first."""
        rule = request.url.path.rpartition("/")[2].replace("-", "_")
        await self._refuse(request, context, rule, BadRouterRequest(reason=ONE_GATEWAY))
        raise AssertionError

    async def no_helpers(self, request: Request, context: Context) -> Response:
        await self._run.read(self._service.show, context, request.path_params["id"], frozenset())
        return json_response({"conntrack_helpers": []})

    async def refuse_helper(self, request: Request, context: Context) -> Response:
        asked = body.parse(await request.body()).get("conntrack_helper")
        named = str(asked.get("helper", ""))[:64] if isinstance(asked, dict) else ""
        rule = "create_router_conntrack_helper"
        await self._refuse(request, context, rule, ConntrackHelperNotAllowed(helper=named))
        raise AssertionError

    async def no_helper(self, request: Request, context: Context) -> Response:
        await self._run.read(self._service.show, context, request.path_params["id"], frozenset())
        raise ConntrackHelperNotFound(id=request.path_params["helper"])

    async def _refuse(self, request: Request, context: Context, rule: str, refusal: Exception) -> None:
        def refuse(tx: WriteTransaction, router: Object) -> None:
            raise refusal

        await self._run.write(self._service.act, context, request.path_params["id"], rule, refuse)
