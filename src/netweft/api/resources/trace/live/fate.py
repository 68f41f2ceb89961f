"""Which of the frames that were caught are one packet, and what became of it.  Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from netweft.api.resources.trace.live.plan import Plan
from netweft.wire.captures import Frame, Match

SETTLE: Final = 0.7  # seconds after which what was not seen is not coming
GATHER: Final = 0.25  # seconds after which all is told of what has arrived
_MODULUS: Final = 1 << 32


class Sighting(NamedTuple):
    """heard: when the server was told, by its own clock.  early: some did not watch yet, so it may be unseen there."""

    host: str
    frame: Frame
    heard: float
    early: bool = False


class Fate(NamedTuple):
    """sent: where it was seen first.  arrived: None: that was not found out.  seen: in the order of its way."""

    sent: Sighting
    arrived: bool | None
    seen: tuple[Sighting, ...]


def is_same(one: Frame, other: Frame) -> bool:
    """The same packet, or one of those that it was split into or joined to."""
    if one.protocol != other.protocol or one.print != other.print:
        return False
    if one.print:
        return True
    ahead, behind = (one.number - other.number) % _MODULUS, (other.number - one.number) % _MODULUS
    return ahead < other.payload or behind < one.payload


def sent(plan: Plan, seen: Iterable[Sighting], most: int) -> list[Sighting]:
    """The first packets, each once, where it starts: at the sender's interface, or, where that is not looked at, where
    it reaches a node or a VM."""
    found: list[Sighting] = []
    for one in seen:
        frame = one.frame
        if plan.start:
            starts = frame.port_id == plan.start and not frame.out
        else:
            starts = frame.port_id == plan.goal if frame.out else not frame.port_id
        if starts and not one.early and len(found) < most and not any(is_same(frame, other.frame) for other in found):
            found.append(one)
    return found


def of_concern(plan: Plan, seen: Sequence[Sighting], now: float, most: int) -> list[Sighting]:
    """Without what is of later packets, or old and of none."""
    begins = sent(plan, seen, most)
    recent = now - 2 * SETTLE if len(begins) < most else float("inf")
    return [one for one in seen if one.heard > recent or any(is_same(one.frame, its.frame) for its in begins)]


def fates(plan: Plan, seen: Sequence[Sighting], now: float, *, most: int, blind: float) -> list[Fate]:
    """Of the first that were sent, where that is long enough ago, or they have arrived.  blind: until then not all was
    looked at."""
    found: list[Fate] = []
    for one in sent(plan, seen, most):
        its = [other for other in seen if is_same(one.frame, other.frame)]
        ends = [other.heard for other in its if _is_end(plan, other.frame)]
        arrived = bool(ends) and now - ends[0] >= GATHER
        if arrived or (not ends and now - one.heard >= SETTLE):
            its.sort(key=_order(plan))
            found.append(Fate(one, True if arrived else None if one.heard - SETTLE <= blind else False, tuple(its)))
    return found


def _is_end(plan: Plan, frame: Frame) -> bool:
    if plan.goal:
        return frame.out and frame.port_id == plan.goal
    leaves = frame.out and not frame.port_id and not frame.tunnel
    return plan.outside and leaves and _fits(plan.last, frame)


def _fits(one: Match, frame: Frame) -> bool:
    return all(not wanted or wanted == there for wanted, there in ((one.src, frame.src), (one.dst, frame.dst)))


def _order(plan: Plan) -> Callable[[Sighting], tuple[int, float]]:
    places = {host: number for number, host in enumerate(plan.hosts)}
    return lambda one: (places.get(one.host, len(places)), one.frame.at)
