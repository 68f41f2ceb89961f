"""From where a packet starts to where it ends: there, and its answer back.

there = walk(seen, start, packet, target)
back = answer(seen, there, start)
"""

from netweft.control.explain import codes as known
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.hosts import HOST
from netweft.control.trace import codes
from netweft.control.trace.packet import Packet
from netweft.control.trace.walker import Start, Walker
from netweft.control.trace.way import NOWHERE, OUTSIDE, PORT, ROUTER, UNKNOWN, Way


def walk(seen: Snapshot, start: Start, packet: Packet, target: Row | None = None) -> Way:
    """target: the port that it is meant for."""
    walker = Walker(seen, packet, target)
    walker.start(start)
    way = walker.way
    meant = way.balanced if way.balanced is not None else way.at
    if target is not None and way.end == PORT and meant is not None and meant["id"] != target["id"]:
        way.stops(codes.ENDS_ELSEWHERE, "ports", meant)
    if start.port is not None and _stays_on_its_node(start.port, way):
        way.findings = [one for one in way.findings if one.code is not known.PORT_SWITCH_LACKS]
    return way


def _stays_on_its_node(port: Row, way: Way) -> bool:
    """It is switched and routed where it starts: no wire has it."""
    return way.end == PORT and way.at is not None and way.balanced is None and way.at[HOST] == port[HOST] != ""


def answer(seen: Snapshot, there: Way, start: Start) -> Way | None:
    """How the answer comes back; None: nothing is known of where it would start."""
    if there.network is None or there.end in (NOWHERE, UNKNOWN):
        return None
    walker = Walker(seen, there.packet.answered(), start.port, there.nats, answer=True)
    begins = there.at if there.end == PORT else None
    if there.end == ROUTER and there.at is not None:
        walker.way.step("routers", there.at, "answers")
        walker.way.routers.append(there.at["id"])
        walker.onward(there.at, there.network, entered=True)
    else:
        walker.start(Start(begins, there.network), by=there.routers[-1] if there.routers else "")
    way = walker.way
    if begins is not None and _stays_on_its_node(begins, way):
        way.findings = [one for one in way.findings if one.code is not known.PORT_SWITCH_LACKS]
    if way.end == (PORT if start.port else OUTSIDE):
        _compare(seen, way, there, start)
    return way


def _compare(seen: Snapshot, way: Way, there: Way, start: Start) -> None:
    """The sender knows an answer by its addresses."""
    first = there.steps[0].packet.answered()
    if (way.packet.src, way.packet.sport) != (first.src, first.sport):
        router = seen.get("routers", there.nats[0].router if there.nats else (way.routers or [""])[0])
        if router is not None:
            way.stops(codes.RETURN_MISSES_NAT, "routers", router, f"it comes from {way.packet.src}, not {first.src}")
    elif set(way.routers) != set(there.routers) and there.balanced is None:  # a member may be nearer than the VIP
        router = seen.get("routers", (way.routers or there.routers)[0])
        if router is not None:
            way.stops(codes.ASYMMETRIC, "routers", router)
