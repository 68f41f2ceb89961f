"""Keeps each conntrack zone to what it may have, so that a flood through one network or router starves
no other: the limits of zones that are given out at once, those of all when a bridge was connected, and now and then.

Reading them takes some hundredth of vswitchd's time.  On the kernel's datapath, where zones have limits only while
conntrack fills, vswitchd gets no requests until it does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from netweft.dataplane.host.datapath import kernel_may_track, kernel_tracks
from netweft.dataplane.unixctl import zone_limits as conntrack
from netweft.dataplane.unixctl.client import CommandFailed, CommandRefused, command
from netweft.services.security.zone_limits import Owner, crowded, is_flooded, limit, limit_in_kernel, wanting

LOOK_SECONDS: Final = 2.0
KERNEL_LOOK_SECONDS: Final = 0.25  # until the kernel's count is read again: a flood fills a half in a second
RESTS: Final = 100  # as long as a look took, until the next
MOST_SECONDS: Final = 10.0  # until the next: on a busy host a look takes long, and little of it is vswitchd's time

log = structlog.get_logger(__name__)


class ZoneLimits:
    """setting: what a zone may have at most.  zones: all that are this node's, and whose.  changed: called when others
    are crowded.
    on_shared_flood: waited for when the zone that all VMs of the node share is half full.

    most, tracked: connections in all zones, as of the last look.  limit: of each zone; 0: they have none.  refused: why
    they can have none; "" if they can."""

    def __init__(
        self, run_dir: Path, setting: int, zones: Callable[[], Mapping[int, Owner]], changed: Callable[[], None]
    ) -> None:
        self.ask: Callable[..., Awaitable[str]] = partial(command, run_dir)
        self.most = self.tracked = self.limit = 0
        self.crowded: tuple[Owner, ...] = ()
        self.refused = ""
        self.on_shared_flood: Callable[[], Awaitable[None]] | None = None
        self._setting, self._zones, self._changed = setting, zones, changed
        self._new: set[int] = set()
        self._session = 0
        self._all = True
        self._in_kernel = False
        self._took = 0.0
        self._grown = 0  # since the kernel's count was read
        self._awake = asyncio.Event()

    def see(self, given: Iterable[int], session: int) -> None:
        """given: zones that stand for something else than before.  session: of the bridge; vswitchd may be another."""
        self._new.update(given)
        if session != self._session:
            self._session, self._all, self._in_kernel = session, True, False
        if self._new or self._all:
            self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._awake.wait()
            self._all |= not self._awake.is_set()
            self._awake.clear()
            if self._session:  # before, there may be no datapath
                await self.look()

    def _pause(self) -> float:
        if self._in_kernel and not self.limit:
            return KERNEL_LOOK_SECONDS
        return max(LOOK_SECONDS, min(RESTS * self._took, MOST_SECONDS))

    async def look(self) -> None:
        new, self._new, all_, self._all = self._new, set(), self._all, False
        if self._in_kernel and not self.limit and not self._fills():
            return
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            if all_ or not self.limit:
                await self._look_at_all()
                self._took = clock() - start
            else:
                await self._set(dict.fromkeys(self._with_pieces(new), self.limit))
            self.refused = ""
        except CommandFailed as problem:  # whoever keeps Open vSwitch in view says more; the next look finds the rest
            self._without(problem)

    def _without(self, problem: CommandFailed) -> None:
        log.debug("connections are not limited", problem=str(problem))
        if isinstance(problem, CommandRefused):
            if not self.refused:
                log.warning("a flood of one network's connections can take all: none is limited", problem=str(problem))
            self.refused = str(problem)
        self.limit, self._in_kernel = 0, False  # the kernel may have some: handled once it can be read

    def _fills(self) -> bool:
        """Whether the kernel's conntrack does."""
        before, self.most, self.tracked = self.tracked, kernel_may_track() or 0, kernel_tracks()
        self._grown = max(0, self.tracked - before)
        return bool(self._wanted())

    def _wanted(self) -> int:
        if self._in_kernel:
            standing = bool(self.limit)
            return limit_in_kernel(self.most, self.tracked, self._setting, standing=standing, grown=self._grown)
        return limit(self.most, self.tracked, self._setting)

    async def _look_at_all(self) -> None:
        self.most, self.tracked = await self._room()
        wanted, zones = self._wanted(), self._zones()
        there = [one for words in conntrack.asked(zones) for one in conntrack.zones(await self.ask(*words))]
        await self._set(wanting(there, wanted))
        if self._in_kernel and bool(wanted) != bool(self.limit):
            log.info("connections are limited" if wanted else "connections are not limited", limit=wanted)
        self.limit = wanted
        found = tuple(crowded(there, zones)) if wanted else ()
        if found != self.crowded:
            log.warning("connections are refused", limit=wanted, crowded=[" ".join(one) for one in found])
            self.crowded = found
            self._changed()
        if wanted and self.on_shared_flood and is_flooded(there, wanted):
            await self.on_shared_flood()

    async def _room(self) -> tuple[int, int]:
        try:
            return int(await self.ask(*conntrack.MOST)), int(await self.ask(*conntrack.TRACKED))
        except CommandRefused:
            most = kernel_may_track()
            if most is None:
                raise
            self._in_kernel = True
            return most, kernel_tracks()

    def _with_pieces(self, given: Iterable[int]) -> set[int]:
        """All zones of whoever has one of these."""
        zones = self._zones()
        owners = {zones[zone] for zone in given if zone in zones}
        return {zone for zone, owner in zones.items() if owner in owners}

    async def _set(self, limits: Mapping[int, int]) -> None:
        for words in conntrack.setting(limits):
            await self.ask(*words)
