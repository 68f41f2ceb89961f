"""The node's metadata service: it listens where flows bring what VMs ask, and knows by the address who it is.

The libraries that it needs take as long to import as all ports take to be wired: only then, and beside the loop.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from importlib import import_module
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import structlog

from netweft.agent.metadata.guests import Guests, room
from netweft.agent.metadata.interface import InterfaceWatch, bound, keep_listening
from netweft.agent.metadata.requesters import Here, Ports, Requesters
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import icmp
from netweft.services.addresses import octets
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import Reason
from netweft.services.l2.announce import Packet
from netweft.services.metadata import ends
from netweft.services.values import Asked, LocalPort
from netweft.settings import AgentSettings
from netweft.wire.metadata import Ask, Said

if TYPE_CHECKING:
    from netweft.agent.metadata.connection import Answer, Connection
    from netweft.agent.metadata.server import MetadataServer

FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
BACKLOG: Final = 1024
UNAVAILABLE: Final = (502, 503, 504)  # no fault of the client's
FAILED: Final = 3  # answers one after the other, and it gets their result
MANY: Final = 400  # connections of one port in requesters.PERIOD

log = structlog.get_logger(__name__)


class Solicitations:
    """Answers who looks for the server's IPv6 address."""

    asked = Asked.NEIGHBOUR
    reasons = frozenset({Reason.METADATA})

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        asked = icmp.solicitation(packet.frame)
        if here is None or asked is None or asked.target != ends.SERVER_6:
            return ()
        return (to_port(here.number, icmp.advertisement(octets(ends.MAC), asked, router=False)),)


class MetadataSide:
    """watch: of the interface.  first: the server to ask first.
    wake: the loop, when a port is not listened to for a while.
    spare: returns when nothing else is waited for.
    said: how many answers, by the class of their status; refused: connections that were not let in."""

    def __init__(
        self,
        settings: AgentSettings,
        desired: Ports[Here],
        watch: InterfaceWatch,
        first: Callable[[], str],
        wake: Callable[[], None],
        spare: Callable[[], Awaitable[None]],
    ) -> None:
        self._watch = watch
        self._settings, self._first, self._wake, self._spare = settings, first, wake, spare
        self.said: Counter[str] = Counter()
        self.refused = 0
        self._failed = 0  # answers, one after the other
        self._deaf = ""  # why nobody is listened to
        self._guests = Guests(0)
        self._here: dict[Connection, Here] = {}  # as it was when it connected
        self._requesters = Requesters(desired, Asked.METADATA, MANY, wake)
        self._server: MetadataServer | None = None

    async def run(self) -> None:
        """Until cancelled."""
        if not self._settings.metadata:
            return
        await self._spare()
        self._guests = Guests(room())
        for name in ("connection", "server"):
            await asyncio.to_thread(import_module, f"netweft.agent.metadata.{name}")
        from netweft.agent.metadata.server import MetadataServer

        self._server = MetadataServer(self._settings, self._first)
        try:
            await keep_listening(self._watch, self._listen, self._becomes)
        finally:
            self._server.close()

    @property
    def problem(self) -> str:
        """For an operator; empty: none."""
        if self._deaf:
            return f"what VMs ask is not heard: {self._deaf}"
        return "VMs are not answered: nobody knows, or answers" if self._failed >= FAILED else ""

    def _becomes(self, deaf: str) -> None:
        if deaf != self._deaf:
            if deaf:
                log.warning("cannot listen for what VMs ask", problem=deaf)
            self._deaf = deaf
            self._wake()

    def _count(self, status: int) -> None:
        before = self.problem
        self._failed = self._failed + 1 if status in UNAVAILABLE else 0
        if self.problem != before:
            self._wake()

    async def _listen(self) -> list[asyncio.Server]:
        """Raises OSError."""
        from netweft.agent.metadata.connection import Connection

        with contextlib.ExitStack() as opened:
            sockets = [opened.enter_context(bound(family, socket.SOCK_STREAM, ends.PORT)) for family in FAMILIES]
            opened.pop_all()
        loop = asyncio.get_running_loop()
        return [await loop.create_server(partial(Connection, self), sock=one, backlog=BACKLOG) for one in sockets]

    # -- House

    def enter(self, connection: "Connection", ends_: tuple[Any, Any]) -> "Answer | None":
        (peer, *_), (own, *_) = ends_
        here = self._requesters.who(peer)
        if (
            here is None
            or self._requesters.is_too_much(here.port.id)
            or not self._guests.enter(here.port.id, connection)
        ):
            self.refused += 1
            return None
        self._here[connection] = here
        addresses = (ip_address(one.partition("%")[0]) for one in (peer, own))
        asked_from = ends.asked_from(here.port, *addresses)
        return partial(self._answer, here.port.id, asked_from)

    def left(self, connection: "Connection") -> None:
        if here := self._here.pop(connection, None):
            self._guests.left(here.port.id, connection)

    def observe(self) -> None:
        """Of ports that have gone."""
        for connection, here in list(self._here.items()):
            if not self._requesters.is_still(here):
                connection.leave()

    async def _answer(self, port_id: str, asked_from: str, method: str, target: str, body: bytes) -> Said:
        assert self._server is not None
        question = Ask(port_id=port_id, asked_from=asked_from, method=method, target=target, body=body)
        said = await self._server.ask(question)
        self.said[f"{said.status // 100}xx"] += 1
        self._count(said.status)
        return said

    @property
    def connected(self) -> int:
        return len(self._here)
