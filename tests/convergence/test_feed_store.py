"""The law of `test_feed_interest` with the real store, threads and a running hub: in the end everybody sees what a
fresh look shows, also when several write at once."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from tests.convergence.feed_events import Delete, Event, Join, Leave, Lose, Put, Receive, Restart
from tests.convergence.feed_world import GROUPS, NETWORKS, NODES, Region, events, groups_of, should_see
from tests.examples import examples
from tests.waiting import PATIENCE

from netweft.agent.sync import changes_by
from netweft.control.l2 import placing
from netweft.control.l2.hosts import HOST_SCOPE
from netweft.control.l3 import gateway_hosts, wire_hosts
from netweft.feed.hub import Hub
from netweft.feed.objects import SERVICE_AGENTS, Row
from netweft.feed.outbox import Closed, Outbox
from netweft.feed.relevance import FLOATING_ON
from netweft.model import EMPTY_VIEW, NodeView, key_of
from netweft.model.router import ANSWERS_ON, GATEWAY_HOSTS
from netweft.store import Claim, InUse, Link, Missing, Store, Taken, WriteTransaction

KINDS = (
    "floatingips",
    "networks",
    "subnets",
    "trunks",
    "ports",
    "agents",
    "users",
    "security_group_rules",
    "security_groups",
    "address_groups",
    "firewall_groups",
    "firewall_policies",
    "firewall_rules",
    "policies",
    "routers",
)


def write(store: Store, event: Put | Delete) -> None:
    """What the store refuses (a port of a group that is gone, a group that has ports, a host's second agent) is not
    written at all."""
    with suppress(Missing, InUse, Taken), store.write() as tx:
        id = event.id if isinstance(event, Delete) else event.row["id"]
        before = tx.lock(event.kind, id)
        before_claims = dict(before) if before else None
        after = None if isinstance(event, Delete) else event.row
        if after is None:
            tx.delete(event.kind, id)
        elif before is None:
            tx.insert(event.kind, after, [link for name in LINKED for link in links_of(after, name)], hosts_of(after))
        else:
            tx.update(event.kind, id, after, {name: links_of(after, name) for name in LINKED})
        if after is not None and placing.AHEAD in after:
            placing.claim_ahead(tx, event.kind, before or {"id": id}, placing.ahead(after))
        if after is not None and GATEWAY_HOSTS in after:
            claim_order(tx, before_claims or {"id": id}, after[GATEWAY_HOSTS])
        if after is not None and ANSWERS_ON in after:
            for change, its in ((tx.release, before_claims or {}), (tx.claim, after)):
                change("ports", id, [Claim(wire_hosts.scope(host), id) for host in wire_hosts.scopes(its)])
        for kind, group in groups_of(before, after):
            if tx.lock(kind, group):
                tx.update(kind, group, {})


def hosts_of(row: Row) -> list[Claim]:
    """Of an agent, by which it is found; others of its host are services."""
    is_nodes = row.get("agent_type", "DHCP agent") not in SERVICE_AGENTS
    return [Claim(HOST_SCOPE, row["host"])] if is_nodes else []


def claim_order(tx: WriteTransaction, port: Row, hosts: list[str]) -> None:
    id = port["id"]
    for change, its in ((tx.release, port.get(GATEWAY_HOSTS) or []), (tx.claim, hosts)):
        change("ports", id, [Claim(gateway_hosts.scope(host), id) for host in its])


LINKED = {"security_groups": "security_groups", "router_id": "routers", FLOATING_ON: "networks"}


def links_of(row: Row, name: str) -> list[Link]:
    there = row.get(name) or ()
    return [Link(name, LINKED[name], id) for id in ([there] if isinstance(there, str) else there)]


def empty(store: Store) -> None:
    """But for the groups, without any rules: a port cannot be in a group that is not there."""
    with store.write() as tx:
        for kind in KINDS:
            for row in tx.query(kind):
                tx.delete(kind, row["id"])
        for group in GROUPS:
            tx.insert("security_groups", {"id": group})


def region_of(store: Store) -> Region:
    with store.read() as tx:
        return Region({(kind, row["id"]): row for kind in KINDS for row in tx.query(kind)})


class Stage:
    """A running hub, and what each node has; nodes take only when told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.views: dict[str, NodeView] = dict.fromkeys(NODES, EMPTY_VIEW)
        self.outboxes: dict[str, Outbox] = {}

    async def __aenter__(self) -> "Stage":
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()

    def start(self) -> None:
        self.hub = Hub(self.store)
        self.running = asyncio.create_task(self.hub.run())
        self.outboxes.clear()

    async def happen(self, event: Event) -> None:
        match event:
            case Put() | Delete():
                await asyncio.to_thread(write, self.store, event)
            case Join(node, forgetful):
                self.join(node, forgetful=forgetful)
            case Leave(node) if node in self.outboxes:
                self.hub.leave(node, self.outboxes.pop(node))
            case Receive(node) if node in self.outboxes:
                await self.receive(node, 0.01)
            case Lose(node) if node in self.outboxes:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.outboxes[node].take(), 0.01)
                self.hub.leave(node, self.outboxes.pop(node))
            case Restart():
                self.running.cancel()
                self.start()

    def join(self, node: str, *, forgetful: bool) -> None:
        view = self.views[node] = EMPTY_VIEW if forgetful else self.views[node]
        self.outboxes[node] = self.hub.subscribe(node, view.history, view.revision)

    async def receive(self, node: str, patience: float) -> None:
        with suppress(TimeoutError):
            message = await asyncio.wait_for(self.outboxes[node].take(), patience)
            self.views[node] = changes_by(self.views[node], message).view

    async def settle(self) -> None:
        """Nobody writes any more.  Raises AssertionError if the views do not come to be right."""
        region = region_of(self.store)
        for node in NODES:
            if node not in self.outboxes:
                self.join(node, forgetful=False)
            should = should_see(region, node)
            until = asyncio.get_running_loop().time() + PATIENCE
            while (has := {key_of(obj): obj for obj in self.views[node].objects()}) != should:
                assert asyncio.get_running_loop().time() < until, (node, has, should)
                await self.receive(node, 0.1)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=events)
