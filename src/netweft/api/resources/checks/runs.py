"""POST /v2.0/netweft/checks/{id}/run: now, by whichever server is asked."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.attributes import Resource
from netweft.api.encoding import json_response
from netweft.api.faults import PolicyNotAuthorized
from netweft.api.gate import Gate
from netweft.api.resources.checks.runner import Looks, judged, settle
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.plugins.identity import Context
from netweft.store import Object, Store

_RULE = "run_check"


class CheckRuns:
    def __init__(self, resource: Resource, store: Store, looks: Looks) -> None:
        self._service, self._store, self._looks = Service(resource, store), store, looks
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/netweft/checks/{id}/run", gate(self.run), methods=["POST"])]

    async def run(self, request: Request, context: Context) -> Response:
        id = request.path_params["id"]
        check = await self._run.read(self._service.ask, context, id, _RULE, lambda tx, found: found)
        if check is None:
            raise PolicyNotAuthorized(action=_RULE)
        said, _ = await judged(self._looks, check, nodes=True, user=context.user_id)
        assert said is not None  # nodes were queried
        await self._run.write(partial(settle, self._store, check, said))
        shown: Object = await self._run.read(self._service.show, context, id, frozenset())
        return json_response({"check": shown})
