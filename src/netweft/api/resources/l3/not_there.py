"""What a router of Neutron's may have and one of ours has not: asked for, it is refused in so many words.

The alias `external-gateway-multihoming` is not named among the extensions (decision 0473).
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.attributes import Resource
from netweft.api.gate import Gate
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.l3.errors import BadRouterRequest
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

_GATEWAYS = ("add_external_gateways", "update_external_gateways", "remove_external_gateways")
ONE_GATEWAY = "a router here has one gateway, its external_gateway_info; external-gateway-multihoming is not there"


class NotThere:
    def __init__(self, router: Resource, store: Store) -> None:
        self._service = Service(router, store)
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route(f"/v2.0/routers/{{id}}/{name}", gate(self.gateways), methods=["PUT"]) for name in _GATEWAYS]

    async def gateways(self, request: Request, context: Context) -> Response:
        """Who may not ask is told that first."""
        rule = request.url.path.rpartition("/")[2].replace("-", "_")

        def refuse(tx: WriteTransaction, router: Object) -> None:
            raise BadRouterRequest(reason=ONE_GATEWAY)

        await self._run.write(self._service.act, context, request.path_params["id"], rule, refuse)
        raise AssertionError
