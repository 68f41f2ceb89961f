"""The kernel's part: veth pairs that join bridges, and the tunnel's address where it has to be.

It goes its own way: Open vSwitch takes a link into its bridge whenever the link appears, and netlink is slow enough
that no port should wait for it.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.links import HostLinks
from netweft.dataplane.host.ours import our_interfaces
from netweft.dataplane.host.values import Address, Endpoint, VethPair
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff

log = structlog.get_logger(__name__)


class LinksSide:
    """settled: called each time that everything wanted is there."""

    def __init__(self, settled: Callable[[], None]) -> None:
        self._settled = settled
        self.in_place = True
        self._host: HostLinks | None = None
        self._opened = asyncio.Event()
        self._links: list[VethPair | Address | Endpoint] = []
        self._sweep = False
        self._dirty = asyncio.Event()

    def want(self, links: Iterable[VethPair | Address | Endpoint], *, sweep: bool) -> None:
        """sweep: veth pairs and addresses of ours that are not among them go."""
        wanted = list(links)
        if (wanted, sweep) == (self._links, self._sweep):
            return
        self._links, self._sweep = wanted, sweep
        if self._links or self._obsolete():
            self.in_place = False
            self._dirty.set()

    def _obsolete(self) -> set[str]:
        if not self._sweep:
            return set()
        return our_interfaces() - {name for link in self._links if isinstance(link, VethPair) for name in _names(link)}

    def _changed(self, names: frozenset[str] | None) -> None:
        """VMs' interfaces come and go; only what is ours to make matters here."""
        if names is None or not names.isdisjoint(name for link in self._links for name in _names(link)):
            self._dirty.set()

    async def run(self) -> None:
        """Until cancelled.  A bridge's own link appears a moment after its row, so a first failure is no news."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff(first=0.05)
        await self._dirty.wait()
        self._host = await HostLinks.open(self._changed)
        self._opened.set()
        try:
            while True:
                await self._dirty.wait()
                self._dirty.clear()
                try:
                    await self._apply(self._host)
                    backoff.succeeded()
                except HostError as error:
                    if backoff.failures == 3:
                        log.error("link not as wanted", problem=str(error))
                    await asyncio.sleep(backoff.failed(clock()))
                    self._dirty.set()
        finally:
            await self._host.close()

    async def _apply(self, host: HostLinks) -> None:
        for link in self._links:
            if not isinstance(link, Endpoint):
                await _ensure(host, link)
        for name in sorted(self._obsolete()):
            if await host.delete_veth(name):
                log.info("veth pair removed", name=name)
        if self._sweep:
            wanted = [ip for link in self._links for ip in _addresses(link)]
            for ip in await host.delete_addresses(but=wanted):
                log.info("address removed", ip=ip)
        self._joined()
        for link in self._links:  # one that cannot be had is in nobody else's way
            if isinstance(link, Endpoint):
                await _ensure(host, link)

    def _joined(self) -> None:
        if not self.in_place and not self._dirty.is_set():
            self.in_place = True
            self._settled()

    async def plan(self) -> list[Step]:
        """Once it can be looked at the links that are there: after a start not at once."""
        if self._links:
            await self._opened.wait()
        missing = [step for link in self._links if self._host and (step := await _missing(self._host, link))]
        return [*missing, *(Step("veth", name, was=name) for name in sorted(self._obsolete()))]


def _names(link: VethPair | Address | Endpoint) -> tuple[str, ...]:
    return (link.name, link.peer) if isinstance(link, VethPair) else (link.interface,)


async def _ensure(host: HostLinks, link: VethPair | Address | Endpoint) -> None:
    match link:
        case VethPair():
            if await host.ensure_veth(link):
                log.info("veth pair made", name=link.name, peer=link.peer)
        case Address():
            await host.ensure_up(link.interface)
            if await host.ensure_address(link):
                log.info("address set", interface=link.interface, ip=link.ip)
        case Endpoint():
            if await host.ensure_endpoint(link):
                log.info("interface set up", interface=link.interface)


def _addresses(link: VethPair | Address | Endpoint) -> tuple[str, ...]:
    match link:
        case Address():
            return (link.ip,)
        case Endpoint():
            return tuple(ip for ip, _ in link.addresses)
        case VethPair():
            return ()


async def _missing(host: HostLinks, link: VethPair | Address | Endpoint) -> Step | None:
    match link:
        case VethPair():
            there, kind, text = await host.exists(link.name), "veth", f"{link.name} {link.peer}"
        case Address():
            text = f"{link.ip}/{link.prefix_length} on {link.interface}"
            there, kind = await host.has_address(link.ip), "address"
        case Endpoint():
            text = " ".join(("/".join(map(str, link.addresses[0])), "on", link.interface))
            there, kind = await host.has_address(link.addresses[0][0]), "address"
    return None if there else Step(kind, text, now=text)
