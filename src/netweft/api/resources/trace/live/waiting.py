"""Nodes watch until a packet was caught, the time is over, or nobody waits any more; then they are notified of the end.

A node that is not told forgets by itself (`wire.captures`).  Where ports move, the nodes that they are on by then
watch.  One node begins before the other: what is caught until the turn after all have begun is no packet's start.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from netweft.api.resources.explain.node_answers import Asks
from netweft.api.resources.trace.live.arguments import Live
from netweft.api.resources.trace.live.fate import SETTLE, Fate, Sighting, fates, of_concern, sent
from netweft.api.resources.trace.live.plan import Plan
from netweft.control.errors import Conflict
from netweft.feed.queries import Silence
from netweft.wire.captures import Caught, Watch
from netweft.wire.queries import Ask

MOST: Final = 16  # of one server
MOST_OF_ONE: Final = 2  # of one project
MOST_SEEN: Final = 600  # frames that one keeps
MOST_WAITING: Final = 100  # packets that one waits to see arrive, or dropped
TICK: Final = 0.2  # seconds between two questions at a node
MOVED: Final = 1.0  # seconds between two looks at where the ports are

Replan = Callable[[], Awaitable[Plan | None]]
Gone = Callable[[], Awaitable[bool]]


class TooManyLiveTraces(Conflict):
    type = "OverQuota"
    message = "%(whose)s wait for packets already: try again when one of them has ended"


@dataclass(slots=True)
class Found:
    """fates: of the packets that are told.  passed: how many arrived, that one waited to see dropped.
    lost: packets that were too many to be looked at.  unseen: why a node does not say what it sees.
    ports: those whose interfaces are looked at."""

    plan: Plan
    fates: list[Fate] = field(default_factory=list)
    seen: list[Sighting] = field(default_factory=list)
    passed: int = 0
    lost: int = 0
    unseen: dict[str, str] = field(default_factory=dict)
    ports: frozenset[str] = frozenset()

    @property
    def sees_end(self) -> bool:
        """Whether what does not arrive is known not to."""
        return self.plan.goal in self.ports if self.plan.goal else self.plan.outside and not self.unseen


class Waiting:
    """Of one server."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._running: Counter[str] = Counter()

    async def catch(self, project: str, asked: Live, plan: Plan, replan: Replan, gone: Gone) -> Found:
        """Raises TooManyLiveTraces."""
        with self._counted(project):
            one = _One(self._asks, project, asked, plan)
            try:
                return await one.run(replan, gone)
            finally:
                await asyncio.shield(one.end())

    @contextmanager
    def _counted(self, project: str) -> Iterator[None]:
        if self._running[project] >= MOST_OF_ONE:
            raise TooManyLiveTraces(whose=f"{MOST_OF_ONE} live traces of this project")
        if self._running.total() >= MOST:
            raise TooManyLiveTraces(whose=f"{MOST} live traces")
        self._running[project] += 1
        try:
            yield
        finally:
            self._running[project] -= 1
            if not self._running[project]:
                del self._running[project]


class _One:
    def __init__(self, asks: Asks, project: str, asked: Live, plan: Plan) -> None:
        self._asks, self._project, self._asked = asks, project, asked
        self._id = secrets.token_hex(8)
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + asked.seconds
        self._hosts: dict[str, None] = {}  # that were ever asked
        self._lost: dict[str, int] = {}
        self._unkept: Counter[str] = Counter()
        self._blind = float("-inf")  # until then not all was looked at
        self._ports: dict[str, frozenset[str]] = {}
        self._watched: dict[str, frozenset[str]] = {}  # by host: interfaces and ports
        self._early = True  # what is caught by the next turn
        self._found = Found(plan)

    async def run(self, replan: Replan, gone: Gone) -> Found:
        found, look_again = self._found, self._clock() + MOVED
        while True:
            await self._turn()
            if self._early:
                await self._turn()
            pending = self._judge()
            end = self._until + (2 * SETTLE if pending else 0.0)  # what has come is told of
            if len(found.fates) >= self._asked.packets or self._clock() >= end or await gone():
                return found
            if self._clock() >= look_again:
                look_again = self._clock() + MOVED
                found.plan = await replan() or found.plan
            await asyncio.sleep(TICK)

    def _judge(self) -> bool:
        """Whether there are packets of which it is not known yet what becomes of them."""
        found, now = self._found, self._clock()
        if not found.sees_end:
            self._blind = now
        most = MOST_WAITING if self._asked.dropped else self._asked.packets
        found.seen = of_concern(found.plan, found.seen, now, most)
        known = fates(found.plan, found.seen, now, most=most, blind=self._blind)
        pending = len(sent(found.plan, found.seen, most)) > len(known)
        if self._asked.dropped:
            passed = [fate for fate in known if fate.arrived is not False]
            found.passed += sum(fate.arrived is True for fate in passed)
            away = {id(one) for fate in passed for one in fate.seen}
            found.seen = [one for one in found.seen if id(one) not in away]
            known = [fate for fate in known if fate.arrived is False][: self._asked.packets]
        found.fates = known
        return pending

    async def end(self) -> None:
        over = Ask(id="", watch=Watch(id=self._id, over=True))
        await asyncio.gather(*(self._asks.ask(host, over) for host in self._hosts))

    async def _turn(self) -> None:
        """All nodes once."""
        hosts = self._found.plan.hosts
        self._hosts |= dict.fromkeys(hosts)
        answers = await asyncio.gather(*(self._asks.ask(host, self._question()) for host in hosts))
        found, now = self._found, self._clock()
        found.unseen = {}
        watched = {
            host: frozenset((*answer.caught.interfaces, *answer.caught.ports))
            for host, answer in zip(hosts, answers, strict=True)
            if not isinstance(answer, Silence) and answer.caught is not None
        }
        changed = watched != self._watched
        early, self._early, self._watched = changed or self._early, changed, watched
        for host, answer in zip(hosts, answers, strict=True):
            if isinstance(answer, Silence) or answer.caught is None:
                why = answer.why if isinstance(answer, Silence) else answer.error
                found.unseen[host] = why or "its agent is too old to watch packets"
            else:
                self._add(host, answer.caught, now, early=early)
        lost = sum(self._lost.values())
        if lost > found.lost:
            found.lost, self._blind = lost, now
        found.ports = frozenset().union(*(self._ports.get(host, frozenset()) for host in hosts))

    def _question(self) -> Ask:
        plan = self._found.plan
        watch = Watch(
            id=self._id,
            project=self._project,
            seconds=max(0.0, self._until - self._clock()) + 2 * SETTLE + MOVED,
            ports=plan.ports,
            of=plan.of,
            matches=plan.matches,
            bytes=self._asked.bytes if self._asked.capture else 0,
        )
        return Ask(id="", watch=watch)

    def _add(self, host: str, caught: Caught, now: float, *, early: bool) -> None:
        found = self._found
        room = MOST_SEEN - len(found.seen)
        found.seen += [Sighting(host, frame, now, early) for frame in caught.frames[:room]]
        self._unkept[host] += max(0, len(caught.frames) - room)
        self._lost[host] = caught.lost + self._unkept[host]
        self._ports[host] = frozenset(caught.ports)
