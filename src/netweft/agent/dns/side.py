"""The node's name server: it listens where flows bring what VMs ask, beside the metadata service, and by UDP and TCP.

The library that it needs is loaded when nothing else is waited for.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from netweft.agent.desired import Desired, Part
from netweft.agent.dns.datagrams import Datagrams, Reply
from netweft.agent.dns.names import Key, Names
from netweft.agent.dns.streams import Stream
from netweft.agent.metadata.guests import Guests, room
from netweft.agent.metadata.interface import InterfaceWatch, Listener, bound, keep_listening
from netweft.agent.metadata.requesters import Requesters
from netweft.model.names import rooted
from netweft.services.metadata import ends
from netweft.services.names import Named
from netweft.services.values import Asked, LocalPort
from netweft.settings import AgentSettings

if TYPE_CHECKING:
    from netweft.agent.dns.forwarding import Forwarder

MANY: Final = 2000  # queries of one port in requesters.PERIOD
ANSWERED, FORWARDED, UNHEARD = "answered", "forwarded", "unheard"


class DnsSide:
    """watch: of the interface.  said: how many queries, by what became of them."""

    def __init__(
        self,
        settings: AgentSettings,
        desired: Desired,
        watch: InterfaceWatch,
        wake: Callable[[], None],
        spare: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings, self._watch, self._wake, self._spare = settings, watch, wake, spare
        self._names = Names(settings.dhcp_domain)
        self._requesters = Requesters(desired, Asked.DNS, MANY, wake)
        self._guests = Guests(0)
        self._deaf = ""
        self._forwarder: Forwarder | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self.said: Counter[str] = Counter()

    def change(self, part: Part[Key, Named]) -> None:
        self._names.change(part)

    async def run(self) -> None:
        """Until cancelled."""
        if not self._settings.dns:
            return
        await self._spare()
        self._guests = Guests(room())
        for name in ("answering", "forwarding"):
            await asyncio.to_thread(import_module, f"netweft.agent.dns.{name}")
        from netweft.agent.dns.forwarding import Forwarder

        self._forwarder = Forwarder(self._settings.dns_servers)
        await keep_listening(self._watch, self._listen, self._becomes)

    @property
    def problem(self) -> str:
        """For an operator; empty: none."""
        return f"names: queries of VMs are not received: {self._deaf}" if self._deaf else ""

    def _becomes(self, deaf: str) -> None:
        if deaf != self._deaf:
            self._deaf = deaf
            self._wake()

    async def _listen(self) -> list[Listener]:
        """Raises OSError."""
        with contextlib.ExitStack() as opened:
            kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
            sockets = [
                opened.enter_context(bound(family, kind, ends.DNS_PORT))
                for kind in kinds
                for family in (socket.AF_INET, socket.AF_INET6)
            ]
            opened.pop_all()
        datagrams: list[Listener] = [Datagrams(one, self._take) for one in sockets[:2]]
        return [*datagrams, *[await asyncio.start_server(self._serve, sock=one) for one in sockets[2:]]]

    def _take(self, peer: str, wire: bytes, reply: Reply) -> None:
        here = self._enter(peer)
        if here is None:
            return
        task = asyncio.create_task(self._reply(here, wire, reply))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _reply(self, here: LocalPort, wire: bytes, reply: Reply) -> None:
        answer = await self._ask(here, wire, tcp=False)
        if answer is not None:
            reply(answer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        stream = Stream(reader, writer)
        here = self._enter(peer[0]) if peer else None
        if here is None:
            stream.leave()
            return

        heard = 0

        async def ask(wire: bytes) -> bytes | None:
            nonlocal heard
            heard += 1  # the first came with its connection, which was counted
            if heard > 1 and self._requesters.is_too_much(here.port.id):
                return None
            return await self._ask(here, wire, tcp=True)

        await stream.serve(here.port.id, self._guests, ask)

    def _enter(self, peer: str) -> LocalPort | None:
        here = self._requesters.who(peer)
        if here is None or self._requesters.is_too_much(here.port.id):
            self.said[UNHEARD] += 1
            return None
        return here

    async def _ask(self, here: LocalPort, wire: bytes, *, tcp: bool) -> bytes | None:
        """None: nothing is said."""
        from netweft.agent.dns import answering

        assert self._forwarder is not None
        network = here.network.network
        try:
            query = answering.parsed(wire)
        except answering.NoQuery:
            self.said[UNHEARD] += 1
            return None
        alone = not self._forwarder
        answer = answering.own(self._names, network.id, rooted(network.dns_domain), query, alone=alone)
        if answer is None:
            answer = await self._forwarder.ask(here.port.id, query, tcp=tcp)
            self.said[UNHEARD if answer is None else FORWARDED] += 1
        else:
            self.said[ANSWERED] += 1
        if not self._requesters.is_still(here):
            return None
        return answer if tcp or answer is None else answering.fitted(query, answer)
