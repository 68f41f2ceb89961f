"""GET /v2.0/netweft/wiring/{port_id}: how a port is wired on its node, as the node says now.

Read only.  Whoever sees a port is told whether it is wired, and its link; whose it is, what it has sent and received;
bridges, tags, tunnels and hosts are shown only to callers who see agents.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from msgspec import structs, to_builtins
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.attributes import Resource
from netweft.api.encoding import json_response
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.resources.explain.node_answers import Asks
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import NotFound
from netweft.control.explain.snapshot import Lag
from netweft.control.l2.hosts import HOST
from netweft.feed.queries import Silence
from netweft.plugins.identity import Context
from netweft.store import Object, Store
from netweft.wire.queries import Answer, Ask
from netweft.wire.wiring import Counts, Station, Wiring

MOST_OF_ONE: Final = 4  # questions of one user at once: nodes have other things to do
_NOBODY: Final = "the port is bound to no host"
_MANY: Final = "too much is asked at once, try again"


class PortWiring:
    """asks: queries nodes; None: nobody does."""

    def __init__(self, port: Resource, store: Store, lags: Callable[[], Mapping[str, Lag]], asks: Asks | None) -> None:
        self._service = Service(port, store)
        self._store, self._lags, self._asks = store, lags, asks
        self._run = Run(store)
        self._at_once = AtOnce(MOST_OF_ONE)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route("/v2.0/netweft/wiring/{id}", gate(self.show), methods=["GET"])]

    async def show(self, request: Request, context: Context) -> Response:
        port_id = request.path_params["id"]
        host, own = await self._run.read(self._bound, context, port_id)
        with self._at_once.one(context.user_id) as few:
            answer = await self._asked(host, port_id) if few else Silence(_MANY)
        if isinstance(answer, Answer) and answer.wiring is None:
            answer = Silence(answer.error or "its agent is too old to be asked this")
        sees_nodes = may(context, "get_agent")
        told = {"port_id": port_id, "wired": isinstance(answer, Answer)}
        if isinstance(answer, Answer) and answer.wiring is not None:
            told |= {"interface": _interface(answer.wiring, port_id, own=own)}
        if sees_nodes:
            told |= self._of_nodes(host, answer)
        return json_response({"wiring": told})

    async def _asked(self, host: str, port_id: str) -> Answer | Silence:
        if not host:
            return Silence(_NOBODY)
        if self._asks is None:
            return Silence("this server asks no nodes")
        return await self._asks.ask(host, Ask(id="", port_id=port_id, wiring=True))

    def _bound(self, context: Context, port_id: str) -> tuple[str, bool]:
        """Its host, and whether it is the caller's own.  Raises NotFound for who does not see it."""
        self._service.show(context, port_id, frozenset())
        with self._store.read() as tx:
            row = tx.get("ports", port_id)
        if row is None:
            raise NotFound(id=port_id)
        return str(row.get(HOST) or ""), context.sees_all or row.get("project_id") == context.project_id

    def _of_nodes(self, host: str, answer: Answer | Silence) -> Object:
        lag = self._lags().get(host)
        told: Object = {"host": host or None, "feed": None if lag is None else lag._asdict()}
        if isinstance(answer, Silence):
            return told | {"why_not": answer.why}
        return told | {"revision": answer.revision, "node": _whole(answer.wiring)}


class AtOnce:
    """So much of one user at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()

    @contextmanager
    def one(self, user: str) -> Iterator[bool]:
        """Whether one more is allowed."""
        self._running[user] += 1
        try:
            yield self._running[user] <= self._most
        finally:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user]


def _interface(wiring: Wiring, port_id: str, *, own: bool) -> Object:
    """What its owner may know; a network's owner sees others' ports, not what they send.  Counts are those of the whole
    interface: not of a sub-port, which shares its parent's."""
    counts = structs.asdict(wiring.vif.counts) if own and wiring.port_id == port_id else None
    return {"link": wiring.vif.link, "mtu": wiring.vif.mtu, "counts": counts}


def _whole(value: Any) -> Any:
    """With what is left out on the wire."""
    if isinstance(value, Wiring | Station | Counts):
        return {name: _whole(inner) for name, inner in structs.asdict(value).items()}
    return [_whole(one) for one in value] if isinstance(value, tuple) else to_builtins(value)
