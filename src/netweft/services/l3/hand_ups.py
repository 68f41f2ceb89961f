"""How much of each kind may come up from outside, or be answered, for a router that is outside on this node, by its
gateway or a floating IP.

Each kind has a meter of its own for each router, in the flow that hands it up: a flood of one kind fills neither
another kind's nor another router's.  What next hops say is a kind of its own: without it a router would lose its way
out.  Who floods with a next hop's own address is in its place anyway; what was known of it stays (`agent/l3/resolver`).
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.flow import Action, Controller, Meter
from netweft.dataplane.openflow.meters import DropMeter
from netweft.services.fields import AGENT, IN_PORT, ROUTER, Reason, RouterLimit, cookie, router_meter_number
from netweft.services.l3.values import LocalRouter
from netweft.services.pipeline import INT, BridgeFlow
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

# packets a second, and at once after a pause
RATES: Final = {
    RouterLimit.NEIGHBOURS: 100,
    RouterLimit.NEXT_HOPS: 60,
    RouterLimit.SOLICITED: 50,
    RouterLimit.UNDELIVERED_FROM_OUTSIDE: 100,
    RouterLimit.UNDELIVERED_FROM_NODES: 100,
    RouterLimit.ERRORS_IN: 100,
    RouterLimit.ERRORS_OUT: 100,
    RouterLimit.ASKED_FOR: 500,
    RouterLimit.PINGED: 500,
    RouterLimit.BFD: 100,
    RouterLimit.PIECES: 200,
}


def limited(here: LocalRouter, kind: RouterLimit) -> tuple[Action, ...]:
    """Before what is done with it; nothing where the datapath has no meters."""
    if not here.exits or not here.can_limit:
        return ()
    return (Meter(router_meter_number(here.exits[0].zone, kind)),)


def handed_up(here: LocalRouter, kind: RouterLimit) -> tuple[Action, ...]:
    return (*limited(here, kind), Controller(AGENT))


def meter(of: int, kind: RouterLimit) -> DropMeter:
    """of: a gateway's zone, or a network's local VLAN."""
    return DropMeter(id=router_meter_number(of, kind), unit="pktps", rate=RATES[kind], burst=RATES[kind])


def router(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    if here.router.admin_state_up and here.exits:
        for zone in sorted({one.zone for one in here.exits}) if here.can_limit else ():
            yield from (meter(zone, kind) for kind in RATES)
        yield from _undelivered(uplinks, here)


def _undelivered(uplinks: Uplinks, here: LocalRouter) -> Iterator[BridgeFlow]:
    """What no router can deliver, of packets that came by a way into this node.  Of ports here the agent counts."""
    owner, table = cookie(Reason.ROUTER_HAND_UP, here.router.id), INT["hand_up"]
    links = [one.network.link(uplinks) for one in here.exits]
    outside = frozenset(near for link in links if link for near in link.nears)
    ways = {near for link in (uplinks.tun, *uplinks.physical.values()) for near in link.nears}
    for near in sorted(ways | outside):
        from_outside = near in outside
        kind = RouterLimit.UNDELIVERED_FROM_OUTSIDE if from_outside else RouterLimit.UNDELIVERED_FROM_NODES
        yield table.flow(15, owner, {ROUTER: here.number, IN_PORT: near}, *handed_up(here, kind))
    # what the agent itself has said, and what went by a router to another one of this node
    inside = handed_up(here, RouterLimit.UNDELIVERED_FROM_NODES)
    yield table.flow(15, owner, {ROUTER: here.number, IN_PORT: 0}, *inside)


HAND_UPS = Service("hand-ups", router=router)
