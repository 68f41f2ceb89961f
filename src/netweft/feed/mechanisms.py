"""Runs mechanisms (`plugins.mechanisms`): each in one server of many at a time, each by itself.

    lease ─▶ what changed concerns it ─▶ desired ─┐
                     read (now and then) ─▶ there ─┴▶ delta ─▶ begun ─▶ apply ─▶ made, what failed reported on its ports

Level-triggered.  What a device has is read, so nothing depends on what was thought to be there: a switch that was
wiped, or changed by hand, is put right.  What is *ours* there is in the database: written before it is applied, so that
whoever has the lease next takes away what is obsolete, and nothing that was there before us.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.control import unsupported
from netweft.control.l2 import wires
from netweft.control.l2.dynamic_segments import DynamicSegments
from netweft.control.l3 import behind_switches
from netweft.control.lb.probe_ports import Asking
from netweft.feed import lease
from netweft.feed.hosts import Hosts
from netweft.feed.region import ALL_BARE_METAL, Fact, Region
from netweft.plugins.mechanisms import (
    KIND,
    AsksMembers,
    BareMetal,
    HasHosts,
    Host,
    IsTunnelEnd,
    Marks,
    Mechanism,
    Row,
    Unreachable,
    Wanted,
)
from netweft.reconcile.delta import Delta
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff
from netweft.store import NotHeld, ReadTransaction, Store

T = TypeVar("T")

LOOK_SECONDS = 5.0  # at the lease
READ_SECONDS = 30.0  # how old what is known of a device may be
PLACE_SECONDS = 30.0  # how far the place in the database may be behind, while nothing is to be done
FIRST_SECONDS = 0.2  # between the first two tries at a device that fails
LIMIT_SECONDS = 15.0  # between any two
# a server that froze while it wrote may still do so after another took over: what was begun then stays ours for so long
LATE_SECONDS = 120.0
CALL_SECONDS = 120.0  # the longest that a mechanism may read, or apply: one that hangs is away
VAIN = 2  # times in a row that a device took something, and had it not when it was looked at next: that is reported
_UNKEPT = "it was told, did not refuse, and has it not"

log = structlog.get_logger(__name__)


class Looking:
    """The region as one mechanism sees it.  facts: what it has looked at."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self.facts: set[Fact] = set()

    def host(self, name: str) -> Host:
        self.facts.add(("host", name))
        return self._region.host(name)

    def bare_metal(self) -> Sequence[BareMetal]:
        self.facts.add(ALL_BARE_METAL)
        return self._region.bare_metal()

    def rows(self, kind: str) -> Mapping[str, Row]:
        self.facts.add(("kind", kind))
        return self._region.rows(kind)


def steps(wanted: Mapping[str, Wanted], there: Mapping[str, Any], ours: Collection[str]) -> list[Step]:
    """What is left to do.  What is there and nobody wants goes if it is ours."""
    delta: Delta[str, Any] = Delta()
    delta.replace_desired({key: one.value for key, one in wanted.items() if not one.refused})
    delta.replace_actual({key: value for key, value in there.items() if key in wanted or key in ours})
    changed = [Step(KIND, key, there.get(key), value) for key, value in sorted(delta.upserts().items())]
    return [*changed, *(Step(KIND, key, value, None) for key, value in sorted(delta.deletes().items()))]


def owned(tx: ReadTransaction, name: str) -> set[str]:
    """The keys on the device that are ours, as far as they are there."""
    return {*tx.followers.made(name), *tx.followers.begun(name)}


def marked(mechanism: Mechanism, there: Mapping[str, Any]) -> set[str]:
    """What is ours by its mark."""
    return set(there) if isinstance(mechanism, Marks) and mechanism.marks else set()


