"""Which VMs' connections are open, and how many more there may be: each port has its own few (decision 0441)."""

import resource
from collections import defaultdict
from typing import Final, Protocol

EACH: Final = 8  # connections of one port
OTHERS_FILES: Final = 256  # what the rest of the agent may have open
ENOUGH: Final = 8192


class Guest(Protocol):
    """A connection of a port's."""

    def leave(self) -> None:
        """At once, and without a word."""


class Guests:
    """most: of all ports together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all = 0
        self._of: defaultdict[str, list[Guest]] = defaultdict(list)

    def enter(self, port_id: str, guest: Guest) -> bool:
        """False: this port has enough of them.  Where there is room for no more at all, who has most gives one up."""
        if len(self._of[port_id]) >= EACH:
            return False
        if self._all >= self._most:
            greedy = max(self._of.values(), key=len)
            if not greedy or greedy is self._of[port_id]:
                return False
            greedy[0].leave()
        self._of[port_id].append(guest)
        self._all += 1
        return True

    def left(self, port_id: str, guest: Guest) -> None:
        mine = self._of.get(port_id, [])
        if guest in mine:
            mine.remove(guest)
            self._all -= 1
        if not mine:
            self._of.pop(port_id, None)


def room() -> int:
    """How many connections this process may hold, with as many files as it can have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max((ENOUGH if soft == resource.RLIM_INFINITY else soft) - OTHERS_FILES, EACH)
