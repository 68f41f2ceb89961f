"""Who may fill conntrack with fragments whose rest never comes: nobody alone.

All VMs of a node share its list, in which each fragment stays for 15 s, or until its datagram is whole.  As soon as
half of it is taken, the ports here with the most of it may send nothing in pieces for a while, until what the others
have is less than half.  A datagram that arrives is whole within milliseconds, so who sends many has few in the list.

The userspace datapath says whose they are; the kernel's does not.  An address stands for its port: one that may claim
any (port security is off) can have another of its network silenced, of which it could lose the fragments before, too.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.unixctl import fragments
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.fragments import Unfinished
from netweft.services.values import Asked

log = structlog.get_logger(__name__)

LOOK_SECONDS, LOOK_AGAIN_SECONDS = 5.0, 1.0  # the latter while somebody is or was silent
SILENT_FOR, SILENT_AT_MOST = 40.0, 640.0  # seconds; twice as long each time, and from the first again after a pause
PAUSE = 1280.0


class FragmentShares:
    def __init__(self, run_dir: Path, desired: Desired, wake: Callable[[], None]) -> None:
        self._run_dir, self._desired, self._wake = run_dir, desired, wake
        self._silent: dict[str, float] = {}  # ports, until when
        self._turns: dict[str, tuple[int, float]] = {}  # how often each was, and when that is forgotten

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS if self._turns else LOOK_SECONDS)
            await self.look(clock())

    async def look(self, now: float) -> None:
        self._tick(now)
        try:
            kept, most = fragments.room(await command(self._run_dir, *fragments.STATUS))
            if kept * 2 < most:
                return
            listing = await command(self._run_dir, *fragments.LISTING)
        except CommandFailed:  # it is away, or the datapath is another one
            return
        whose = self._whose(fragments.unfinished(listing))
        for port_id in largest(whose, kept, most // 2, self._silent):
            self._silence(port_id, whose[port_id], now)

    def _whose(self, listed: Iterable[Unfinished]) -> Counter[str]:
        """How many each port here has sent.  What routers and balancers track was tracked for its network before."""
        found: Counter[str] = Counter()
        per_address: Counter[tuple[int, str]] = Counter()
        for one in listed:
            per_address[one.zone, one.src] += one.fragments
        ends = {zone: self._desired.ends(zone) for zone in {zone for zone, _ in per_address}}
        for (zone, src), many in per_address.items():
            for end in ends[zone].at(src):
                if end.port:
                    found[end.port.port.id] += many
        return found

    def _silence(self, port_id: str, kept: int, now: float) -> None:
        times, _ = self._turns.get(port_id, (0, 0.0))
        seconds = min(SILENT_FOR * 2**times, SILENT_AT_MOST)
        log.warning("port sends fragments whose rest never comes", port=port_id, kept=kept, silent_for=seconds)
        self._silent[port_id] = now + seconds
        self._turns[port_id] = times + 1, now + seconds + PAUSE
        self._listen(port_id, again=False)

    def _tick(self, now: float) -> None:
        for port_id in [id for id, until in self._silent.items() if now >= until]:
            del self._silent[port_id]
            self._listen(port_id, again=True)
        self._turns = {id: turn for id, turn in self._turns.items() if now < turn[1]}

    def _listen(self, port_id: str, *, again: bool) -> None:
        self._desired.listen(port_id, Asked.WHOLE, again=again)
        self._wake()


def largest(whose: Mapping[str, int], kept: int, room: int, silent: Iterable[str] = ()) -> list[str]:
    """Those with the most, until what is kept of all others is less than this; nobody who has but a tenth of it.  What
    silent ones have sent goes."""
    rest = kept - sum(whose.get(port_id, 0) for port_id in silent)
    found = []
    for port_id in sorted(whose.keys() - set(silent), key=lambda id: (-whose[id], id)):
        if rest < room or whose[port_id] * 10 <= room:
            break
        rest -= whose[port_id]
        found.append(port_id)
    return found
