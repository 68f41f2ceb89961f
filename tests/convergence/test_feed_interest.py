"""Whatever is written in whatever order, and however often nodes and servers come and go: snapshot and deltas, applied
by the agent's own code, give what a fresh look at the region gives.  Without a database; `test_feed_store` has one."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from tests.convergence.feed_events import Advance, Delete, Event, Join, Leave, Lose, Put, Receive, Restart
from tests.convergence.feed_world import NODES, Region, events, should_see
from tests.examples import examples

from netweft.agent.sync import changes_by
from netweft.feed.interest import Interest
from netweft.feed.outbox import Outbox
from netweft.model import EMPTY_VIEW, GroupMember, NodeView, key_of
from netweft.wire.messages import decode_downward, encode

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has no reason to wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")


class Rehearsal:
    """Hub and agents without threads, clocks and sockets."""

    def __init__(self) -> None:
        self.region = Region()
        self.views: dict[str, NodeView] = dict.fromkeys(NODES, EMPTY_VIEW)
        self.start_server()
        for node in NODES:
            self.join(node, forgetful=True)

    def start_server(self) -> None:
        self.interest = Interest()
        self.revision = len(self.region.log)
        self.outboxes: dict[str, Outbox] = {}
        self.connected: set[str] = set()

    def happen(self, event: Event) -> None:
        match event:
            case Put() | Delete():
                self.region.write(event)
            case Advance():
                self.advance()
            case Restart():
                self.start_server()
            case Join(node, forgetful):
                self.join(node, forgetful=forgetful)
            case Leave(node):
                self.connected.discard(node)
            case Receive(node) if node in self.connected:
                self.receive(node)
            case Lose(node) if node in self.connected and self.outboxes[node]._ready.is_set():
                at_once(self.outboxes[node].take())
                self.connected.discard(node)

    def advance(self) -> None:
        changed = set(self.region.log[self.revision :])
        self.revision = len(self.region.log)
        for node, update in self.interest.advance(self.region, changed).items():
            if update:
                self.outboxes[node].merge(self.revision, update)

    def join(self, node: str, *, forgetful: bool) -> None:
        if forgetful:
            self.views[node] = EMPTY_VIEW
        view = self.views[node]
        before = self.outboxes.get(node)
        outbox = before.succeeded(view.history, view.revision) if before else None
        if outbox is None:
            self.advance()
            outbox = Outbox("life")
            outbox.replace(self.revision, self.interest.follow(self.region, [node])[node])
        self.outboxes[node] = outbox
        self.connected.add(node)

    def receive(self, node: str) -> None:
        outbox = self.outboxes[node]
        if not outbox._ready.is_set():
            return
        message = decode_downward(encode(at_once(outbox.take())))
        changes = changes_by(self.views[node], message)  # type: ignore[arg-type]
        assert all(self.views[node].get(key) != changes.view.get(key) for key in changes.upserts | changes.deletes)
        self.views[node] = changes.view

    def settle(self) -> None:
        for node in NODES:
            if node not in self.connected:
                self.join(node, forgetful=False)
        self.advance()
        for node in NODES:
            self.receive(node)


@settings(max_examples=examples(300))
@given(events)
def test_snapshot_and_deltas_give_what_a_fresh_look_gives(happenings: list[Event]) -> None:
    rehearsal = Rehearsal()
    for event in happenings:
        rehearsal.happen(event)
    rehearsal.settle()
    for node in NODES:
        assert {key_of(obj): obj for obj in rehearsal.views[node].objects()} == should_see(rehearsal.region, node)


@settings(max_examples=examples(100))
@given(events)
def test_when_all_have_left_nothing_is_kept(happenings: list[Event]) -> None:
    rehearsal = Rehearsal()
    for event in happenings:
        rehearsal.happen(event)
    for node in NODES:
        rehearsal.interest.unfollow(node)
    assert not rehearsal.interest._rows
    assert not rehearsal.interest._topics
    assert not rehearsal.interest._follows


def big_network(ports: int, nodes: int) -> tuple[Region, Interest]:
    region = Region()
    region.write(Put("networks", {"id": "n", "provider:network_type": "vxlan"}))
    for number in range(ports):
        region.write(bound(f"p{number}", f"hv{number % nodes}"))
    interest = Interest()
    interest.follow(region, [f"hv{number}" for number in range(nodes)])
    return region, interest


def bound(id: str, host: str) -> Put:
    row = {"id": id, "network_id": "n", "mac_address": "fa:16:3e:00:00:01", "binding:host_id": host}
    return Put("ports", row)


def test_a_port_on_a_large_network_is_one_small_delta_for_each_node_and_one_question_to_the_store() -> None:
    region, interest = big_network(ports=500, nodes=20)
    region.questions.clear()
    region.write(bound("new", "hv3"))

    updates = interest.advance(region, [("ports", "new")])

    assert region.questions == [("ports", "id")]
    assert {node: list(update) for node, update in updates.items()} == {
        f"hv{number}": [("port" if number == 3 else "peer", "new")] for number in range(20)
    }


def test_nodes_that_share_a_network_load_it_once() -> None:
    region, interest = big_network(ports=40, nodes=20)
    assert len(region.questions) == len(set(region.questions))
    region.questions.clear()

    interest.follow(region, ["hv99"])
    region.write(bound("first", "hv99"))
    interest.advance(region, [("ports", "first")])

    assert ("ports", "network_id") not in region.questions


@pytest.mark.parametrize("touched", ["status", "device_id", "binding:profile"])
def test_what_a_node_is_not_sent_is_no_change_to_it(touched: str) -> None:
    region, interest = big_network(ports=4, nodes=2)
    row = region.rows["ports", "p1"]
    region.write(Put("ports", {**row, touched: "other"}))
    assert interest.advance(region, [("ports", "p1")]) == {}


def test_a_row_that_makes_no_sense_costs_only_itself() -> None:
    region, interest = big_network(ports=4, nodes=2)
    region.write(Put("ports", {"id": "odd", "network_id": "n", "binding:host_id": "hv1", "mac_address": 7}))
    region.write(bound("fine", "hv1"))
    updates = interest.advance(region, [("ports", "odd"), ("ports", "fine")])
    assert ("port", "fine") in updates["hv1"]
    assert ("port", "odd") not in updates["hv1"]
    assert ("peer", "odd") not in updates["hv0"]


def test_a_member_more_is_one_small_object_for_the_nodes_whose_rules_name_the_group() -> None:
    """On another network, bound nowhere yet, and however many members there are."""
    region = Region()
    region.write(Put("security_groups", {"id": "web"}))
    region.write(Put("security_groups", {"id": "db"}))
    rule = {"id": "r", "security_group_id": "db", "direction": "ingress", "ethertype": "IPv4", "remote_group_id": "web"}
    region.write(Put("security_group_rules", rule))
    for number in range(300):
        region.write(member(f"p{number}", "n1", f"hv{number % 3}", "web"))
    region.write(member("d", "n2", "hv9", "db"))
    interest = Interest()
    assert sum(kind == "group_member" for kind, _ in interest.follow(region, ["hv0", "hv9"])["hv9"]) == 300
    region.questions.clear()

    region.write(member("new", "n1", "", "web"))

    expected = GroupMember(group_id="web", port_id="new", ip_addresses=("10.0.0.1",))
    assert interest.advance(region, [("ports", "new")]) == {"hv9": {("group_member", "web/new"): expected}}
    assert region.questions == [("ports", "id")]


def member(id: str, network: str, host: str, group: str) -> Put:
    port = bound(id, host).row
    addresses = [{"subnet_id": "s", "ip_address": "10.0.0.1"}]
    return Put("ports", {**port, "network_id": network, "security_groups": [group], "fixed_ips": addresses})
