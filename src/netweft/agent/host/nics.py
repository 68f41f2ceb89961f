"""NICs of the kernel in bridges of ours, where the datapath is not the kernel's.

One that is replaced by another of its name is opened anew: Open vSwitch goes on listening on the one that is gone;
taking the port out and in again helps.

The kernel sees what comes in there, too, and would answer ARP for the tunnel's address with the NIC's MAC: tunnels that
believe it lead nowhere (docs/decisions/0466).  For IPv6 it answers only where the address is.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from netweft.agent.desired import RowChanges
from netweft.dataplane.host.monitor import HostMonitor
from netweft.dataplane.ovsdb.rows import PortRow

log = structlog.get_logger(__name__)


class NicsSide:
    """reopen: takes this port out of its bridge and in again."""

    def __init__(self, reopen: Callable[[PortRow], Awaitable[None]]) -> None:
        self._reopen = reopen
        self._ports: dict[str, PortRow] = {}
        self._seen: dict[str, int] = {}  # name -> the kernel's number of the one that was there last
        self._changed = asyncio.Event()

    def change(self, part: RowChanges) -> None:
        """Of rows that are wanted; those of NICs are distinguished from others."""
        for kind, name in part.deletes:
            if kind == "port" and name in self._ports:
                del self._ports[name]
                self._seen.pop(name, 0)
        for row in part.upserts:
            if isinstance(row, PortRow) and not row.type:
                self._ports[row.name] = row
                self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        monitor = HostMonitor(lambda _: self._changed.set())
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._look()
        finally:
            monitor.close()

    async def _look(self) -> None:
        for name, port in list(self._ports.items()):
            with suppress(OSError):  # gone, for now
                index = socket.if_nametoindex(name)
                before, self._seen[name] = self._seen.get(name, index), index
                _answer_for_nothing(name)
                if before != index:
                    log.info("NIC replaced", name=name)
                    await self._reopen(port)


def _answer_for_nothing(name: str) -> None:
    """No ARP for addresses of other interfaces."""
    try:
        Path(f"/proc/sys/net/ipv4/conf/{name}/arp_ignore").write_text("1")
    except OSError as error:
        log.warning("NIC may answer ARP for the tunnel address", name=name, problem=str(error))
