"""GET /v2.0/netweft/fabric: how far each node is behind the feed, for who sees agents.  Read only.

What else there is to know of nodes stands in /v2.0/agents and in the ports that are bound to them.
"""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.encoding import json_response
from netweft.api.faults import PolicyNotAuthorized
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.control.explain.snapshot import Lag
from netweft.plugins.identity import Context


class Fabric:
    """lags: called in the event loop."""

    def __init__(self, lags: Callable[[], Mapping[str, Lag]]) -> None:
        self._lags = lags

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/netweft/fabric", gate(self.show), methods=["GET"])]

    async def show(self, request: Request, context: Context) -> Response:
        """A node whose session another server has is not among them."""
        if not may(context, "get_agent"):
            raise PolicyNotAuthorized(action="get_agent")
        nodes = [{"host": host, "feed": lag._asdict()} for host, lag in sorted(self._lags().items())]
        return json_response({"fabric": {"nodes": nodes}})
