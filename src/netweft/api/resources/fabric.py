"""GET /v2.0/netweft/fabric: how far each node is behind the feed; /v2.0/netweft/fabric/tunnels: what nodes see of those
that they watch.  For who sees agents.  Read only.

What else there is to know of nodes stands in /v2.0/agents and in the ports that are bound to them.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import querystring
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest, PolicyNotAuthorized
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.resources.explain.node_answers import Asks
from netweft.api.resources.l2.wiring import AtOnce
from netweft.control.explain.snapshot import Lag
from netweft.feed.queries import Silence
from netweft.plugins.identity import Context
from netweft.store import Object
from netweft.wire.queries import Answer, Ask

MOST: Final = 40  # nodes that are asked at once: what the page's matrix has
MOST_OF_ONE: Final = 2  # such questions of one user
_MANY: Final = "too much is asked at once, try again"


class Fabric:
    """lags: called in the event loop.  asks: queries nodes; None: nobody does."""

    def __init__(self, lags: Callable[[], Mapping[str, Lag]], asks: Asks | None) -> None:
        self._lags, self._asks = lags, asks
        self._at_once = AtOnce(MOST_OF_ONE)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/netweft/fabric"
        return [
            Route(path, gate(self.show), methods=["GET"]),
            Route(f"{path}/tunnels", gate(self.tunnels), methods=["GET"]),
        ]

    async def show(self, request: Request, context: Context) -> Response:
        """A node whose session another server has is not among them."""
        _refuse_others(context)
        nodes = [{"host": host, "feed": lag._asdict()} for host, lag in sorted(self._lags().items())]
        return json_response({"fabric": {"nodes": nodes}})

    async def tunnels(self, request: Request, context: Context) -> Response:
        """host: of whom it is asked, once for each."""
        _refuse_others(context)
        asked = querystring.parse(request.url.query)
        hosts = list(dict.fromkeys(value for name, value in asked if name == "host" and value))
        if not 0 < len(hosts) <= MOST or any(name != "host" for name, _ in asked):
            raise HTTPBadRequest(f"Give the names of at most {MOST} nodes: host=NAME, for each")
        with self._at_once.one(context.user_id) as few:
            answers = await asyncio.gather(*(self._asked(host, may_be=few) for host in hosts))
        return json_response({"tunnels": [_told(host, said) for host, said in zip(hosts, answers, strict=True)]})

    async def _asked(self, host: str, *, may_be: bool) -> Answer | Silence:
        if not may_be:
            return Silence(_MANY)
        if self._asks is None:
            return Silence("this server asks no nodes")
        return await self._asks.ask(host, Ask(id="", tunnels=True))


def _refuse_others(context: Context) -> None:
    if not may(context, "get_agent"):
        raise PolicyNotAuthorized(action="get_agent")


def _told(host: str, said: Answer | Silence) -> Object:
    """watched: null where that is not known; why_not says why."""
    if isinstance(said, Silence):
        return {"host": host, "watched": None, "why_not": said.why}
    if said.watched is None:
        return {"host": host, "watched": None, "why_not": said.error or "its agent is too old to be asked this"}
    return {"host": host, "watched": [{"host": one.host, "state": one.state} for one in said.watched], "why_not": ""}
