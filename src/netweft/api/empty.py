"""Collections that clients ask for before anything else, and that are empty here: service providers, since no plug-in
provides services.  Nothing can be put into them.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.encoding import json_response
from netweft.api.gate import Gate, Handler
from netweft.plugins.identity import Context

COLLECTIONS = ("service_providers",)


def routes(gate: Gate) -> list[BaseRoute]:
    return [Route(f"/v2.0/{name}", gate(_list(name)), methods=["GET"]) for name in COLLECTIONS]


def _list(collection: str) -> Handler:
    async def answer(request: Request, context: Context) -> Response:
        return json_response({collection: []})

    return answer
