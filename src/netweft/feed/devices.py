"""All mechanisms of a server: started, replaced when their file has changed, and planned (dry run)."""

import asyncio
import operator
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from netweft.control import unsupported
from netweft.control.l2 import binding, dynamic_segments, wires
from netweft.control.l2.dynamic_segments import DynamicSegments
from netweft.control.l2.ports import Ports
from netweft.control.l3 import behind_switches
from netweft.control.lb.probe_ports import Asking
from netweft.control.security.security_groups import SecurityGroups
from netweft.feed.background import beside, ended
from netweft.feed.mechanisms import Looking, Run, marked, owned, steps
from netweft.feed.region import Fact, Region
from netweft.model import Neighbour
from netweft.model.load_balancer import ASKING_OWNER
from netweft.plugins.mechanisms import GoesByNeighbours, IsTunnelEnd, Mechanism, vetoes
from netweft.plugins.mechanisms.registry import hears_lldp, load_mechanisms
from netweft.reconcile.plan import Step
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Query, Store

LOOK_SECONDS = 1.0  # at the file

log = structlog.get_logger(__name__)


class Planned(NamedTuple):
    """commands: what would be sent."""

    steps: list[Step]
    commands: list[str]


class Mechanisms:
    def __init__(self, store: Store, settings: ServerSettings) -> None:
        """Raises SettingsError."""
        self._store, self._settings = store, settings
        self._path = Path(settings.switches_file) if settings.switches_file else None
        self._stamp = self._stamped()
        self._hears, self._asked_of = False, (-1, -1)  # whether, by which state of the file
        self._heard = self._hear()
        self.looked = 0  # how often, at the file and at what is heard
        self._mechanisms = load_mechanisms(settings, self._heard)
        self._dynamic, self._asking = DynamicSegments(settings), Asking(Ports(settings, SecurityGroups()))
        self._behind: set[str] = set()  # hosts whose ports were bound again because of that
        self._region = Region(store, self._told)
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._forgetting: asyncio.Task[None] | None = None

    @property
    def names(self) -> list[str]:
        return sorted(mechanism.name for mechanism in self._mechanisms)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with beside(self._region.run(), self._watch()):
                self._start(self._mechanisms)
                yield
        finally:
            vetoes.forget(self)
            await self._stop()

    async def plan(self, name: str) -> Planned:
        """What the mechanism would do now.  Raises KeyError, Unreachable."""
        mechanism = {one.name: one for one in self._mechanisms}[name]
        wanted = mechanism.desired(Looking(self._region))
        ours = await asyncio.to_thread(self._owned, name)
        there = await mechanism.read(ours | wanted.keys(), anew=True)
        left = steps(wanted, there, ours | marked(mechanism, there))
        return Planned(left, mechanism.commands(left))

    def _owned(self, name: str) -> set[str]:
        with self._store.read() as tx:
            return owned(tx, name)

    def _told(self, facts: Collection[Fact] | None) -> None:
        for run in self._runs:
            run.told(facts)

    def _start(self, mechanisms: Sequence[Mechanism]) -> None:
        self._mechanisms = list(mechanisms)
        vetoes.know(self, mechanisms)
        self._forgetting = asyncio.create_task(asyncio.to_thread(self._forget))
        if mechanisms:
            hosts = {host for mechanism in mechanisms for host in mechanism.hosts}
            ends = [mechanism for mechanism in mechanisms if isinstance(mechanism, IsTunnelEnd)]
            neighbourly = {host for end in ends for host in end.neighbourly}
            self._region.follow(hosts, {kind for one in mechanisms for kind in one.kinds}, neighbourly)
        running = {id(run.mechanism) for run in self._runs}
        new = [mechanism for mechanism in mechanisms if id(mechanism) not in running]
        runs = [Run(self._store, mechanism, self._region, self._dynamic, self._asking) for mechanism in new]
        self._runs |= {run: asyncio.create_task(run.run()) for run in runs}

    async def _stop(self, but: Sequence[Mechanism] = ()) -> None:
        if self._forgetting is not None:
            await asyncio.gather(self._forgetting, return_exceptions=True)
        stay = {id(mechanism) for mechanism in but}
        runs = {run: task for run, task in self._runs.items() if id(run.mechanism) not in stay}
        self._runs = {run: task for run, task in self._runs.items() if run not in runs}
        await ended(list(runs.values()))
        for run in runs:
            with suppress(Exception):
                await run.mechanism.close()

    async def _exchange(self, mechanisms: Sequence[Mechanism], *, all_anew: bool) -> None:
        """What is the same goes on: whoever says something else by LLDP each time keeps no other switch busy."""
        before = {} if all_anew else {one.name: one for one in self._mechanisms}
        chosen = [before[one.name] if _is_same(before.get(one.name), one) else one for one in mechanisms]
        for made, taken in zip(mechanisms, chosen, strict=True):
            if made is not taken:
                await made.close()
        if len(chosen) == len(self._mechanisms) and all(map(operator.is_, chosen, self._mechanisms)):
            return
        log.info("the switches' file has changed, or what hosts are plugged into", switches=len(mechanisms))
        await self._stop(but=chosen)
        self._start(chosen)

    def _forget(self) -> None:
        """What was said of ports by mechanisms that are no more, what they needed; and who was behind others."""
        with self._store.read() as tx:
            gone = set(tx.followers.names()) - set(self.names)
            said = {name: wires.told(tx, name) for name in gone}
            parts = {name: unsupported.told(tx, name) for name in gone}
            askers = {port["device_id"] for port in tx.query("ports", Query({"device_owner": [ASKING_OWNER]}))}
            owners = [name for name in gone if tx.held(dynamic_segments.scope(name))]
        for name in owners:
            self._store.run(partial(self._dynamic.follow, owner=name, wanted={}))
        for name in gone:
            self._store.run(partial(behind_switches.follow, switch=name, interfaces=()))
        for name in sorted(askers & gone):
            self._store.run(partial(self._asking.follow, owner=name, subnets=()))
        behind = {host for one in self._mechanisms if isinstance(one, IsTunnelEnd) for host in one.neighbourly}
        for host in sorted(behind | self._behind):
            self._store.run(partial(binding.bind_again, node=host))
        self._behind = behind
        for name, ports in said.items():
            if ports:
                self._store.run(partial(wires.report, mechanism=name, failed=dict.fromkeys(ports, ""), well=ports))
        for name, lacked in parts.items():
            if lacked:
                self._store.run(partial(unsupported.report, mechanism=name, said=dict.fromkeys(lacked, "")))

    async def _watch(self) -> None:
        """A file with a fault in it changes nothing."""
        while self._path is not None:
            await asyncio.sleep(LOOK_SECONDS)
            before, self._stamp = self._stamp, self._stamped()
            heard = await asyncio.to_thread(self._hear)
            self.looked += 1
            if (before, self._heard) == (self._stamp, heard):
                continue
            self._heard = heard
            try:
                mechanisms = await asyncio.to_thread(load_mechanisms, self._settings, heard)
            except SettingsError as error:
                log.error("the switches stay as they were", problem=str(error))
                continue
            await self._exchange(mechanisms, all_anew=before != self._stamp)

    def _hear(self) -> Sequence[tuple[str, Neighbour]]:
        """What hosts have learned by LLDP, where a switch needs it.  Read whole each time: a row for each agent."""
        if self._asked_of != self._stamp:
            with suppress(SettingsError):
                self._hears, self._asked_of = hears_lldp(self._settings), self._stamp
        if not self._hears:
            return ()
        with self._store.read() as tx:
            said = {agent["host"]: (agent["configurations"] or {}).get("neighbours") for agent in tx.query("agents")}
        return [(host, msgspec.convert(one, Neighbour)) for host in sorted(said) for one in said[host] or ()]

    def _stamped(self) -> tuple[int, int]:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            found = None
        return (found.st_mtime_ns, found.st_size) if found else (0, 0)


def _is_same(before: Mechanism | None, now: Mechanism) -> bool:
    return before is not None and _made_of(before) == _made_of(now)


def _made_of(mechanism: Mechanism) -> object:
    return mechanism.made_of if isinstance(mechanism, GoesByNeighbours) else None
