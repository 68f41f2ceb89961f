"""The kernel's part: veth pairs that join bridges, and the tunnel's address where it has to be."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from netweft.dataplane.host.links import HostError, HostLinks
from netweft.dataplane.host.values import Address, VethPair
from netweft.reconcile.plan import Step

log = structlog.get_logger(__name__)


class LinksSide:
    """dirty: something changed, here or in the kernel, since the last time all was well."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.dirty = True
        self._wake = wake
        self._host: HostLinks | None = None
        self._veths: list[VethPair] = []
        self._addresses: list[Address] = []

    async def open(self) -> None:
        self._host = await HostLinks.open(self._changed)

    async def close(self) -> None:
        if self._host:
            await self._host.close()

    def want(self, links: Iterable[VethPair | Address]) -> None:
        wanted = list(links)
        self._veths = [link for link in wanted if isinstance(link, VethPair)]
        self._addresses = [link for link in wanted if isinstance(link, Address)]
        self.dirty = True

    async def apply_veths(self) -> None:
        """Before the rows that put their ends into bridges.  Raises HostError."""
        for pair in self._veths if self.dirty and self._host else ():
            assert self._host
            if await self._host.ensure_veth(pair):
                log.info("veth pair made", name=pair.name, peer=pair.peer)

    async def apply_addresses(self) -> None:
        """After the rows: in the userspace datapath a bridge's port comes with its row.  Raises HostError."""
        if not (self.dirty and self._host):
            return
        self.dirty = False
        try:
            for address in self._addresses:
                await self._host.ensure_up(address.interface)
                if await self._host.ensure_address(address):
                    log.info("address set", interface=address.interface, ip=address.ip)
        except HostError:
            self.dirty = True
            raise

    async def plan(self) -> list[Step]:
        if self._host is None:
            return []
        steps = []
        for pair in self._veths:
            if not await self._host.exists(pair.name):
                steps.append(Step("veth", pair.name, now=f"{pair.name} {pair.peer}"))
        for address in self._addresses:
            if not await self._host.has_address(address.ip):
                text = f"{address.ip}/{address.prefix_length} on {address.interface}"
                steps.append(Step("address", (address.interface, address.ip), now=text))
        return steps

    def _changed(self) -> None:
        self.dirty = True
        asyncio.get_running_loop().call_soon(self._wake)
