"""/v2.0/availability_zones: where agents are, by what they do there; and the attributes that ask for zones."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import checks, querystring
from netweft.api.attributes import Attribute
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.resources.standard import READ_ONLY
from netweft.api.running import Run
from netweft.control import zones
from netweft.plugins.identity import Context
from netweft.store import Object, Store

_FIELDS = ("name", "resource", "state")
_LONGEST = 255  # of all hints together, as Neutron keeps them
_names = checks.list_of(checks.string(255), unique=True)


def _hints(value: Any) -> Any:
    names = _names(value)
    if len(json.dumps(names)) > _LONGEST:
        raise Invalid("Too many availability_zone_hints specified")
    return names


def hints(*, sort: bool) -> dict[str, Attribute]:
    """sort: as Neutron has it, for networks only."""
    asked = Attribute(check=_hints, post=True, default=[], sort=sort)
    return {zones.HINTS: asked, "availability_zones": Attribute(check=READ_ONLY)}


class AvailabilityZones:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/availability_zones", gate(self.every), methods=["GET"])]

    async def every(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        asked: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in (*_FIELDS, "fields"):
                raise HTTPBadRequest(f"['{name}'] is invalid attribute for filtering")
            asked.setdefault(name, []).append(value)
        fields = asked.pop("fields", list(_FIELDS))
        found = await self._run.read(self._found) if may(context, "get_availability_zone") else []
        meant = [zone for zone in found if all(zone[name] in values for name, values in asked.items())]
        return json_response(
            {"availability_zones": [{name: zone[name] for name in _FIELDS if name in fields} for zone in meant]}
        )

    def _found(self) -> list[Object]:
        with self._store.read() as tx:
            return zones.every(tx)