class Run:
    """One mechanism in one server."""

    def __init__(
        self,
        store: Store,
        mechanism: Mechanism,
        region: Region,
        dynamic: DynamicSegments | None = None,
        asking: Asking | None = None,
    ) -> None:
        """dynamic: for mechanisms that map VLANs of racks to tunnels.  asking: for those that probe members."""
        self.mechanism = mechanism
        self._store, self._region, self._name = store, region, mechanism.name
        self._lease = lease.Lease(store, self._name)
        self._me = self._lease.me
        self._thread = CapacityLimiter(2)
        self._wake = asyncio.Event()
        self._facts: set[Fact] = set()
        self._ours: set[str] = set()  # keys on the device
        self._late: dict[str, float] = {}  # begun by another server -> until when that may still write it
        self._there: dict[str, Any] = {}
        self._known: set[str] = set()  # keys of which it is known whether they are there
        self._read_at = float("-inf")
        self._done: dict[str, Any] = {}  # since it was looked at last
        self._unkept: dict[str, int] = {}  # key -> how often it was not there though it was done
        self._told: dict[str, str] = {}  # port -> what was reported of it
        self._said: dict[unsupported.Part, str] = {}  # likewise of balancers' parts and firewall groups
        self._well: set[str] = set()  # ports that have all that they need here
        self._problem, self._written = "", 0.0  # as the database has it, and when it was written
        self._away = False
        self._retry = Backoff(first=FIRST_SECONDS, limit=LIMIT_SECONDS)
        self._hosts, self._dynamic, self._asking = Hosts(store), dynamic, asking
        self._racked: Mapping[str, str] | None = None  # as it was followed last
        self._answered: frozenset[str] | None = None  # likewise

    def told(self, facts: Collection[Fact] | None) -> None:
        if facts is None or not self._facts.isdisjoint(facts):
            self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        await self._lease.whenever_held(self._in_thread, self._follow, LOOK_SECONDS)

    async def _follow(self) -> None:
        """Until another server has the lease: raises NotHeld."""
        await self._in_thread(self._begin)
        while True:
            if self._region.revision is not None:
                try:
                    await self._turn()
                except NotHeld:
                    raise
                except Exception as error:  # whatever it is, it is reported, and tried again
                    await self._failed(error)
            await self._news()

    async def _news(self) -> None:
        """Returns when there may be something to do; one that is away is left alone until its time has come."""
        due = self._retry.due
        wait = READ_SECONDS if due is None else max(0.0, due - _clock())
        if self._away:
            await asyncio.sleep(wait)
        else:
            await _first_of(self._wake, self.mechanism.changed, seconds=wait)
        self._wake.clear()
        if self.mechanism.changed.is_set() or self._away:
            self.mechanism.changed.clear()
            self._read_at = float("-inf")

    async def _turn(self) -> None:
        away = await self._look_at_hosts()
        revision, looking = self._region.revision, Looking(self._region)
        wanted = self.mechanism.desired(looking)
        self._facts = looking.facts
        failed = {key: one.refused for key, one in wanted.items() if one.refused}
        failed |= {**await self._follow_racks(looking), **await self._follow_asking()}
        await self._follow_answered(looking)
        self._away, problem, unkept = False, "", dict[str, str]()
        try:
            if away:
                raise Unreachable(away)
            failed |= await self._reconcile(wanted)
            unkept = self._vainly(wanted)
        except Unreachable as error:
            self._away, problem = True, str(error) or type(error).__name__
            failed |= {str(step.key): problem for step in steps(wanted, self._there, self._ours)}
            log.warning("a device cannot be reached", mechanism=self._name, problem=problem)
        if self._away or any(not (key in wanted and wanted[key].refused) for key in failed):
            self._retry.failed(_clock())
        else:
            self._retry.succeeded()
        failed = unkept | failed  # tried at each look, and no more often
        await self._in_thread(self._tell, wanted, failed)
        await self._in_thread(self._keep, revision, problem or next(iter(failed.values()), ""))

    async def _failed(self, error: Exception) -> None:
        log.exception("a mechanism failed", mechanism=self._name)
        self._away = True
        self._retry.failed(_clock())
        await self._in_thread(self._keep, self._region.revision, _words(error))

    async def _called(self, call: Awaitable[T]) -> T:
        """What a mechanism does with its device.  Whatever goes wrong there, the device is away: Unreachable."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await call
        except Unreachable:
            raise
        except TimeoutError:
            raise Unreachable(f"no answer within {CALL_SECONDS:.0f} s") from None
        except Exception as error:
            log.exception("a mechanism failed", mechanism=self._name)
            raise Unreachable(_words(error)) from None

    async def _follow_racks(self, looking: Looking) -> Mapping[str, str]:
        """Network -> why it has no VLAN where it needs one."""
        if self._dynamic is None or not isinstance(self.mechanism, IsTunnelEnd):
            return {}
        racked, dynamic = self.mechanism.racked(looking), self._dynamic
        if racked == self._racked:
            return {}
        failed = await self._in_thread(lambda: self._store.run(lambda tx: dynamic.follow(tx, self._name, racked)))
        self._racked = None if failed else racked
        return failed

    async def _follow_answered(self, looking: Looking) -> None:
        if not isinstance(self.mechanism, IsTunnelEnd):
            return
        answered = self.mechanism.answered(looking)
        if answered != self._answered:
            follow = partial(behind_switches.follow, switch=self._name, interfaces=answered)
            await self._in_thread(self._store.run, follow)
            self._answered = answered

    async def _follow_asking(self) -> Mapping[str, str]:
        """Subnet -> why nobody can ask members there."""
        asking = self._asking
        if asking is None or not isinstance(self.mechanism, AsksMembers):
            return {}
        if (subnets := self.mechanism.asks_in()) is None:
            return {}
        return await self._in_thread(lambda: self._store.run(lambda tx: asking.follow(tx, self._name, subnets)))

    async def _look_at_hosts(self) -> str:
        """Why they can't be looked at; empty where they could, or there are none."""
        if not isinstance(self.mechanism, HasHosts):
            return ""
        try:
            seen = await self._called(self.mechanism.seen())
        except Unreachable as error:
            return str(error) or type(error).__name__
        await self._in_thread(self._hosts.told, seen)
        return ""

    async def _reconcile(self, wanted: Mapping[str, Wanted]) -> Mapping[str, str]:
        """What the device refused.  Raises Unreachable."""
        keys = self._ours | wanted.keys()
        if (anew := _clock() >= self._read_at + READ_SECONDS) or not keys <= self._known:
            self._there, self._known = dict(await self._called(self.mechanism.read(keys, anew=anew))), set(keys)
            self._ours |= marked(self.mechanism, self._there)
            if anew:
                self._read_at = _clock()
                self._compare()
        self._late = {key: until for key, until in self._late.items() if _clock() < until}
        todo = steps(wanted, self._there, self._ours)
        obsolete = self._ours - wanted.keys() - self._there.keys() - self._late.keys()
        if not todo and not obsolete:
            return {}
        await self._in_thread(self._begun, {str(step.key): step.now for step in todo if step.now is not None})
        self._known -= {str(step.key) for step in todo}  # until it is known how it went
        refused = await self._called(self.mechanism.apply(todo)) if todo else {}
        done = {str(step.key): step.now for step in todo if str(step.key) not in refused}
        self._known |= done.keys()
        self._done |= done
        for key, value in done.items():
            self._there[key] = value
            if value is None:
                del self._there[key]
        made = {key: value for key, value in done.items() if value is not None or key not in self._late}
        await self._in_thread(self._made, made | dict.fromkeys(obsolete))
        return refused

    def _compare(self) -> None:
        """What was done with what is there now.  Once may have been somebody's hand."""
        lost = {key for key, value in self._done.items() if self._there.get(key) != value}
        self._unkept = {key: self._unkept.get(key, 0) + 1 for key in lost}
        self._done = {}

    def _vainly(self, wanted: Mapping[str, Wanted]) -> dict[str, str]:
        often = {key for key, times in self._unkept.items() if times >= VAIN}
        return {key: _UNKEPT for key in often if key in wanted and not wanted[key].refused}

    # -- in a thread, one transaction each

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await to_thread.run_sync(lambda: work(*arguments), limiter=self._thread)

    def _begin(self) -> None:
        with self._store.read() as tx:
            self._ours = owned(tx, self._name)
            self._late = dict.fromkeys(tx.followers.begun(self._name), _clock() + LATE_SECONDS)
            self._told, self._said = wires.told(tx, self._name), unsupported.told(tx, self._name)
        self._there, self._known, self._well, self._racked, self._answered = {}, set(), set(), None, None
        self._done, self._unkept = {}, {}
        self._problem, self._written = "\0", 0.0  # whatever it is, it is written

    def _begun(self, values: Mapping[str, Any]) -> None:
        """Before they are applied.  They are ours from now on, whatever becomes of it."""
        if new := {key: value for key, value in values.items() if key not in self._ours}:
            with self._store.write() as tx:
                tx.followers.move(self._name, self._me, self._region.revision, self._problem.strip("\0"))
                tx.followers.begin(self._name, new)
            self._ours |= new.keys()

    def _made(self, values: Mapping[str, Any]) -> None:
        if values:
            with self._store.write() as tx:
                tx.followers.move(self._name, self._me, self._region.revision, self._problem.strip("\0"))
                tx.followers.make(self._name, values)
            self._ours -= {key for key, value in values.items() if value is None}

    def _keep(self, revision: int | None, problem: str) -> None:
        """The place alone is written now and then: else each change of anything would be a transaction."""
        if problem != self._problem or _clock() > self._written + PLACE_SECONDS:
            with self._store.write() as tx:
                tx.followers.move(self._name, self._me, revision, problem)
            self._problem, self._written = problem, _clock()

    def _tell(self, wanted: Mapping[str, Wanted], failed: Mapping[str, str]) -> None:
        """Ports hear why they have not what they need on this device, and when they have it."""
        self._tell_parts(wanted, failed)
        every = {port for one in wanted.values() for port in one.ports}
        bad = {port: why for key, why in failed.items() if key in wanted for port in wanted[key].ports}
        well = every - bad.keys()
        if bad == self._told and well <= self._well:
            return
        told = {port: bad.get(port, "") for port in {*bad, *self._told} if bad.get(port) != self._told.get(port)}
        self._store.run(lambda tx: wires.report(tx, self._name, told, well - self._well))
        self._told, self._well = bad, well

    def _tell_parts(self, wanted: Mapping[str, Wanted], failed: Mapping[str, str]) -> None:
        bad = {part: why for key, why in failed.items() if key in wanted for part in wanted[key].parts}
        if bad != self._said:
            said = {part: bad.get(part, "") for part in bad.keys() | self._said.keys()}
            self._store.run(lambda tx: unsupported.report(tx, self._name, said))
            self._said = bad


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


async def _first_of(*events: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()


_clock = time.monotonic
