"""logs and loggable-resources, under /v2.0/log."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import checks, querystring
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import Policy
from netweft.api.resources.standard import STANDARD, flag
from netweft.api.running import Run
from netweft.control.fwaas import logs
from netweft.control.standard import UseCases
from netweft.plugins.identity import Context
from netweft.store import Object, Store

_ID = Attribute(check=checks.or_none(checks.uuid_text), post=True, default=None, filter=True, sort=True)

LOG = {name: one for name, one in STANDARD.items() if name != "tags"} | {
    "resource_type": Attribute(check=checks.string(255), post=True, default=REQUIRED, filter=True, sort=True),
    "resource_id": _ID,
    "target_id": _ID,
    "event": Attribute(check=checks.one_of("ACCEPT", "DROP", "ALL"), post=True, default="ALL", filter=True),
    "enabled": flag(post=True, put=True, default=True, filter=True, sort=True),
}


def log(use_cases: UseCases) -> Resource:
    return Resource(
        member="log",
        collection=logs.KIND,
        prefix="log/",
        attributes=LOG,
        use_cases=use_cases,
        not_found=logs.LogResourceNotFound,
        quota=100,
    )


class LoggableResources:
    def __init__(self, log: Resource, store: Store) -> None:
        self._policy = Policy(log)
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/log/loggable-resources", gate(self.every), methods=["GET"])]

    async def every(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        if unknown := [name for name, _ in pairs if name != "fields"]:
            raise HTTPBadRequest(f"{unknown} is invalid attribute for filtering")
        found = await self._run.read_much(self._found, context)
        return json_response({"loggable_resources": found})

    def _found(self, context: Context) -> list[Object]:
        with self._store.read() as tx:
            if not self._policy.allows(tx, context, "get_loggable_resource", {"project_id": context.project_id}):
                return []
        return [{"type": type} for type in logs.TYPES]
