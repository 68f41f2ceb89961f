"""/v2.0/network-ip-availabilities: for admins and services, computed on request; no resource like the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import checks, querystring
from netweft.api.attributes import Attribute
from netweft.api.encoding import json_response
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.resources.standard import READ_ONLY
from netweft.api.running import Run
from netweft.control.errors import NetworkNotFound
from netweft.control.ipam.ip_availability import of_networks
from netweft.plugins.identity import Context
from netweft.store import Object, Query, Store

# as the network, which it is about, has it
_OF_NETWORK = {"network_id": "id", "network_name": "name"}


class _Availability(NamedTuple):
    """As questions know it; each is as its network is."""

    collection: str = "network_ip_availabilities"
    attributes: Mapping[str, Attribute] = {
        "network_id": Attribute(check=READ_ONLY, filter=True, sort=True),
        "network_name": Attribute(check=READ_ONLY, filter=True),
        "project_id": Attribute(check=READ_ONLY, filter=True),
        "tenant_id": Attribute(check=READ_ONLY, filter=True),
        "ip_version": Attribute(check=READ_ONLY, filter=True, parse=checks.ip_version),
    }
    computed: frozenset[str] = frozenset()


class IpAvailability:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/network-ip-availabilities"
        return [Route(path, gate(self.list)), Route(path + "/{id}", gate(self.show))]

    async def list(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        listing = querystring.listing(_Availability(), pairs)
        found = await self._found(context, listing.query)
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(_Availability(), listing, found, url, pairs, key="network_id"))

    async def show(self, request: Request, context: Context) -> Response:
        id = request.path_params["id"]
        fields = querystring.fields_of(querystring.parse(request.url.query))
        found = await self._found(context, Query({"network_id": [id]}))
        if not found:
            raise NetworkNotFound(id=id)
        shown = {name: value for name, value in found[0].items() if not fields or name in fields}
        return json_response({"network_ip_availability": shown})

    async def _found(self, context: Context, asked: Query) -> Sequence[Object]:
        """Of a page of networks."""
        if not may(context, "get_network_ip_availability"):
            return []

        filters = {_OF_NETWORK.get(name, name): values for name, values in asked.filters.items()}
        versions = [version for version in filters.pop("ip_version", ()) if isinstance(version, int)]
        sort = [(_OF_NETWORK.get(name, name), down) for name, down in asked.sort]
        networks = replace(asked, filters=filters, sort=sort)

        def work() -> Sequence[Object]:
            with self._store.read() as tx:
                if asked.marker is not None and tx.get("networks", asked.marker) is None:
                    raise NetworkNotFound(id=asked.marker)
                return of_networks(tx, networks, versions)

        return await self._run.read_much(work)