def test_whatever_happens_views_come_to_be_right(store: Store, happenings: list[Event]) -> None:
    async def play() -> None:
        async with Stage(store) as stage:
            for event in happenings:
                await stage.happen(event)
            await stage.settle()

    empty(store)
    asyncio.run(play())


def scribble(store: Store, seed: int, count: int) -> None:
    """Writes of one client; it owns its ports, so that clients do not get in each other's way."""
    dice = random.Random(seed)
    for _ in range(count):
        id = f"p{seed}-{dice.randrange(5)}"
        host = dice.choice(["", *NODES])
        row = {"id": id, "network_id": dice.choice(NETWORKS), "mac_address": "m", "binding:host_id": host}
        write(store, Delete("ports", id) if dice.random() < 0.3 else Put("ports", row))


async def test_while_several_write_at_once(store: Store) -> None:
    for network in NETWORKS:
        write(store, Put("networks", {"id": network}))
    async with Stage(store) as stage:
        for node in NODES:
            stage.join(node, forgetful=True)
        with ThreadPoolExecutor(4) as clients:
            done = [asyncio.wrap_future(clients.submit(scribble, store, seed, 60)) for seed in range(4)]
            while not all(future.done() for future in done):
                for node in NODES:
                    await stage.receive(node, 0.005)
            await asyncio.gather(*done)
        await stage.settle()


async def test_a_change_that_had_to_wait_for_an_older_transaction_comes_soon_after_it(store: Store) -> None:
    """A heartbeat is no change, so no bell rings when it ends; in PostgreSQL it can hold a change up."""
    write(store, Put("networks", {"id": "n1"}))
    write(store, Put("agents", {"id": "a1"}))

    def touch(touched: threading.Event, done: threading.Event) -> None:
        with store.write() as tx:
            tx.touch("agents", "a1", {"heartbeat_timestamp": "now"})
            touched.set()
            done.wait(PATIENCE)

    async with Stage(store) as stage:
        stage.join("hv1", forgetful=True)
        await stage.receive("hv1", PATIENCE)
        touched, done = threading.Event(), threading.Event()
        heartbeat = asyncio.create_task(asyncio.to_thread(touch, touched, done))
        await asyncio.to_thread(touched.wait)
        row = {"id": "p1", "network_id": "n1", "mac_address": "m", "binding:host_id": "hv1"}
        writing = asyncio.create_task(asyncio.to_thread(write, store, Put("ports", row)))
        await asyncio.sleep(0.1)
        done.set()
        await asyncio.gather(heartbeat, writing)
        await stage.receive("hv1", 0.3)
        assert set(stage.views["hv1"].ports) == {"p1"}


async def test_what_another_server_writes_is_sent_here(store: Store, url: str) -> None:
    write(store, Put("networks", {"id": "n1"}))
    another = Store.open(url)
    async with Stage(store) as stage:
        stage.join("hv1", forgetful=True)
        await stage.receive("hv1", PATIENCE)
        row = {"id": "p1", "network_id": "n1", "mac_address": "m", "binding:host_id": "hv1"}
        write(another, Put("ports", row))
        await stage.receive("hv1", PATIENCE)
        assert set(stage.views["hv1"].ports) == {"p1"}
    another.close()


async def test_a_log_that_was_shortened_meanwhile_makes_snapshots(store: Store) -> None:
    write(store, Put("networks", {"id": "n1"}))
    async with Stage(store) as stage:
        stage.join("hv1", forgetful=True)
        await stage.receive("hv1", PATIENCE)
        stage.hub._revision = 0  # as if it had been asleep for long
        for number in range(5):
            row = {"id": f"p{number}", "network_id": "n1", "mac_address": "m", "binding:host_id": "hv1"}
            write(store, Put("ports", row))
            store.prune(keep=1)
        await stage.settle()


async def test_a_store_that_fails_for_a_while_is_followed_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, Put("networks", {"id": "n1"}))
    async with Stage(store) as stage:
        stage.join("hv1", forgetful=True)
        await stage.receive("hv1", PATIENCE)
        with monkeypatch.context() as broken:
            broken.setattr(store, "read", lambda: 1 / 0)
            row = {"id": "p1", "network_id": "n1", "mac_address": "m", "binding:host_id": "hv1"}
            write(store, Put("ports", row))
            await asyncio.sleep(0.1)
        await stage.settle()


async def test_a_session_that_is_taken_over_or_loses_its_token_ends(store: Store) -> None:
    with store.write() as tx:
        tx.insert("nodes", {"id": "hv1", "name": "hv1"})
    async with Stage(store) as stage:
        stage.join("hv1", forgetful=True)
        first = stage.outboxes["hv1"]
        stage.join("hv1", forgetful=True)
        with pytest.raises(Closed, match="took over"):
            await first.take()
        await stage.receive("hv1", PATIENCE)
        with store.write() as tx:
            tx.delete("nodes", "hv1")
        with pytest.raises(Closed, match="token"):
            await asyncio.wait_for(stage.outboxes["hv1"].take(), PATIENCE)
        assert stage.hub.here() == []
