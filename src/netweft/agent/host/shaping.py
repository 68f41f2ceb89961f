"""What is guaranteed on this node's NICs, kept in the kernel beside everything else: no port waits for it.

A NIC is shaped while the settings name it, also when nothing is guaranteed: to make or remove its queueing discipline
costs packets.
A NIC whose promises cannot be kept has a problem, which its ports report.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

import structlog

from netweft.dataplane.host.monitor import LINKS, TRAFFIC_CONTROL, HostMonitor
from netweft.dataplane.host.shaped import our_shaped_interfaces
from netweft.dataplane.host.values import Guarantee, ShapedNic
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 0.1  # each VM that is plugged in is word from the kernel, too


class ShapingSide:
    """bandwidths: of the NICs that may be shaped, in kbit/s.  changed: called when a NIC's problem came or went."""

    def __init__(self, bandwidths: Mapping[str, int], changed: Callable[[], None]) -> None:
        self.problems: dict[str, str] = {}
        self._bandwidths = bandwidths
        self._changed = changed
        self._wanted: dict[str, ShapedNic] = {}
        self._obsolete: set[str] = set()
        self._dirty = asyncio.Event()

    def want(self, guarantees: Iterable[Guarantee], *, sweep: bool, short_queues: bool) -> None:
        """sweep: what else we made goes."""
        listed = sorted(guarantees, key=lambda each: each.key)
        self._wanted = {
            name: ShapedNic(
                interface=name,
                kbps=kbps,
                guarantees=tuple(each for each in listed if each.interface == name),
                short_queues=short_queues,
            )
            for name, kbps in self._bandwidths.items()
        }
        self._obsolete = our_shaped_interfaces() - self._wanted.keys() if sweep else set()
        if self._wanted or self._obsolete or self.problems:
            self._dirty.set()

    def _heard(self, names: frozenset[str] | None) -> None:
        """VMs' interfaces come and go; only NICs that we shape matter here."""
        if names is None or not names.isdisjoint((*self._wanted, *self._obsolete)):
            self._dirty.set()

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff(first=0.1)
        await self._dirty.wait()
        await asyncio.to_thread(import_module, "netweft.dataplane.host.shaping")  # it takes long to import
        monitor = HostMonitor(self._heard, LINKS | TRAFFIC_CONTROL)
        try:
            while True:
                await self._dirty.wait()
                await asyncio.sleep(SETTLE_SECONDS)
                self._dirty.clear()
                if await self._apply():
                    backoff.succeeded()
                else:
                    await asyncio.sleep(backoff.failed(clock()))
                    self._dirty.set()
        finally:
            monitor.close()

    async def _apply(self) -> bool:
        """False: the kernel refused something, which may work later."""
        refused: dict[str, str] = {}
        problems: dict[str, str] = {}
        for nic in list(self._wanted.values()):
            refused |= await self._ensure(nic)
            promised = sum(each.kbps for each in nic.guarantees)
            if promised > nic.kbps:
                problems[nic.interface] = f"{promised} kbit/s are promised on {nic.interface}, which has {nic.kbps}"
        for name in sorted(self._obsolete):
            refused |= await self._ensure(ShapedNic(interface=name, kbps=0))
        problems |= refused
        if problems != self.problems:
            for problem in problems.values():
                log.warning("minimum bandwidth not kept", problem=problem)
            self.problems = problems
            self._changed()
        return not refused

    async def _ensure(self, nic: ShapedNic) -> dict[str, str]:
        """Interface -> what went wrong."""
        from netweft.dataplane.host import shaping
        from netweft.dataplane.host.errors import HostError

        try:
            if await asyncio.to_thread(shaping.ensure, nic):
                log.info("uplink shaped", interface=nic.interface, guarantees=len(nic.guarantees))
        except HostError as error:
            return {nic.interface: str(error)}
        except Exception as error:  # a boundary: what the kernel says of one NIC must not cost us the agent
            log.exception("uplink not shaped", interface=nic.interface)
            return {nic.interface: f"{nic.interface}: {type(error).__name__}: {error}"}
        return {}

    def plan(self) -> list[Step]:
        """The kernel says when anything changes there, so what is not dirty is in place."""
        if not self._dirty.is_set():
            return []
        made = [Step("shaping", name, now=f"{name}: {len(nic.guarantees)}") for name, nic in self._wanted.items()]
        return [*made, *(Step("shaping", name, was=name) for name in sorted(self._obsolete))]
