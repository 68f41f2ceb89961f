"""Keeps each conntrack zone to what it may have, so that a flood through one network or router starves
no other: the limits of zones that are given out at once, those of all when a bridge was connected, and now and then.

Reading them takes some hundredth of vswitchd's time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from netweft.dataplane.host.datapath import kernel_may_track, kernel_tracks
from netweft.dataplane.unixctl import zone_limits as tracker
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.services.security.zone_limits import Owner, crowded, limit, wanting

LOOK_SECONDS: Final = 2.0
RESTS: Final = 100  # as long as a look took, until the next
MOST_SECONDS: Final = 10.0  # until the next: on a busy host a look takes long, and little of it is vswitchd's time

log = structlog.get_logger(__name__)


class ZoneLimits:
    """setting: what a zone may have at most.  zones: all that are this node's, and whose.  changed: called when others
    are crowded.

    most, tracked: connections in all zones, as of the last look.  limit: of each zone; 0: none could be set."""

    def __init__(
        self, run_dir: Path, setting: int, zones: Callable[[], Mapping[int, Owner]], changed: Callable[[], None]
    ) -> None:
        self.ask: Callable[..., Awaitable[str]] = partial(command, run_dir)
        self.most = self.tracked = self.limit = 0
        self.crowded: tuple[Owner, ...] = ()
        self._setting, self._zones, self._changed = setting, zones, changed
        self._new: set[int] = set()
        self._session = 0
        self._all = True
        self._took = 0.0
        self._awake = asyncio.Event()

    def see(self, given: Iterable[int], session: int) -> None:
        """given: zones that stand for something else than before.  session: of the bridge; vswitchd may be another."""
        self._new.update(given)
        if session != self._session:
            self._session, self._all = session, True
        if self._new or self._all:
            self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(LOOK_SECONDS, min(RESTS * self._took, MOST_SECONDS))):
                    await self._awake.wait()
            self._all |= not self._awake.is_set()
            self._awake.clear()
            await self.look()

    async def look(self) -> None:
        new, self._new, all_, self._all = self._new, set(), self._all, False
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            if all_ or not self.limit:
                await self._look_at_all()
                self._took = clock() - start
            else:
                await self._set(dict.fromkeys(self._with_pieces(new), self.limit))
        except CommandFailed as problem:  # whoever keeps Open vSwitch in view says more; the next look finds the rest
            log.debug("connections are not limited", problem=str(problem))
            self.limit = 0

    async def _look_at_all(self) -> None:
        self.most, self.tracked = await self._room()
        wanted, zones = limit(self.most, self.tracked, self._setting), self._zones()
        there = [one for words in tracker.asked(zones) for one in tracker.zones(await self.ask(*words))]
        await self._set(wanting(there, wanted))
        self.limit = wanted
        found = tuple(crowded(there, zones))
        if found != self.crowded:
            log.warning("connections are refused", limit=wanted, crowded=[" ".join(one) for one in found])
            self.crowded = found
            self._changed()

    async def _room(self) -> tuple[int, int]:
        try:
            return int(await self.ask(*tracker.MOST)), int(await self.ask(*tracker.TRACKED))
        except CommandFailed:
            most = kernel_may_track()
            if most is None:
                raise
            return most, kernel_tracks()

    def _with_pieces(self, given: Iterable[int]) -> set[int]:
        """All zones of whoever has one of these."""
        zones = self._zones()
        owners = {zones[zone] for zone in given if zone in zones}
        return {zone for zone, owner in zones.items() if owner in owners}

    async def _set(self, limits: Mapping[int, int]) -> None:
        for words in tracker.setting(limits):
            await self.ask(*words)
