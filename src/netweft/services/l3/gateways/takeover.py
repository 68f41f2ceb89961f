"""Who of an order has a router's gateway: each node decides by itself, from the same list and what it sees. Pure.

Who has it keeps it while it can, also when one before it in the order comes back; a new order from the server begins
anew with its first.  Nobody here looks at a clock or at Open vSwitch: `agent/l3/failover` does.
"""

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Final

from msgspec import Struct

SETTLING: Final = 4.0  # seconds: a session that has never been up, or whose other end lives, may be about to be
AT_ONCE: Final = 1.0  # sessions that end within so many seconds have one cause


class Sight(Enum):
    """What a session says of the node at its other end."""

    THERE = "there"
    CUT = "cut"  # it is, and its way outside is not
    DEAF = "deaf"  # it says that it does not hear this one, so it lives
    GONE = "gone"
    UNKNOWN = "unknown"  # the session has not been up yet


def sight(bfd: Mapping[str, str]) -> Sight:
    """bfd: bfd_status of ovs-vswitchd.conf.db(5)."""
    is_up = bfd.get("state") == "up"
    if not is_up and bfd.get("flap_count", "0") == "0":
        return Sight.UNKNOWN
    if not is_up and bfd.get("diagnostic") != "Neighbor Signaled Session Down":
        return Sight.GONE
    if bfd.get("remote_diagnostic") == "Concatenated Path Down":
        return Sight.CUT
    return Sight.THERE if is_up else Sight.DEAF


class Order(Struct, frozen=True):
    """Who has a gateway by turns, and who has it as far as this node knows; "" when nobody can."""

    hosts: tuple[str, ...] = ()
    now: str = ""


def chosen(hosts: tuple[str, ...], before: Order, can: Callable[[str], bool], unable: str = "") -> Order:
    """unable: this node, if it is cut off from the others, so that one of them has it.  When nobody can, it stays
    where it was, for want of anything better."""
    if before.hosts == hosts and before.now and can(before.now):
        return before
    found = next((host for host in hosts if can(host)), None)
    if found is None:
        last = before.now if before.hosts == hosts else next(iter(hosts), "")
        found = next((host for host in (last, *hosts) if host != unable), "")
    return Order(hosts, found)


def is_cut_off(ended: Collection[float | None]) -> bool:
    """Whether it is this node that others cannot reach.  ended: when each session did; None: it is up, or may be yet.

    One session that ends says nothing of whose end it is.  Several at once, and none is left: it is this one.  Those
    that ended one by one were other nodes' ends."""
    times = [one for one in ended if one is not None]
    if len(times) < len(ended) or len(times) < 2:
        return False
    return sum(max(times) - one <= AT_ONCE for one in times) > 1
