"""Sessions of BFD with next hops outside: whether each is up, so that a default route that is down is not used.

From bfd_status in Open vSwitch's database, which vswitchd keeps.  A session that has never been up is waited for.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog

from netweft.agent.desired import Desired
from netweft.agent.l3.news import News
from netweft.services.addresses import text
from netweft.services.l3.values import BfdSession

log = structlog.get_logger(__name__)

SETTLING: Final = 3.0  # seconds until a session that is new counts as down


class Look(Protocol):
    """What is read from Open vSwitch's database."""

    def bfd_status(self, interface: str) -> dict[str, str] | None: ...
    def ofport(self, interface: str) -> int | None: ...


class BfdWatch:
    """again: called when time has made a difference."""

    def __init__(self, desired: Desired, again: Callable[[], None]) -> None:
        self._desired, self._again = desired, again
        self._since: dict[str, float] = {}  # near end -> when it was first seen
        self._known: dict[str, BfdSession] = {}
        self._news = News(desired)

    @property
    def up(self) -> Iterable[bool]:
        """Whether each session is; one that is new counts as up."""
        return (one.up for one in self._desired.bfd_sessions())

    def observe(self, look: Look) -> None:
        """Each turn, before what is wanted is worked out."""
        now = asyncio.get_running_loop().time()
        wanted = self._known
        if self._news():
            wanted = {one.near: one for one in self._desired.bfd_sessions()}
        for gone in self._known.keys() - wanted.keys():
            self._since.pop(gone, None)
            self._desired.see_session(self._known[gone], None, down=False)
        for session in wanted.values():
            ofport = look.ofport(session.far)
            down = self._is_down(session, look.bfd_status(session.near) or {}, now)
            if down == session.up:
                told = "next hop is down by BFD" if down else "next hop is up by BFD"
                log.info(told, address=text(session.next_hop), by=session.own)
            self._desired.see_session(session, ofport if ofport and ofport > 0 else None, down=down)
        self._known = wanted

    def _is_down(self, session: BfdSession, status: dict[str, str], now: float) -> bool:
        """Its ports are made by what is seen here: it begins when it is wanted."""
        if session.near not in self._since:
            self._since[session.near] = now
            asyncio.get_running_loop().call_later(SETTLING + 0.01, self._again)
        if status.get("state") == "up":
            return False
        was_up = int(status.get("flap_count", "0")) > 0
        return was_up or now - self._since[session.near] > SETTLING
