"""HAProxy on this node: as many as balancers have a proxy port here, each kept as it should be by a task of its own.

None of them waits for another, and no port for any.  They go on when this process ends, whatever ends it; the next one
finds them by their folders.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from netweft.agent.desired import Part
from netweft.agent.health.ground import CannotAsk, Opening
from netweft.agent.host.ovs import OvsSide
from netweft.agent.lb.material import MaterialSource
from netweft.dataplane.haproxy.values import Instance
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.ovsdb import plugging
from netweft.dataplane.ovsdb.errors import OvsdbError
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff
from netweft.settings import AgentSettings

if TYPE_CHECKING:
    from netweft.dataplane.haproxy.driver import ProxyDriver

log = structlog.get_logger(__name__)

FOLDER: Final = "lb"  # beside the agent's socket
KIND: Final = "haproxy"
LOOK_SECONDS: Final = 0.3  # between two looks whether one is stopped
EACH_SECONDS: Final = 0.005  # at least, for each: some hundredth of a processor, however many there are


def folder_of(settings: AgentSettings) -> Path:
    return Path(settings.socket).parent / FOLDER


class _Kept:
    """One instance: what is wanted of it (None: nothing any more), and what has become of that."""

    def __init__(self, wanted: Instance) -> None:
        self.wanted: Instance | None = wanted
        self.done: Instance | None = None
        self.problem = ""
        self.awake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class ProxiesSide:
    """first: the server to ask for certificates.  settled: called when one of them has become what it should be, or
    its problem another one."""

    def __init__(
        self, settings: AgentSettings, ovs: OvsSide, first: Callable[[], str], settled: Callable[[], None]
    ) -> None:
        self._folder, self._bridge = folder_of(settings), settings.integration_bridge
        self._ovs, self._settled = ovs, settled
        self._source = MaterialSource(settings, first)
        self._kept: dict[str, _Kept] = {}
        self._driver: ProxyDriver | None = None
        self._sweep = self._swept = False
        self._due = asyncio.Event()
        self._watched: dict[str, int] = {}  # by balancer: a handle on its process
        self._starting: dict[str, str] = {}  # by balancer: the port of one that does not serve yet
        self._stopped: set[str] = set()  # balancers whose HAProxy runs and gets no processor

    def change(self, part: Part[Any, Any]) -> None:
        for id in part.deletes:
            if kept := self._kept.get(id):
                kept.wanted = None
                kept.awake.set()
        for instance in part.upserts:
            kept = self._kept.setdefault(instance.id, _Kept(instance))
            kept.wanted = instance
            kept.awake.set()
        self._due.set()

    def sweep(self, *, complete: bool) -> None:
        """complete: what is not wanted may go, also what another process has left."""
        if complete and not self._sweep:
            self._sweep = True
            self._due.set()

    def observe(self) -> None:
        """Somebody may have unplugged one."""
        for kept in self._kept.values():
            if kept.done is not None and not self._is_plugged(kept.done):
                kept.done = None
                kept.awake.set()

    @property
    def in_place(self) -> bool:
        """Everything that is wanted is so, or cannot be."""
        return all(kept.problem or kept.done == kept.wanted for kept in self._kept.values())

    @property
    def starting(self) -> frozenset[str]:
        """Ports behind which nobody answers yet: plugged in already, so that their flows are made meanwhile."""
        return frozenset(self._starting.values())

    @property
    def problems(self) -> list[str]:
        return [f"load balancer {id}: HAProxy: {kept.problem}" for id, kept in self._kept.items() if kept.problem]

    def folder(self, balancer_id: str) -> Path | None:
        """Of its sockets; None: it does not run here."""
        return self._driver.place(balancer_id) if self._driver and balancer_id in self._kept else None

    @property
    def folders(self) -> dict[str, Path]:
        """Of all that run here, or are about to, by balancer."""
        return {id: self._driver.place(id) for id in self._kept} if self._driver else {}

    def within(self, balancer_id: str, opening: Opening) -> socket.socket:
        """Made in its namespace.  Raises CannotAsk."""
        if self._driver is None:
            raise CannotAsk("HAProxy does not run")
        try:
            return self._driver.within(balancer_id, opening)
        except (OSError, HostError) as error:
            raise CannotAsk(str(error)) from None

    def plan(self) -> Iterator[Step]:
        for id, kept in self._kept.items():
            if kept.done != kept.wanted:
                was, now = (None if one is None else str(one) for one in (kept.done, kept.wanted))
                yield Step(KIND, id, was=was, now=now)

    async def run(self) -> None:
        """Until cancelled; what runs goes on."""
        await self._due.wait()
        while not self._kept and not self._folder.is_dir():
            self._due.clear()
            await self._due.wait()
        await asyncio.to_thread(import_module, "netweft.dataplane.haproxy.driver")  # it takes long to import
        from netweft.dataplane.haproxy.driver import ProxyDriver

        self._driver = ProxyDriver(self._folder)
        looking = asyncio.create_task(self._look(self._driver))
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                for id, kept in self._kept.items():
                    if kept.task is None:
                        kept.task = asyncio.create_task(self._keep(id, kept))
                if self._sweep and not self._swept:
                    await self._remove_what_is_left(self._driver)
        finally:
            looking.cancel()
            for kept in self._kept.values():
                if kept.task is not None:
                    kept.task.cancel()
            for handle in self._watched.values():
                asyncio.get_running_loop().remove_reader(handle)
                os.close(handle)

    async def _keep(self, id: str, kept: _Kept) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff(first=0.2, limit=10.0)
        assert self._driver is not None
        while True:
            await kept.awake.wait()
            kept.awake.clear()
            wanted = kept.wanted
            try:
                if wanted is None:
                    await self._remove(self._driver, id)
                    if kept.wanted is None:
                        del self._kept[id]
                        self._settled()
                        return
                    continue
                await self._ensure(self._driver, wanted)
            except Exception as error:
                self._becomes(id, kept, None, str(error) or type(error).__name__)
                delay = backoff.failed(clock())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(kept.awake.wait(), delay)
                kept.awake.set()
                continue
            backoff.succeeded()
            self._becomes(id, kept, wanted, wanted.problem)

    def _becomes(self, id: str, kept: _Kept, done: Instance | None, problem: str) -> None:
        if problem and problem != kept.problem:
            log.warning("HAProxy is not as it should be", balancer=id, problem=problem)
        kept.done, kept.problem = done, problem
        self._settled()

    async def _ensure(self, driver: "ProxyDriver", wanted: Instance) -> None:
        """Raises ProxyError, HostError, NoMaterial, OvsdbError."""
        if wanted.problem:  # what runs goes on as it is
            return
        name = driver.interface(wanted.id)
        if wanted.id in self._stopped:
            await self._transact(self._unplugging(name))  # others get its share
            raise HostError("it is stopped (SIGSTOP, or traced), and answers nobody")
        if driver.pid(wanted.id) is None:
            await self._transact(self._unplugging(name))  # it is another interface then
            self._starting[wanted.id] = wanted.nic.port_id
        material = await self._source.fetch(wanted.id, wanted.material, driver.place(wanted.id))
        files = {**material, **{file: text.encode() for file, text in wanted.lists}}
        done = await driver.ensure(wanted, files, partial(self._plugged, name, wanted))
        self._starting.pop(wanted.id, None)
        if done:
            log.info("HAProxy", balancer=wanted.id, done=done)
        self._watch(driver, wanted.id)

    async def _plugged(self, name: str, wanted: Instance) -> None:
        """Raises OvsdbError."""
        if not self._is_plugged(wanted):
            await self._transact(self._unplugging(name))
            await self._transact(plugging.plug(self._bridge, name, wanted.nic.port_id, wanted.nic.mac))

    async def _remove(self, driver: "ProxyDriver", id: str) -> None:
        await self._transact(self._unplugging(driver.interface(id)))
        self._unwatch(id)
        self._starting.pop(id, None)
        await driver.remove(driver.place(id).name)
        log.info("HAProxy", balancer=id, done="removed")

    async def _remove_what_is_left(self, driver: "ProxyDriver") -> None:
        wanted = {driver.place(id).name for id in self._kept}
        for name in sorted(await asyncio.to_thread(driver.there) - wanted):
            try:
                await self._transact(self._unplugging(driver.interface_named(name)))
                await driver.remove(name)
                log.info("HAProxy removed that nobody wants", name=name)
            except Exception as error:
                log.warning("HAProxy not removed", name=name, problem=str(error))
                asyncio.get_running_loop().call_later(1.0, self._due.set)
                return
        self._swept = True

    # -- Open vSwitch

    def _is_plugged(self, instance: Instance) -> bool:
        connection, driver = self._ovs.connection, self._driver
        if connection is None or driver is None:
            return True  # nobody knows better
        name = driver.interface(instance.id)
        return plugging.is_plugged(connection.replica, self._bridge, name, instance.nic.port_id)

    def _unplugging(self, name: str) -> list[dict[str, Any]]:
        connection = self._ovs.connection
        return plugging.unplug(connection.replica, name) if connection else []

    async def _transact(self, operations: list[dict[str, Any]]) -> None:
        """Raises OvsdbError."""
        if not operations:
            return
        if self._ovs.connection is None:
            raise OvsdbError("ovsdb-server is away")
        await self._ovs.connection.transact(operations)

    # -- processes that end, or stop

    async def _look(self, driver: "ProxyDriver") -> None:
        while True:
            await asyncio.sleep(max(LOOK_SECONDS, EACH_SECONDS * len(self._kept)))
            stopped = {id for id, kept in self._kept.items() if kept.wanted is not None and driver.is_stopped(id)}
            for id in stopped ^ self._stopped:
                if kept := self._kept.get(id):
                    kept.done = None
                    kept.awake.set()
            self._stopped = stopped

    def _watch(self, driver: "ProxyDriver", id: str) -> None:
        self._unwatch(id)
        pid = driver.pid(id)
        if pid is None:
            return
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(pid)
            self._watched[id] = handle
            asyncio.get_running_loop().add_reader(handle, self._ended, id, pid)

    def _unwatch(self, id: str) -> None:
        handle = self._watched.pop(id, None)
        if handle is not None:
            asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)

    def _ended(self, id: str, pid: int) -> None:
        self._unwatch(id)
        if self._driver is not None:
            self._driver.ended(pid)
        kept = self._kept.get(id)
        if kept is not None and kept.wanted is not None:
            log.warning("HAProxy has ended", balancer=id)
            kept.done = None
            kept.awake.set()
