"""Announces on the wire that VMs have moved here: at once, and some more times within the next quarter of a second.

Once is not enough where a switch is an Open vSwitch: docs/decisions/0151-announced-four-times.md.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.services.l2.announce import Packet

log = structlog.get_logger(__name__)

PAUSES = (0.0, 0.02, 0.05, 0.15)  # seconds before each


class Announcer:
    """packet: what to say of a port for the nth time; None when there is nothing to say (any more)."""

    def __init__(self, packet: Callable[[str, int], Packet | None], send: Callable[[Packet], Awaitable[None]]) -> None:
        self._packet, self._send = packet, send
        self._arrived: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()

    def arrived(self, port_ids: Iterable[str]) -> None:
        if ids := tuple(port_ids):
            self._arrived.put_nowait(ids)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._announce(await self._arrived.get()))

    async def _announce(self, port_ids: tuple[str, ...]) -> None:
        for time, pause in enumerate(PAUSES):
            await asyncio.sleep(pause)
            for packet in filter(None, (self._packet(id, time) for id in port_ids)):
                try:
                    await self._send(packet)
                except OpenFlowError as error:  # the VM's own first frame will have to do
                    log.warning("move not announced", problem=str(error))
