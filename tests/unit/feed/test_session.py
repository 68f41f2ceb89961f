"""Node sessions: who gets in, what is refused, and that one node's misbehaviour is its own problem."""

import asyncio
import time
from typing import Any

import msgspec
import pytest
from tests.unit.feed.conftest import Rig, receive
from tests.waiting import PATIENCE
from websockets.exceptions import InvalidStatus

from netweft.control.l2.placing import AHEAD, left_scope
from netweft.feed import service, session
from netweft.model import NodeFacts, PortState, PortStatus, Tracked
from netweft.model.connections import CAME_FROM
from netweft.store import Claim
from netweft.wire import messages as wire


def subscribe(node: str = "hv1", **more: Any) -> bytes:
    return wire.encode(wire.Subscribe(node=node, facts=NodeFacts(), **more))


def up(*ports: str) -> list[PortStatus]:
    return [PortStatus(port, PortState.UP) for port in ports]


def _left(rig: Rig, node: str) -> set[str]:
    with rig.store.read() as tx:
        return {id for _, id in tx.held(left_scope(node)).values()}


@pytest.mark.parametrize("token", ["", "nobody", "hv1 hv1"])
async def test_an_unknown_token_is_answered_on_the_upgrade(rig: Rig, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with rig.connect(token):
            pass
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (subscribe("hv2"), "another node"),
        (subscribe(protocol=99), "protocol"),
        (b"\xc1 garbage", "not a message"),
        (b"", "not a message"),
        ("text", "text frame"),
        (wire.encode(wire.Facts(NodeFacts())), "Subscribe"),
        (wire.encode(wire.Denied({})), "not a message"),
        (wire.encode(wire.Subscribe(node="hv1", facts=NodeFacts(tunnel_ip="not one"))), "no IP address"),
        (wire.encode(wire.Subscribe(node="hv1", facts=NodeFacts(ovs_version="x" * 100_000))), "bytes of facts"),
    ],
)
async def test_a_bad_beginning_is_refused_in_words_and_changes_nothing(
    rig: Rig, frame: bytes | str, reason: str
) -> None:
    async with rig.connect("hv1") as socket:
        await socket.send(frame)
        answer = await receive(socket)
        assert isinstance(answer, wire.Refused)
        assert reason in answer.reason
        await asyncio.wait_for(socket.wait_closed(), PATIENCE)
    with rig.store.read() as tx:
        assert tx.query("agents") == []


@pytest.mark.parametrize("frame", [b"\x00", "text", subscribe(), b"\x81\xa4type\xa6report"])
async def test_garbage_in_a_session_ends_it_and_no_other(rig: Rig, frame: bytes | str) -> None:
    _, other = await rig.client("hv2")
    await other.until(lambda: other.changes)
    socket = await rig.raw("hv1")
    await socket.send(frame)
    assert isinstance(await receive(socket), wire.Refused)
    rig.network()
    rig.port("p1", "hv2")
    await other.until(lambda: "p1" in other.changes[-1].view.ports)
    assert [link.up for link in other.links] == [True]


async def test_who_says_nothing_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HELLO_SECONDS", 0.05)
    async with rig.connect("hv1") as socket:
        answer = await receive(socket)
    assert isinstance(answer, wire.Refused)
    assert answer.retry


async def test_too_many_ports_are_refused(rig: Rig) -> None:
    socket = await rig.raw("hv1")
    ports = tuple(up(*(f"p{number}" for number in range(session.MAX_PORTS + 1))))
    await socket.send(wire.encode(wire.Report(revision=0, ports=ports)))
    answer = await receive(socket)
    assert isinstance(answer, wire.Refused)
    assert "ports" in answer.reason


async def test_a_flood_is_slowed_down_and_others_are_served(rig: Rig) -> None:
    client, listener = await rig.client("hv2")
    await listener.until(lambda: listener.changes)
    rig.network()
    rig.port("p1", "hv2")
    socket = await rig.raw("hv1")
    report = wire.encode(wire.Report(revision=0, ports=tuple(up("nonsense"))))

    async def flood() -> None:
        while True:
            await socket.send(report)

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.3)
    client.report(up("p1"))
    async with asyncio.timeout(PATIENCE):
        while rig.row("ports", "p1")["status"] != "ACTIVE":
            await asyncio.sleep(0.01)
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    socket.transport.abort()  # an orderly end would wait for all of it to be taken


