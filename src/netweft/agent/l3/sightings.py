"""What this node sees of those that it watches for their gateways, and of its own way outside.

From bfd_status in Open vSwitch's database, which vswitchd keeps: an agent that is killed changes nothing.

A vswitchd that stood still (no processor, a bundle of very many flows) received nothing meanwhile, and finds all of its
sessions down when it goes on.  So does one that is cut off.  A probe of the underlay tells the two apart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Protocol

import structlog

from netweft.services.l3.gateways.takeover import AT_ONCE, SETTLING, Sight, is_cut_off, sight
from netweft.services.l3.gateways.watched_nodes import interface_to

log = structlog.get_logger(__name__)

PATIENCE = 3.0  # seconds that the first of an order has been back without the server's naming another one first


class Look(Protocol):
    """What is read from Open vSwitch's database."""

    def bfd_status(self, interface: str) -> dict[str, str] | None: ...


class Sightings:
    """node: this one.  again: called when time has made a difference.  cut: physical networks it is cut off from.

    reaches: whether any of these hosts is reached at this moment; None: it cannot be probed.
    on_doubt: called when all sessions went down at once, when that probe begins.
    on_end: called with the hosts whose sessions have ended, likewise: perhaps this node stood still, and not they."""

    def __init__(self, node: str, again: Callable[[], None]) -> None:
        self._node, self._again = node, again
        self.cut: frozenset[str] = frozenset()
        self._seen: dict[str, Sight] = {}
        self._since: dict[str, float] = {}  # host -> when its session was requested
        self._ended: dict[str, float] = {}  # host -> when its session was seen to have ended
        self._deaf: dict[str, float] = {}  # host -> since when it does not hear this one
        self._back: dict[str, float] = {}  # host -> since when it can have a gateway
        self._met: set[str] = set()  # hosts whose session has been up
        self._doubted: set[str] = set()  # hosts probed after their session ended, and not up since
        self._asking: asyncio.Task[None] | None = None
        self.reaches: Callable[[Collection[str]], Awaitable[bool]] | None = None
        self.on_doubt: Callable[[], None] = lambda: None
        self.on_end: Callable[[Collection[str]], None] = lambda hosts: None
        self._was_cut_off = False
        self._alone = float("-inf")  # when it was cut off last

    @property
    def seen(self) -> Mapping[str, Sight]:
        return self._seen

    def anew(self) -> None:
        """The database was away, and in the userspace datapath vswitchd stood still meanwhile: it heard nobody, so that
        its sessions have ended says nothing of the others."""
        for host, seen in self._seen.items():
            if seen is not Sight.GONE:
                self._expect(host, _now())

    def look(self, look: Look, watched: Iterable[str], cut: frozenset[str]) -> bool:
        """Whether it is otherwise than before.  cut: of the physical networks to which gateways lead here."""
        hosts, now = set(watched), _now()
        gone = self._seen.keys() - hosts
        for host in gone:
            for kept in (self._seen, self._since, self._ended, self._deaf, self._back):
                kept.pop(host, None)
            self._met.discard(host)
            self._doubted.discard(host)
        changed = [host for host in hosts if self._see(host, look, now)]
        if self.is_cut_off and not self._was_cut_off:
            self._doubt(now)
        if ended := {host for host in changed if self._seen[host] in (Sight.GONE, Sight.DEAF)}:
            self.on_end(ended)
        if self._was_cut_off and not self.is_cut_off:  # the others are about to be seen, too
            changed += [host for host, seen in self._seen.items() if seen is Sight.GONE and self._expect(host, now)]
        self._was_cut_off = self.is_cut_off
        if self.is_cut_off:
            self._alone = now
        differs = bool(changed or gone or cut != self.cut)
        if cut != self.cut:
            log.warning("the way outside is cut", physical_networks=sorted(cut))
            self.cut = cut
        self._note_who_can(now)
        return differs

    def _see(self, host: str, look: Look, now: float) -> bool:
        before, seen = self._seen.get(host), sight(look.bfd_status(interface_to(host)) or {})
        if host not in self._since:
            self._since[host] = now
            self._later(SETTLING)
        if seen is Sight.UNKNOWN and before not in (None, Sight.UNKNOWN, Sight.GONE):  # its session has begun anew
            self._expect(host, now)
        seen = self._in_time(host, before, seen, now)
        if seen is before:
            return False
        if seen in (Sight.THERE, Sight.CUT):
            self._met.add(host)
            self._doubted.discard(host)
        if seen in (Sight.GONE, Sight.DEAF):
            self._ended.setdefault(host, now)
        else:
            self._ended.pop(host, None)
        if before is not None:
            log.info("node watched for its gateways", host=host, seen=seen.value)
        self._seen[host] = seen
        return True

    def _in_time(self, host: str, before: Sight | None, seen: Sight, now: float) -> Sight:
        """What it is by what was seen before, and how long ago."""
        settled = now - self._since[host] > SETTLING
        if seen is not Sight.DEAF:
            self._deaf.pop(host, None)
        elif host not in self._deaf:
            self._deaf[host] = now
            self._later(SETTLING)
        if seen is Sight.UNKNOWN:
            return Sight.GONE if settled else seen
        if seen is Sight.GONE:
            return Sight.UNKNOWN if before is Sight.UNKNOWN and not settled else seen
        if seen is Sight.DEAF:
            if before is Sight.UNKNOWN and not settled:
                return before
            return Sight.GONE if before is Sight.GONE or now - self._deaf[host] > SETTLING else seen
        return seen

    def _doubt(self, now: float) -> None:
        """Which of the two it is.  Until that is known, the others are taken to be as they were."""
        last = max(self._ended.values())
        hosts = [host for host, ended in self._ended.items() if last - ended <= AT_ONCE]
        if self.reaches is None or self._doubted.issuperset(hosts):
            return
        self._doubted.update(hosts)
        for host in hosts:
            self._expect(host, now)
        self._asking = asyncio.create_task(self._ask(self.reaches, hosts))
        self.on_doubt()

    async def _ask(self, reaches: Callable[[Collection[str]], Awaitable[bool]], hosts: Collection[str]) -> None:
        """Others that are reached get their time to be seen; if none is, what has ended has."""
        if await reaches(hosts):
            log.warning("this node heard nobody, and was not cut off: it stood still", hosts=sorted(hosts))
            return
        for host in hosts:
            if self._seen.get(host) is Sight.UNKNOWN:
                self._since[host] = float("-inf")
        self._again()

    def _expect(self, host: str, now: float) -> bool:
        """It may be seen soon."""
        self._since[host] = now
        self._seen[host] = Sight.UNKNOWN
        self._ended.pop(host, None)
        self._later(SETTLING)
        return True

    def _note_who_can(self, now: float) -> None:
        for host in (self._node, *self._seen):
            if not self.can(host):
                self._back.pop(host, None)
            elif host not in self._back:
                self._back[host] = now
                self._later(PATIENCE)

    def _later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds + 0.01, self._again)

    def can(self, host: str) -> bool:
        """Have a gateway.  Who is not watched is as the server says."""
        if host == self._node:
            return not self.cut and not self.is_cut_off
        return self._seen.get(host, Sight.THERE) in (Sight.THERE, Sight.DEAF, Sight.UNKNOWN)

    @property
    def lost(self) -> frozenset[str]:
        """Who was seen and has gone since; nobody while it is this one that others cannot reach."""
        if self.is_cut_off:
            return frozenset()
        return frozenset(host for host in self._met if self._seen.get(host) is Sight.GONE)

    def is_back(self, host: str) -> bool:
        """Has been able to for so long that the server knows better who has taken over from it meanwhile."""
        return _now() - self._back.get(host, _now()) > PATIENCE

    @property
    def is_just_back(self) -> bool:
        """Was cut off, and sees the others again one by one."""
        return not self.is_cut_off and _now() - self._alone < PATIENCE

    @property
    def is_cut_off(self) -> bool:
        return is_cut_off([self._ended.get(host) for host in self._seen])


def _now() -> float:
    return asyncio.get_running_loop().time()
