"""Totals of objects out of counters of flows: none of it twice, and nothing lost but what nobody has looked at."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.openflow.messages import Count
from netweft.model import EMPTY_VIEW, FirewallRule
from netweft.model.counting import Counted
from netweft.services.fields import cookie
from netweft.services.l3.counting import COUNTED, TABLES, Kept, Place, Tally
from netweft.testing.region import floating_ip, network, router

R, NET = router(1), network(9, "flat", "public")
ONE, OTHER = (floating_ip(n, R, NET, f"203.0.113.{n}", f"10.0.0.{n}") for n in (1, 2))
VIEW = EMPTY_VIEW.merged(1, (R, ONE, OTHER), ())
IN, OUT = COUNTED[:2]


def count(packets: int, *, place: Place = IN, id: str = ONE.id, flow: int = 1, size: int = 100) -> tuple[Place, Count]:
    key = (TABLES[place.table], flow, b"match")
    return place, Count(cookie(place.reason, id), key, packets, packets * size)


def numbers(totals: list[Counted]) -> dict[str, tuple[int, int, int, int]]:
    return {one.id: (one.packets_in, one.bytes_in, one.packets_out, one.bytes_out) for one in totals}


def begun() -> Tally:
    tally = Tally(None)
    assert tally.take(VIEW, []) == []
    return tally


def test_both_ways_of_each_object() -> None:
    tally = begun()
    told = tally.take(VIEW, [count(3), count(5, place=OUT), count(7, id=OTHER.id, flow=2)])
    assert numbers(told) == {ONE.id: (3, 300, 5, 500), OTHER.id: (7, 700, 0, 0)}
    told = tally.take(VIEW, [count(4), count(5, place=OUT), count(7, id=OTHER.id, flow=2)])
    assert numbers(told) == {ONE.id: (4, 400, 5, 500)}, "only what has changed"


def test_several_flows_of_one_object_add_up() -> None:
    tally = begun()
    assert numbers(tally.take(VIEW, [count(3), count(4, flow=2)])) == {ONE.id: (7, 700, 0, 0)}
    assert numbers(tally.take(VIEW, [count(5, flow=2)])) == {ONE.id: (8, 800, 0, 0)}, "one has gone"


def test_a_flow_that_began_anew() -> None:
    tally = begun()
    tally.take(VIEW, [count(10)])
    assert numbers(tally.take(VIEW, [count(4)])) == {ONE.id: (14, 1400, 0, 0)}


def test_another_object_takes_the_flow_over() -> None:
    """An address that is lent anew: Open vSwitch keeps the counter when a flow gets another cookie."""
    tally = begun()
    tally.take(VIEW, [count(10)])
    assert numbers(tally.take(VIEW, [count(12, id=OTHER.id)])) == {OTHER.id: (2, 200, 0, 0)}


def test_without_a_memory_what_was_counted_before_is_left_out() -> None:
    tally = Tally(None)
    assert tally.take(VIEW, [count(1000)]) == []
    assert numbers(tally.take(VIEW, [count(1001)])) == {ONE.id: (1, 100, 0, 0)}


def test_an_agent_that_starts_anew_counts_on() -> None:
    tally = begun()
    (before,) = tally.take(VIEW, [count(10)])
    (after,) = Tally(tally.kept).take(VIEW, [count(25)])
    assert (after.packets_in, after.life) == (25, before.life)


def test_the_tables_of_an_earlier_version_are_looked_at_once() -> None:
    """An upgrade renumbers them: what was counted there is taken over, and counted on here."""
    tally = Tally(Kept(tables={"from_outside": 200}))
    assert tally.tables == {"from_outside": 200}
    assert numbers(tally.take(VIEW, [count(6)])) == {ONE.id: (6, 600, 0, 0)}
    assert tally.tables == TABLES


def test_what_is_not_the_nodes_any_more_is_forgotten_and_begins_with_a_new_life() -> None:
    tally = begun()
    (before,) = tally.take(VIEW, [count(10)])
    tally.take(EMPTY_VIEW, [count(11)])
    assert tally.totals == []
    (after,) = tally.take(VIEW, [count(13)])
    assert (after.packets_in, after.life == before.life) == (2, False)


def test_each_reason_is_counted_in_one_direction_per_table() -> None:
    ways = {(place.table, place.reason) for place in COUNTED}
    assert len(ways) == len(COUNTED)
    assert {place.reason.kind for place in COUNTED} == {
        *("floating", "forwarding", "router", "metering"),
        *("listener", "pool", "firewall"),
    }


@dataclass
class Switch:
    """Flows of one object.  sent: by them; hidden: what nobody will see."""

    flows: dict[int, int] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    sent: int = 0
    hidden: int = 0

    def send(self, flow: int, packets: int) -> None:
        self.flows[flow] = self.flows.get(flow, 0) + packets
        self.sent += packets

    def restart(self) -> None:
        """Whatever was not looked at is gone; and as much again as was seen cannot be told from that."""
        self.hidden += sum(packets - self.seen.get(flow, 0) for flow, packets in self.flows.items())
        self.hidden += sum(self.seen.values())
        self.flows = dict.fromkeys(self.flows, 0)
        self.seen = {}

    def look(self) -> list[tuple[Place, Count]]:
        self.seen = dict(self.flows)
        return [count(packets, flow=flow) for flow, packets in self.flows.items()]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 3), st.integers(1, 50)),
        st.sampled_from([("look", 0, 0), ("agent", 0, 0), ("vswitchd", 0, 0)]),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_in_whatever_order(steps: list[tuple[str, int, int]]) -> None:
    """A total never shrinks and never says more than was sent.  It lacks only what flows took along that nobody had
    looked at, and of flows that have begun anew what they had counted before."""
    switch, tally, told = Switch(), begun(), 0
    for step, flow, packets in steps:
        match step:
            case "send":
                switch.send(flow, packets)
            case "vswitchd":
                switch.restart()
            case "agent":
                tally = Tally(tally.kept)
            case _:
                tally.take(VIEW, switch.look())
        now = sum(one.packets_in for one in tally.totals)
        assert told <= now <= switch.sent
        told = now
    tally.take(VIEW, switch.look())
    assert switch.sent - switch.hidden <= sum(one.packets_in for one in tally.totals) <= switch.sent


def test_what_a_firewall_rule_decided_in_all_its_flows() -> None:
    """A range of ports is several flows, and each policy that names the rule has its own."""
    (place,) = (place for place in COUNTED if place.kind == "firewall_rules")
    rule = FirewallRule(id="0000000a-9999-4000-8000-000000000000")
    tally, view = Tally(None), VIEW.merged(2, (rule,), ())
    tally.take(view, [count(100, place=place, id=rule.id)])
    told = tally.take(view, [count(103, place=place, id=rule.id), count(4, place=place, id=rule.id, flow=2)])
    assert numbers(told) == {rule.id: (7, 700, 0, 0)}
    assert [one.kind for one in told] == ["firewall_rules"]
