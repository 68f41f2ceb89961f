"""/v2.0/floatingip_pools: the subnets that floating IPs are taken from, as far as the caller sees them."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import querystring
from netweft.api.attributes import Resource
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import Policy
from netweft.api.running import Run
from netweft.control.rbac import IS_EXTERNAL
from netweft.plugins.identity import Context
from netweft.store import Object, Query, Store

_PATH = "/v2.0/floatingip_pools"
_FIELDS = frozenset({"subnet_id", "subnet_name", "project_id", "tenant_id", "network_id", "cidr"})


class FloatingIPPools:
    def __init__(self, network: Resource, store: Store) -> None:
        self._policy = Policy(network)
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route(_PATH, gate(self.every), methods=["GET"])]

    async def every(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        if unknown := [name for name, _ in pairs if name != "fields"]:
            raise HTTPBadRequest(f"{unknown} is invalid attribute for filtering")
        fields = querystring.fields_of(pairs) or _FIELDS
        pools = await self._run.read_much(self._pools, context)
        return json_response({"floatingip_pools": [{n: v for n, v in pool.items() if n in fields} for pool in pools]})

    def _pools(self, context: Context) -> list[Object]:
        with self._store.read() as tx:
            if not self._policy.allows(tx, context, "get_floatingip_pool", {"project_id": context.project_id}):
                return []
            seen = Query({IS_EXTERNAL: [True]}, any_of=self._policy.visible(tx, context))
            networks = [network["id"] for network in tx.query("networks", seen)]
            subnets = tx.query("subnets", Query({"network_id": networks, "ip_version": [4]})) if networks else []
        return [
            {
                "subnet_id": subnet["id"],
                "subnet_name": subnet["name"],
                "project_id": context.project_id,
                "tenant_id": context.project_id,
                "network_id": subnet["network_id"],
                "cidr": subnet["cidr"],
            }
            for subnet in subnets
        ]
