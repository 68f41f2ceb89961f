"""Everybody who is connected: how many there may be in all and from one client, and who has taken too long.

A connection takes a file descriptor, and there are only so many.  Where one more cannot be had, one that waits for its
client gives way: of that client, or of the client with the most.  Where each is being served, the new one is refused.
"""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from netweft.tally import Tally

SWEEP_SECONDS = 1.0
WANTED_DESCRIPTORS = 65_536
SPARE_DESCRIPTORS = 128  # for the database's connections, listeners, the event loop
LOCAL = "local"
NODES, PAGES = "nodes", "pages"  # whose WebSockets they are


class Member(Protocol):
    """One connection.  asks_since: since when it is open or asks for nothing that we work on."""

    client_key: str
    asks_since: float

    @property
    def served(self) -> bool:
        """It had an answer before: it gives way after those that had none."""
        ...

    def gives_way(self) -> bool:
        """Whether nothing is lost but what its client has begun to send."""
        ...

    def leave(self) -> None: ...

    def look(self, now: float) -> None:
        """End what has taken too long."""
        ...


class Crowd:
    def __init__(self, most: int, per_client: int) -> None:
        self.tally = Tally("refused")
        self.most_waiting = max(1, min(per_client, most // 4))  # of one client, to be opened
        self._most = most
        self._per_client = per_client
        self._clients: dict[str, dict[Member, None]] = {}  # in the order in which they came
        self._admitted: dict[Member, str] = {}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> dict[str, int]:
        of = {"clients": self._count, NODES: 0, PAGES: 0}
        return of | Counter(self._admitted.values())

    def enter(self, member: Member) -> bool:
        """False: there is no room for it."""
        mine = self._clients.get(member.client_key, {})
        if len(mine) >= self._per_client and not self._make_room(mine, "connections_of_client"):
            return False
        if self._count + len(self._admitted) >= self._most:
            greediest = sorted(self._clients.values(), key=len, reverse=True)
            if not any(self._make_room(members, "connections") for members in greediest):
                return False
        self._clients.setdefault(member.client_key, {})[member] = None
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
        return True

    def leave(self, member: Member) -> None:
        """Nothing happens when it is not there."""
        self._admitted.pop(member, None)
        mine = self._clients.get(member.client_key, {})
        if member in mine:
            del mine[member]
            self._count -= 1
            if not mine:
                del self._clients[member.client_key]

    def admit(self, member: Member, what: str = NODES) -> None:
        """It is known who that is: it does not give way any more, only its descriptor counts."""
        self.leave(member)
        self._admitted[member] = what

    def _make_room(self, members: dict[Member, None], reason: str) -> bool:
        waiting = (one for one in members if one.gives_way())
        victim = min(waiting, key=lambda one: (one.served, one.asks_since), default=None)
        if victim is None:
            return False
        self.tally.count(reason)
        self.leave(victim)
        victim.leave()
        return True

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for member in [*self._all(), *self._admitted]:
            member.look(loop.time())
        some = self._clients or self._admitted
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep) if some else None

    def _all(self) -> Iterator[Member]:
        for mine in self._clients.values():
            yield from mine


def key_of(peer: object) -> str:
    """Who counts as one client: an address, a /64 of IPv6, everybody on unix sockets."""
    if not isinstance(peer, tuple):
        return LOCAL
    try:
        address = ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return LOCAL
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or f"{IPv6Address(int(address) >> 64 << 64)}/64")


def room() -> int:
    """How many connections there may be: as many descriptors as the system lets us have, less some to spare."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    total = WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return total - min(SPARE_DESCRIPTORS, total // 2)
