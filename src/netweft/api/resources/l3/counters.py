"""/v2.0/netweft/counters: what was counted of floating IPs, port forwardings, routers' gateways, metering labels and
firewall rules (of these in `packets_in`, `bytes_in`: what each decided).

Read only.  Whoever sees an object sees its counters, under its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import checks, pages, querystring
from netweft.api.attributes import Attribute, Resource
from netweft.api.encoding import json_response
from netweft.api.gate import Gate
from netweft.api.querystring import Listing
from netweft.api.resources.standard import READ_ONLY, STANDARD
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import NotFound
from netweft.control.l3 import counters, forwardings
from netweft.plugins.identity import Context
from netweft.store import Counts, Object, Query, Store

_FORWARDING, _FLOATING = "port_forwarding", "floatingip"
_NUMBER = Attribute(check=checks.integer, parse=checks.integer, sort=True)
_TYPES = (_FLOATING, _FORWARDING, "router", "metering_label", "firewall_rule")
_TYPE = checks.one_of(*_TYPES)
_COUNTS = ("packets_in", "bytes_in", "packets_out", "bytes_out")


class CountersNotFound(NotFound):
    message = "There are no counters for %(id)s"


_ATTRIBUTES: Mapping[str, Attribute] = {
    **{name: STANDARD[name] for name in ("id", "project_id", "tenant_id")},
    "object_type": Attribute(check=READ_ONLY, parse=_TYPE, filter=True, sort=True),
    **dict.fromkeys(_COUNTS, _NUMBER),
    "updated_at": Attribute(check=READ_ONLY),
}


class _Counter(NamedTuple):
    """As lists describe it."""

    member: str = "counter"
    collection: str = "counters"
    attributes: Mapping[str, Attribute] = _ATTRIBUTES
    computed: frozenset[str] = frozenset()


class Counters:
    def __init__(self, resources: Sequence[Resource], store: Store) -> None:
        """Of these, and of the forwardings of floating IPs."""
        self._kinds = {resource.member: resource.collection for resource in resources}
        # to look at counters makes nobody's default firewall
        self._services = {one.member: Service(replace(one, before_list=None), store) for one in resources}
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/netweft/counters"
        return [
            Route(path, gate(self.every), methods=["GET"]),
            Route(path + "/{id}", gate(self.show), methods=["GET"]),
        ]

    async def every(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        listing = querystring.listing(_Counter(), pairs)
        found = await self._run.read_much(self._find, context, listing.query.filters)
        page = pages.of_parts(listing.query, found, CountersNotFound(id=listing.query.marker))
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(_Counter(), listing, page, url, pairs))

    async def show(self, request: Request, context: Context) -> Response:
        id = request.path_params["id"]
        found = await self._run.read(self._find, context, {"id": [id]})
        if not found:
            raise CountersNotFound(id=id)
        fields = querystring.fields_of(querystring.parse(request.url.query))
        return json_response({"counter": {n: v for n, v in found[0].items() if not fields or n in fields}})

    def _find(self, context: Context, filters: Mapping[str, Sequence[Any]]) -> list[Object]:
        """Of what the caller sees.  filters: whatever else they say, is asked of the answer."""
        by = {name: filters[name] for name in ("id", "project_id") if name in filters}
        found: list[Object] = []
        for type in filters.get("object_type", _TYPES):
            if type == _FORWARDING:
                found += self._told(type, forwardings.KIND, self._forwardings(context, by))
            else:
                found += self._told(type, self._kinds[type], self._objects(context, type, by))
        return found

    def _objects(self, context: Context, type: str, filters: Mapping[str, Sequence[Any]]) -> Sequence[Object]:
        fields = frozenset({"id", "project_id"})
        return self._services[type].find(context, Listing(Query(filters), fields, {}), dict)

    def _forwardings(self, context: Context, filters: Mapping[str, Sequence[Any]]) -> Sequence[Object]:
        """Of the floating IPs that the caller sees."""
        of = {name: values for name, values in filters.items() if name != "id"}
        if "id" in filters:
            of["id"] = sorted({row[forwardings.FIP] for row in self._rows({"id": filters["id"]})})
        seen = [one["id"] for one in self._objects(context, _FLOATING, of)]
        rows = self._rows({forwardings.FIP: seen}) if seen else []
        return [row for row in rows if row["id"] in filters.get("id", (row["id"],))]

    def _rows(self, filters: Mapping[str, Sequence[Any]]) -> Sequence[Object]:
        with self._store.read() as tx:
            return tx.query(forwardings.KIND, Query(filters))

    def _told(self, type: str, kind: str, objects: Sequence[Object]) -> Sequence[Object]:
        with self._store.read() as tx:
            sums = counters.sums(tx, kind, [one["id"] for one in objects])
        return [_shown(type, one, sums[one["id"]]) for one in objects]


def _shown(type: str, object: Object, counts: Counts) -> Object:
    """updated_at: null while no node has said anything."""
    *numbers, at = counts
    said = dict(zip(_COUNTS, numbers, strict=True))
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
    project = object["project_id"]
    return {
        "id": object["id"],
        "object_type": type,
        "project_id": project,
        "tenant_id": project,
        **said,
        "updated_at": when,
    }
