"""Which flows lead nowhere, and that what they count only grows."""

from collections.abc import Collection
from typing import cast

from netweft.agent.drops import Drops, Where
from netweft.agent.host.bridge import BridgeSide
from netweft.dataplane.openflow.errors import ConnectionLost
from netweft.dataplane.openflow.flow import Action, Ct, Flow, Goto, Meter, Output, SetField
from netweft.dataplane.openflow.messages import Count
from netweft.services.fields import Reason, cookie
from netweft.services.pipeline import INT

PORT = "11111111-1111-4111-8111-111111111111"


class Bridge:
    """Answers as a switch does: by table, and by what of the cookie is asked for."""

    def __init__(self, *flows: Flow) -> None:
        self.flows: Collection[Flow] | None = flows
        self.counts = dict.fromkeys(flows, 0)
        self.asked = 0
        self.away = False

    async def count(self, table: int, cookie: int, mask: int) -> list[tuple[Flow, Count]]:
        self.asked += 1
        if self.away:
            raise ConnectionLost("gone")
        return [
            (flow, Count(flow.cookie, (flow.table, flow.priority, repr(flow.match).encode()), packets, 0))
            for flow, packets in self.counts.items()
            if flow.table == table and flow.cookie & mask == cookie & mask
        ]


def flow(table: str, priority: int, reason: Reason, *actions: Action) -> Flow:
    return Flow(table=INT[table].id, priority=priority, actions=actions, cookie=cookie(reason, PORT))


MISS = flow("source_mac", 0, Reason.PIPELINE)
MARKED = flow("egress_verdict", 5, Reason.PORT_SECURITY, Ct(commit=True, exec=(SetField("ct_mark", 1),)))
PASSES = flow("source_mac", 5, Reason.PORT_SECURITY, Meter(7), Goto(INT["source_address"].id))
TRACKED = flow("source_mac", 6, Reason.PORT_SECURITY, Ct(table=INT["egress_state"].id))
OUT = flow("deliver", 6, Reason.PORT_DELIVERY, Output(3))
METERING = flow("metering", 6, Reason.METERING_IN)


def drops(bridge: Bridge) -> Drops:
    return Drops({"int": cast(BridgeSide, bridge)})


async def test_by_table_and_reason() -> None:
    bridge = Bridge(MISS, MARKED, PASSES, TRACKED, OUT, METERING)
    bridge.counts = dict.fromkeys(bridge.counts, 9) | {MISS: 3, MARKED: 4}
    side = drops(bridge)
    await side.look()
    assert side.packets == {
        Where("int", "source_mac", "pipeline"): 3,
        Where("int", "egress_verdict", "port_security"): 4,
    }
    assert bridge.asked == 2, "only where there is one that leads nowhere"
    assert side.flows == {
        ("int", "source_mac"): 3,
        ("int", "egress_verdict"): 1,
        ("int", "deliver"): 1,
        ("int", "metering"): 1,
    }


async def test_totals_only_grow() -> None:
    bridge = Bridge(MISS)
    side = drops(bridge)
    seen = []
    for packets in (5, 7, 7, 2, 3):  # the flow was made anew before the 2
        bridge.counts = {MISS: packets}
        await side.look()
        seen.append(side.packets.total())
    assert seen == [5, 7, 7, 9, 10]
    bridge.flows, bridge.counts = (), {}
    await side.look()
    assert side.packets.total() == 10


async def test_of_a_bridge_that_is_away_what_was_known_stays() -> None:
    bridge = Bridge(MISS)
    bridge.counts = {MISS: 5}
    side = drops(bridge)
    await side.look()
    bridge.away = True
    await side.look()
    there, bridge.flows = bridge.flows, None
    await side.look()
    assert side.packets.total() == 5
    bridge.flows, bridge.away = there, False
    bridge.counts = {MISS: 6}
    await side.look()
    assert side.packets.total() == 6, "and nothing is counted twice"
