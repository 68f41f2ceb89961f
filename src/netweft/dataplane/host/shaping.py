"""A NIC that keeps promises: what some senders are guaranteed there, and all the rest together.

    NIC ── htb ROOT ── class 1: the NIC's bandwidth ─┬─ class 2: everybody else, with what is not promised
                                                     ├─ class 3: a sender, with what it was promised
                                                     └─ …        each may have what others leave

Our mark is the root's handle.  Classes are changed while frames pass; who is in which is the classifier's business.
Blocking functions: one look at the kernel, then only what differs.
"""

import errno
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netweft.dataplane.host import classifier, tc
from netweft.dataplane.host.classifier import Sender
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.shaped import ROOT
from netweft.dataplane.host.tc import Qdisc
from netweft.dataplane.host.values import ShapedNic

ALL, OTHERS, FIRST = 1, 2, 3
NO_QDISC = 0  # the handle of what the kernel puts there by itself
QUEUE = 1000  # frames that wait, of each class
SHORT_QUEUES = 64  # of all classes together
SHORTEST = 2
LEAST_KBPS = 8  # for everybody else, when all is promised
DRAIN_SECONDS = 1.0  # for what waits in a class that goes
_BURST_MS = 2
_FRAME = 1600


class _Class(NamedTuple):
    """In bytes per second, and frames."""

    rate: int
    ceil: int
    queue: int


def ensure(wanted: ShapedNic) -> bool:
    """True if something had to be changed.  Raises HostError."""
    if len(wanted.guarantees) > classifier.MOST:
        raise HostError(f"{wanted.interface}: more than {classifier.MOST} guarantees")
    with _kernel(wanted.interface) as netlink:
        index = _index(netlink, wanted.interface)
        if not wanted.kbps:
            return _clear(netlink, index)
        root = _root(index)
        if root is not None and root.handle not in (ROOT, NO_QDISC):
            raise HostError(f"{wanted.interface}: its queueing discipline {root.kind} is not ours to replace")
        fresh = root is None or root.handle != ROOT
        if fresh:
            netlink.tc("add", "htb", index, ROOT, default=OTHERS)
        return _fill(netlink, index, wanted) or fresh


def _fill(netlink: IPRoute, index: int, wanted: ShapedNic) -> bool:
    """New classes first, then who is in them, then the old ones go."""
    known = classifier.senders(classifier.get(index, ROOT))
    kbps: dict[Sender, int] = {(each.mac, each.offset): each.kbps for each in wanted.guarantees}
    numbers = _numbers(known, kbps)
    there, goal = _classes(netlink, index), _goal(wanted, {numbers[sender]: kbps[sender] for sender in kbps})
    changed = [minor for minor in sorted(goal) if there.get(minor) != goal[minor]]
    for minor in changed:
        _put_class(netlink, index, minor, goal[minor], there.get(minor))
    targets = {sender: ROOT | minor for sender, minor in numbers.items()}
    if targets != known:
        classifier.put(index, ROOT, classifier.program(targets))
    obsolete = sorted(there.keys() - goal.keys())
    for minor in obsolete:
        _wait_until_empty(index, minor)
        netlink.tc("del-class", index=index, handle=ROOT | minor)
    return bool(changed or obsolete or targets != known)


def _wait_until_empty(index: int, minor: int) -> None:
    """Nobody is in the class any more; what waits there is on its way."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and any(one.waiting for one in tc.qdiscs(index) if one.parent == ROOT | minor):
        time.sleep(0.01)


def _numbers(known: Mapping[Sender, int], wanted: Iterable[Sender]) -> dict[Sender, int]:
    """Who has a class keeps it."""
    numbers = {sender: known[sender] & 0xFFFF for sender in wanted if sender in known}
    taken = set(numbers.values())
    free = (number for number in range(FIRST, 0xFFFF) if number not in taken)
    return numbers | {sender: next(free) for sender in sorted(wanted) if sender not in numbers}


def _goal(wanted: ShapedNic, promised: Mapping[int, int]) -> dict[int, _Class]:
    """kbps of each class -> all classes."""
    rest = max(wanted.kbps - sum(promised.values()), LEAST_KBPS)
    queue = max(SHORT_QUEUES // (len(promised) + 1), SHORTEST) if wanted.short_queues else QUEUE
    ceil = wanted.kbps * 125
    leaves = {OTHERS: rest, **promised}
    return {ALL: _Class(ceil, ceil, 0)} | {
        minor: _Class(min(kbps * 125, ceil), ceil, queue) for minor, kbps in leaves.items()
    }


def _put_class(netlink: IPRoute, index: int, minor: int, now: _Class, was: _Class | None) -> None:
    if was is None or was[:2] != now[:2]:
        bursts = {"burst": _burst(now.rate), "cburst": _burst(now.ceil)}
        quantum = min(max(now.rate // 100, _FRAME), 60000)  # how what is left over is shared
        verb, parent = "add-class" if was is None else "change-class", ROOT if minor == ALL else ROOT | ALL
        netlink.tc(
            verb, "htb", index, ROOT | minor, parent=parent, rate=now.rate, ceil=now.ceil, quantum=quantum, **bursts
        )
    if now.queue and (was is None or was.queue != now.queue):
        verb = "change" if was is not None and was.queue else "add"
        netlink.tc(verb, "pfifo", index, minor << 16, parent=ROOT | minor, limit=now.queue)


def _burst(rate: int) -> int:
    return max(rate * _BURST_MS // 1000, _FRAME)


def _classes(netlink: IPRoute, index: int) -> dict[int, _Class]:
    """Of our root, with the queue of each."""
    queues = {one.parent: one.limit for one in tc.qdiscs(index)}
    found = {}
    for one in netlink.get_classes(index=index):
        if one["handle"] & 0xFFFF0000 == ROOT:
            options = one.get("TCA_OPTIONS")
            rate, ceil = (
                options.get(f"TCA_HTB_{name.upper()}64") or options.get("TCA_HTB_PARMS")[name]
                for name in ("rate", "ceil")
            )
            found[one["handle"] & 0xFFFF] = _Class(rate, ceil, queues.get(one["handle"], 0))
    return found


def _clear(netlink: IPRoute, index: int) -> bool:
    root = _root(index)
    if root is None or root.handle != ROOT:
        return False
    netlink.tc("del", "htb", index, ROOT, root=True)
    return True


def _root(index: int) -> Qdisc | None:
    return next((qdisc for qdisc in tc.qdiscs(index) if qdisc.parent == tc.ROOT_PARENT), None)


def _index(netlink: IPRoute, interface: str) -> int:
    found = netlink.link_lookup(ifname=interface)
    if not found:
        raise HostError(f"{interface}: there is no such interface")
    return int(found[0])


@contextmanager
def _kernel(interface: str) -> Iterator[IPRoute]:
    try:
        with IPRoute() as netlink:
            yield netlink
    except NetlinkError as error:
        raise HostError(f"{interface}: {errno.errorcode.get(error.code, error.code)}") from error
    except OSError as error:
        raise HostError(f"{interface}: {error.strerror or error}") from error
