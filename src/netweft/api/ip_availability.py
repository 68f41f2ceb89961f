"""/v2.0/network-ip-availabilities: for admins and services, computed when asked for; no resource like the others."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import querystring
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.running import Run
from netweft.control.errors import NetworkNotFound
from netweft.control.ip_availability import of_networks
from netweft.plugins.identity import Context
from netweft.store import Object, Query, Store

# what it is filtered by -> the network's attribute
_FILTERS = {"network_id": "id", "network_name": "name", "project_id": "project_id", "tenant_id": "project_id"}


class IpAvailability:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/network-ip-availabilities"
        return [Route(path, gate(self.list)), Route(path + "/{id}", gate(self.show))]

    async def list(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        filters: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in (*_FILTERS, "ip_version", "fields"):
                raise HTTPBadRequest(f"['{name}'] is invalid attribute for filtering")
            if name in _FILTERS:
                filters.setdefault(_FILTERS[name], []).append(value)
        versions = [_version(value) for name, value in pairs if name == "ip_version"]
        found = await self._found(context, filters, versions)
        fields = querystring.fields_of(pairs)
        shown = [{name: value for name, value in one.items() if not fields or name in fields} for one in found]
        return json_response({"network_ip_availabilities": shown})

    async def show(self, request: Request, context: Context) -> Response:
        id = request.path_params["id"]
        found = await self._found(context, {"id": [id]}, [])
        if not found:
            raise NetworkNotFound(id=id)
        return json_response({"network_ip_availability": found[0]})

    async def _found(
        self, context: Context, filters: Mapping[str, Sequence[str]], versions: Sequence[int]
    ) -> Sequence[Object]:
        if not may(context, "get_network_ip_availability"):
            return []

        def work() -> Sequence[Object]:
            with self._store.read() as tx:
                return of_networks(tx, tx.query("networks", Query(filters)), versions)

        return await self._run.read_much(work)


def _version(text: str) -> int:
    if text not in ("4", "6"):
        raise HTTPBadRequest(f"Invalid input for ip_version. Reason: '{text}' is not in [4, 6].")
    return int(text)
