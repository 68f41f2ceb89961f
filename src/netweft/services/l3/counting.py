"""What passes floating IPs, port forwardings, gateways, metering labels and listeners, and what firewall rules have
decided, as the flows of each have counted it.

    from_outside, to_outside, forwarded_pieces, metering, policy_rules
        ── counters of flows ──▶ Tally ──▶ totals of each object

Each packet is counted by the one flow that translates it, or lets it pass as it is; metering labels count it besides.
A flow's counter begins again at 0 with the flow.  What it has counted since the last look is added to the total of the
object that its cookie names; a total only grows.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from netweft.dataplane.openflow.messages import Count
from netweft.model import NodeView
from netweft.model.counting import Counted, CountedKind
from netweft.services.fields import OBJECT_MASK, Reason, object_bits
from netweft.services.pipeline import INT

LIVES: Final = 2**62
FlowId: TypeAlias = tuple[int, int, bytes]  # table, priority, match
_What: TypeAlias = tuple[str, str]


class Place(NamedTuple):
    """Which flows count for objects of a kind, and in which direction."""

    table: str
    reason: Reason
    kind: CountedKind
    outward: bool


COUNTED: Final = (
    Place("from_outside", Reason.FLOATING_ADDRESS, "floatingips", False),
    Place("to_outside", Reason.FLOATING_ADDRESS, "floatingips", True),
    Place("from_outside", Reason.FORWARDING_PORTS, "port_forwardings", False),
    Place("forwarded_pieces", Reason.FORWARDING_PORTS, "port_forwardings", False),
    Place("to_outside", Reason.FORWARDING_PORTS, "port_forwardings", True),
    Place("forwarded_pieces", Reason.FORWARDING_BACK, "port_forwardings", True),
    Place("from_outside", Reason.ROUTER_PASSES, "routers", False),
    Place("to_outside", Reason.ROUTER_PASSES, "routers", True),
    Place("metering", Reason.METERING_IN, "metering_labels", False),
    Place("metering", Reason.METERING_OUT, "metering_labels", True),
    Place("policy_rules", Reason.FIREWALL_RULE, "firewall_rules", False),
    Place("balance", Reason.LISTENER_VIP, "listeners", False),
    Place("from_member", Reason.LISTENER_ANSWERS, "listeners", True),
    Place("balance_state", Reason.POOL_METHOD, "pools", False),  # of each connection the first packet
)
TABLES: Final = {place.table: INT[place.table].id for place in COUNTED}


class Seen(Struct, frozen=True, array_like=True):
    """A flow, as it was looked at last."""

    flow: FlowId
    packets: int
    bytes: int


class Kept(Struct, frozen=True, kw_only=True):
    """What outlives the agent.  tables: their numbers then."""

    tables: dict[str, int] = {}
    seen: tuple[Seen, ...] = ()
    totals: tuple[Counted, ...] = ()


class Tally:
    """kept: None: nothing is remembered, so that nobody knows what of the flows that are there was reported already."""

    def __init__(self, kept: Kept | None) -> None:
        self._blank = kept is None
        self._seen: dict[FlowId, Seen] = {one.flow: one for one in kept.seen} if kept else {}
        self._totals: dict[_What, Counted] = {(one.kind, one.id): one for one in kept.totals} if kept else {}
        self.tables: Mapping[str, int] = kept.tables if kept else TABLES

    @property
    def totals(self) -> list[Counted]:
        return list(self._totals.values())

    @property
    def kept(self) -> Kept:
        return Kept(tables=TABLES, seen=tuple(self._seen.values()), totals=tuple(self._totals.values()))

    def take(self, view: NodeView, found: Iterable[tuple[Place, Count]]) -> list[Counted]:
        """found: all such flows there are.  Returns the totals that have changed."""
        ids = {(kind, object_bits(id)): id for kind, id in _objects(view)}
        before, self._seen = self._seen, {}
        changed: dict[_What, Counted] = {}
        for place, count in found:
            self._seen[count.flow] = Seen(count.flow, count.packets, count.bytes)
            id = ids.get((place.kind, count.cookie & OBJECT_MASK))
            packets, octets = (0, 0) if self._blank else _since(before.get(count.flow), count)
            if id is not None and (packets or octets):
                what = (place.kind, id)
                self._totals[what] = changed[what] = _more(self._total(what), place, packets, octets)
        self._blank, self.tables = False, TABLES
        there = {(kind, id) for (kind, _), id in ids.items()}
        self._totals = {what: total for what, total in self._totals.items() if what in there}
        return list(changed.values())

    def _total(self, what: _What) -> Counted:
        """A new one says that it has begun at 0: the server keeps what was reported of the one before."""
        found = self._totals.get(what)
        return found or Counted(kind=what[0], id=what[1], life=random.randrange(LIVES))


def _since(before: Seen | None, now: Count) -> tuple[int, int]:
    if before is None or now.packets < before.packets or now.bytes < before.bytes:
        return now.packets, now.bytes
    return now.packets - before.packets, now.bytes - before.bytes


def _more(total: Counted, place: Place, packets: int, octets: int) -> Counted:
    if place.outward:
        return replace(total, packets_out=total.packets_out + packets, bytes_out=total.bytes_out + octets)
    return replace(total, packets_in=total.packets_in + packets, bytes_in=total.bytes_in + octets)


def _objects(view: NodeView) -> Iterator[_What]:
    yield from (("floatingips", id) for id in view.floating_ips)
    yield from (("port_forwardings", id) for id in view.port_forwardings)
    yield from (("routers", id) for id in view.routers)
    yield from (("metering_labels", id) for id in view.metering_labels)
    yield from (("firewall_rules", id) for id in view.firewall_rules)
    yield from (("listeners", id) for id in view.listeners)
    yield from (("pools", id) for id in view.pools)