async def test_what_a_session_begins_without_is_not_plugged_in_any_more(rig: Rig) -> None:
    """Also a port that was taken from the node while it was plugged in: plugged in after that it is claimed."""
    rig.network()
    rig.port("p1")
    with rig.store.write() as tx:
        tx.claim("ports", "p1", [Claim(left_scope("hv1"), "p1")])
    socket = await rig.raw("hv1")
    await socket.send(wire.encode(wire.Report(revision=0, ports=tuple(up("p1")))))
    assert isinstance(await receive(socket), wire.Denied)
    await socket.send(wire.encode(wire.Report(revision=0, ports=(), complete=True)))
    async with asyncio.timeout(PATIENCE):
        while _left(rig, "hv1"):
            await asyncio.sleep(0.01)
    await socket.send(wire.encode(wire.Report(revision=0, ports=tuple(up("p1")))))
    async with asyncio.timeout(PATIENCE):
        while rig.row("ports", "p1")["binding:host_id"] != "hv1":
            await asyncio.sleep(0.01)


async def test_a_second_session_takes_over(rig: Rig) -> None:
    first = await rig.raw("hv1")
    second = await rig.raw("hv1")
    answer = await receive(first)
    assert isinstance(answer, wire.Refused)
    assert answer.retry
    rig.network()
    rig.port("p1", "hv1")
    assert isinstance(await receive(second), wire.Delta)


async def test_reports_become_statuses_and_denials(rig: Rig) -> None:
    rig.network()
    rig.port("mine", "hv1")
    rig.port("free")
    rig.port("theirs", "hv2", status="ACTIVE")
    client, listener = await rig.client("hv1")
    client.report([*up("mine", "free", "theirs", "unknown")])
    await listener.until(lambda: len(listener.denied) == 2)
    assert set(listener.denied) == {"theirs", "unknown"}
    assert rig.row("ports", "mine")["status"] == "ACTIVE"
    assert rig.row("ports", "free")["binding:host_id"] == "hv1"
    await listener.until(lambda: "free" in client.view.ports)


async def test_connections_go_from_the_node_that_was_left_to_the_one_that_has_the_port(rig: Rig) -> None:
    rig.network()
    for node in ("hv2", "hv3"):
        rig.port(f"at {node}", node)
    left: dict[str, Any] = {CAME_FROM: {"hv1": time.time()}, AHEAD: [{"binding:host_id": "hv1"}]}
    rig.port("moved", "hv2", fixed_ips=[{"subnet_id": "s", "ip_address": "10.0.0.1"}], **left)
    (old, on_old), (new, on_new), (other, on_other) = [await rig.client(node) for node in ("hv1", "hv2", "hv3")]
    told = (Tracked(17, "10.0.0.1", "192.0.2.7", 1, 2),)
    other.tell_left("moved", told)
    old.tell_left("moved", told)
    old.tell_left("no such port", told)
    await on_new.until(lambda: "moved" in new.view.ports and new.view.ports["moved"].moved)
    found = new.view.ports["moved"].moved
    assert found is not None
    assert found.connections == told
    new.tell_taken_up("moved", found.at)
    await on_new.until(lambda: not new.view.ports["moved"].moved)
    await on_old.until(lambda: "moved" in old.view.ports)
    seen = [changes.view.ports.get("moved") for listener in (on_old, on_other) for changes in listener.changes]
    assert not any(port and port.moved for port in seen), "nobody else"


NO_LISTS = [[[7]], [["p", [[6, "x", "y", "not a number", 1]]]], [{"port_id": "p", "connections": []}] * 101]


@pytest.mark.parametrize("nonsense", NO_LISTS)
async def test_a_list_that_is_none_ends_the_session(rig: Rig, nonsense: Any) -> None:
    socket = await rig.raw("hv1")
    report = {"type": "report", "revision": 0, "ports": [], "left": nonsense}
    await socket.send(msgspec.msgpack.encode(report))
    assert isinstance(await receive(socket), wire.Refused)


