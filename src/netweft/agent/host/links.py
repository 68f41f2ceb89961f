"""The kernel's part: veth pairs that join bridges, and the tunnel's address where it has to be.

It goes its own way: Open vSwitch takes a link into its bridge whenever the link appears, and netlink is slow enough
that no port should wait for it.  Whether all is as wanted is seen at once; the library that changes it is loaded when
something has to be changed, or nothing else is waited for (docs/decisions/0550).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

import structlog

from netweft.dataplane.host import kernel_state
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.monitor import HostMonitor
from netweft.dataplane.host.values import Address, Endpoint, VethPair
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff

if TYPE_CHECKING:
    from netweft.dataplane.host.links import HostLinks

log = structlog.get_logger(__name__)


async def _now() -> None:
    return


class LinksSide:
    """settled: called each time that everything wanted is there.  spare: returns when nothing else is waited for.
    problem: why a link is not as wanted, for a person."""

    def __init__(self, settled: Callable[[], None], spare: Callable[[], Awaitable[None]] = _now) -> None:
        self._settled, self._spare = settled, spare
        self.in_place = True
        self.problem = ""
        self._host: HostLinks | None = None
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
        return _ours_here() - {name for link in self._links if isinstance(link, VethPair) for name in _names(link)}

    def _changed(self, names: frozenset[str] | None) -> None:
        """VMs' interfaces come and go; only what is ours to make matters here."""
        if names is None or not names.isdisjoint(name for link in self._links for name in _names(link)):
            self._dirty.set()

    async def run(self) -> None:
        """Until cancelled.  A bridge's own link appears a moment after its row, so a first failure is no news."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff(first=0.05)
        await self._dirty.wait()
        monitor = HostMonitor(self._changed)
        try:
            while True:
                await self._dirty.wait()
                self._dirty.clear()
                try:
                    await self._see_to()
                    backoff.succeeded()
                    self.problem = ""
                except HostError as error:
                    if backoff.failures == 3:
                        log.error("link not as wanted", problem=str(error))
                    if backoff.failures >= 3:
                        self.problem = str(error)
                    await asyncio.sleep(backoff.failed(clock()))
                    self._dirty.set()
        finally:
            monitor.close()

    async def _see_to(self) -> None:
        if self._host is None:
            if self._is_as_wanted():
                self._joined()
                if not any(isinstance(link, Endpoint) for link in self._links):
                    return
                await self._spare()
            await asyncio.to_thread(import_module, "netweft.dataplane.host.links")
            from netweft.dataplane.host.links import HostLinks

            self._host = HostLinks()
        await self._apply(self._host)

    def _is_as_wanted(self) -> bool:
        """But for endpoints."""
        found = _addresses_here()
        wanted = {kernel_state.canonical(ip) for link in self._links for ip in _addresses(link)}
        if self._obsolete() or (self._sweep and any(one.ours and one.ip not in wanted for one in found)):
            return False
        return all(_is_there(link, found) for link in self._links if not isinstance(link, Endpoint))

    async def _apply(self, host: "HostLinks") -> None:
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

    def plan(self) -> list[Step]:
        found = _addresses_here()
        missing = [_step(link) for link in self._links if not _is_there(link, found)]
        return [*missing, *(Step("veth", name, was=name) for name in sorted(self._obsolete()))]


def _names(link: VethPair | Address | Endpoint) -> tuple[str, ...]:
    return (link.name, link.peer) if isinstance(link, VethPair) else (link.interface,)


async def _ensure(host: "HostLinks", link: VethPair | Address | Endpoint) -> None:
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


def _addresses_here() -> list[kernel_state.HostAddress]:
    with contextlib.suppress(HostError):  # whoever has to change something gets the error
        return kernel_state.addresses()
    return []


def _ours_here() -> set[str]:
    with contextlib.suppress(HostError):  # they stay until they can be distinguished
        return kernel_state.ours()
    return set()


def _has_its_offloads(link: VethPair) -> bool:
    # it loads ctypes: never, where bridges are joined by patch ports
    from netweft.dataplane.host.ethtool import tx_checksum

    return all(tx_checksum(name) == link.offloads for name in _names(link))


def _is_there(link: VethPair | Address | Endpoint, found: Iterable[kernel_state.HostAddress]) -> bool:
    with contextlib.suppress(HostError, OSError):  # likewise
        match link:
            case VethPair():
                return kernel_state.is_joined(link) and _has_its_offloads(link)
            case Address():
                return kernel_state.has(link, found)
            case Endpoint():
                return kernel_state.has(Address(link.interface, *link.addresses[0]), found)
    return False


def _step(link: VethPair | Address | Endpoint) -> Step:
    match link:
        case VethPair():
            kind, text = "veth", f"{link.name} {link.peer}"
        case Address():
            kind, text = "address", f"{link.ip}/{link.prefix_length} on {link.interface}"
        case Endpoint():
            kind, text = "address", " ".join(("/".join(map(str, link.addresses[0])), "on", link.interface))
    return Step(kind, text, now=text)
