"""/v2.0/agents/ID/l3-routers and /v2.0/routers/ID/l3-agents: on which agents' hosts routers have their gateways.

Routers are routed on each node; what is on one of them is a router's gateway.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks
from netweft.api.attributes import Resource
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest, PolicyNotAuthorized
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.querystring import Listing
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import AgentNotFound
from netweft.control.l3 import gateway_agents
from netweft.control.l3.errors import RouterNotFound
from netweft.plugins.identity import Context
from netweft.store import Object, Query, Store, WriteTransaction


class L3Agents:
    def __init__(self, router: Resource, agent: Resource, store: Store) -> None:
        self._routers, self._agents = Service(router, store), Service(agent, store)
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/agents/{id}/l3-routers"
        return [
            Route(path, gate(self.routers), methods=["GET"]),
            Route(path, gate(self.add), methods=["POST"]),
            Route(path + "/{router_id}", gate(self.remove), methods=["DELETE"]),
            Route("/v2.0/routers/{id}/l3-agents", gate(self.agents), methods=["GET"]),
        ]

    async def routers(self, request: Request, context: Context) -> Response:
        _require(context, "get_l3-routers")
        return json_response({"routers": await self._run.read(self._of_agent, context, request.path_params["id"])})

    async def agents(self, request: Request, context: Context) -> Response:
        _require(context, "get_l3-agents")
        return json_response({"agents": await self._run.read(self._of_router, context, request.path_params["id"])})

    async def add(self, request: Request, context: Context) -> Response:
        """Answers null, as Neutron does."""
        _require(context, "create_l3-router")
        given = body.parse(await request.body())
        if given.keys() != {"router_id"}:
            raise HTTPBadRequest("The body has to be {'router_id': ID}")
        try:
            router_id = checks.uuid_text(given["router_id"])
        except checks.Invalid as invalid:
            raise HTTPBadRequest(f"Invalid input for router_id. Reason: {invalid}.") from None
        await self._move(gateway_agents.add, request.path_params["id"], router_id)
        return json_response(None, 201)

    async def remove(self, request: Request, context: Context) -> Response:
        _require(context, "delete_l3-router")
        await self._move(gateway_agents.remove, request.path_params["id"], request.path_params["router_id"])
        return Response(status_code=204)

    async def _move(self, move: Callable[[WriteTransaction, str, str], None], agent_id: str, router_id: str) -> None:
        await self._run.write(self._store.run, lambda tx: move(tx, agent_id, router_id))

    def _of_agent(self, context: Context, id: str) -> list[Object]:
        with self._store.read() as tx:
            ids = gateway_agents.routers_on(tx, _agent(tx.get("agents", id), id))
        return self._routers.find(context, _these(ids), dict) if ids else []

    def _of_router(self, context: Context, id: str) -> list[Object]:
        with self._store.read() as tx:
            if tx.get("routers", id) is None:
                raise RouterNotFound(id=id)
            states = gateway_agents.agents_of(tx, id)
        found = self._agents.find(context, _these(list(states)), dict) if states else []
        return [agent | {"ha_state": states[agent["id"]]} for agent in found]


def _agent(found: Object | None, id: str) -> Object:
    if found is None:
        raise AgentNotFound(id=id)
    return found


def _these(ids: list[str]) -> Listing:
    return Listing(Query({"id": ids}), frozenset(), {})


def _require(context: Context, action: str) -> None:
    if not may(context, action):
        raise PolicyNotAuthorized(action=action)