async def test_a_burst_of_reports_is_few_transactions(rig: Rig) -> None:
    rig.network()
    for number in range(200):
        rig.port(f"p{number}", "hv1")
    socket = await rig.raw("hv1")
    with rig.store.read() as tx:
        before = tx.revision()
    for number in range(200):
        await socket.send(wire.encode(wire.Report(revision=0, ports=tuple(up(f"p{number}")))))
    async with asyncio.timeout(PATIENCE):
        while not all(rig.row("ports", f"p{number}")["status"] == "ACTIVE" for number in (0, 100, 199)):
            await asyncio.sleep(0.01)
    with rig.store.read() as tx:
        assert tx.revision() - before < 10


async def test_a_port_plugged_in_before_it_exists_is_claimed_when_it_does(rig: Rig) -> None:
    rig.network()
    client, listener = await rig.client("hv1")
    client.report(up("early"))
    await listener.until(lambda: listener.denied)
    rig.port("early")
    await listener.until(lambda: "early" in client.view.ports)
    assert rig.row("ports", "early")["binding:host_id"] == "hv1"


def test_what_was_denied_is_not_said_again_after_what_is_newer() -> None:
    """It may be had while the node's word that it was unplugged is being written: as it is with a VM that is shelved,
    whose port is unbound and unplugged at once."""
    reports = session._Reports()
    for state in (PortState.UP, PortState.DOWN):
        reports.add([PortStatus("p1", state)], complete=False)
        assert reports.take() == ([PortStatus("p1", state)], False)
        if state is PortState.UP:
            reports.written(["p1"])
    reports.retry(["p1"])
    reports.written([])
    assert reports.take() == ([], False)
    assert reports.claims() == set()


async def test_a_port_claimed_elsewhere_is_had_once_it_is_unplugged_there(rig: Rig) -> None:
    rig.network()
    rig.port("p1")
    old, on_old = await rig.client("hv1")
    old.report(up("p1"))
    await on_old.until(lambda: "p1" in old.view.ports)
    new, on_new = await rig.client("hv2")
    new.report(up("p1"))
    await on_new.until(lambda: "p1" in on_new.denied)
    old.report([PortStatus("p1", PortState.DOWN)])
    await on_new.until(lambda: "p1" in new.view.ports)
    assert rig.row("ports", "p1")["binding:host_id"] == "hv2"


async def test_facts_reach_the_peers(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1")
    rig.port("p2", "hv2")
    first, listener = await rig.client("hv1")
    second, _ = await rig.client("hv2")
    await listener.until(lambda: "hv2" in first.view.nodes)
    assert first.view.nodes["hv2"].tunnel_ip == "192.0.2.2"
    second.tell(NodeFacts(tunnel_ip="192.0.2.77"))
    await listener.until(lambda: first.view.nodes["hv2"].tunnel_ip == "192.0.2.77")


async def test_a_report_that_cannot_be_written_is_sent_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.network()
    rig.port("p1", "hv1")
    client, listener = await rig.client("hv1")
    await listener.until(lambda: client.view.ports)
    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "write", lambda: 1 / 0)
        client.report(up("p1"))
        await listener.until(lambda: not client.link.up)
    assert "could not be stored" in client.link.problem
    await listener.until(lambda: client.link.up)


async def test_a_node_that_stays_away_is_marked_and_one_that_returns_is_not(rig: Rig) -> None:
    client, listener = await rig.client("hv1")
    await listener.until(lambda: client.link.up)
    socket = await rig.raw("hv2")
    await socket.close()

    def agent(host: str) -> dict[str, Any]:
        with rig.store.read() as tx:
            return next(row for row in tx.query("agents") if row["host"] == host)

    async with asyncio.timeout(PATIENCE):
        while not agent("hv2")["status_detail"]:
            await asyncio.sleep(0.02)
    assert not agent("hv1")["status_detail"]


async def test_a_node_that_begins_again_and_again_waits_and_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session stores its facts at once; the limit of one a second holds within one."""
    monkeypatch.setattr(service, "SESSION_SECONDS", 1000.0)
    for _ in range(service.SESSIONS_AT_ONCE):
        async with rig.connect("hv1") as socket:
            await socket.send(subscribe())
            await receive(socket)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), rig.connect("hv1"):
            pass
    async with rig.connect("hv2") as socket:
        await socket.send(subscribe("hv2"))
        assert isinstance(await receive(socket), wire.Snapshot)
