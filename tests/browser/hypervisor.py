"""A hypervisor for the dashboard's tests: the agent's own feed client, which reports each port that it is told of as
wired; nothing is wired."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping

from netweft.agent.sync import Changes, FeedClient, Link
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.settings import AgentSettings
from netweft.wire.queries import Answer, Ask


class Hypervisor:
    """In a thread, for as long as the block.  answer: to what servers ask of it; None: it cannot be asked."""

    def __init__(
        self,
        server: str,
        node: str,
        token: str,
        answer: Callable[[Ask], Awaitable[Answer]] | None = None,
        tunnel_ip: str = "192.0.2.1",
    ) -> None:
        self._facts = NodeFacts(tunnel_ip=tunnel_ip)
        self._answer = answer
        self._settings = AgentSettings(node=node, token=token, server=(server,))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Hypervisor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._follow())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _follow(self) -> None:
        self._feed = FeedClient(self._settings, self, facts=self._facts)
        self._feed.on_asked = self._answer
        await self._feed.run()

    def view_changed(self, changes: Changes) -> None:
        mine = [id for id, port in self._feed.view.ports.items() if port.host_id == self._settings.node]
        self._feed.report([PortStatus(id, PortState.UP) for id in mine], complete=True)

    def ports_denied(self, reasons: Mapping[str, str]) -> None: ...

    def link_changed(self, link: Link) -> None: ...
