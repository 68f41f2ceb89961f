"""The agent's end of the feed against a server that is told what to say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import Awaited
from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

from netweft.agent.sync import Changes, FeedClient, Link, changes_by
from netweft.model import EMPTY_VIEW, KINDS, Network, Node, NodeFacts, Port, PortState, PortStatus, Tracked, view_of
from netweft.settings import AgentSettings
from netweft.wire import messages as wire

N1 = Network(id="n1")
P1 = Port(id="p1", network_id="n1", mac_address="fa:16:3e:00:00:01", host_id="hv1")
HV2 = Node(name="hv2", tunnel_ip="192.0.2.2")


def test_a_delta_names_what_differs_and_nothing_else() -> None:
    before = view_of("life", 3, [N1, P1, HV2])
    moved = Node(name="hv2", tunnel_ip="192.0.2.9")
    delta = wire.Delta(revision=4, upserts=(N1, moved), deletes=(("port", "p1"), ("peer", "never seen")))
    changes = changes_by(before, delta)
    assert changes.upserts == {("node", "hv2")}
    assert changes.deletes == {("port", "p1")}
    assert changes.view == view_of("life", 4, [N1, moved])
    assert before == view_of("life", 3, [N1, P1, HV2])


def test_a_snapshot_takes_away_what_it_does_not_have() -> None:
    before = view_of("one life", 9, [N1, P1])
    changes = changes_by(before, wire.Snapshot(history="the next", revision=2, objects=(N1, HV2)))
    assert changes.upserts == {("node", "hv2")}
    assert changes.deletes == {("port", "p1")}
    assert (changes.view.history, changes.view.revision) == ("the next", 2)


class Script(Awaited):
    """Answers each session with the next of `answers`; what the agent says is in `heard`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "feed.sock"
        self.answers: list[list[wire.Downward | bytes | str]] = []
        self.heard: list[wire.Upward] = []
        self.tokens: list[str] = []
        self.news = asyncio.Event()
        self.sockets: set[ServerConnection] = set()

    async def serve(self) -> Server:
        return await unix_serve(self.talk, str(self.path))

    async def talk(self, socket: ServerConnection) -> None:
        assert socket.request
        self.tokens.append(socket.request.headers["Authorization"])
        self.sockets.add(socket)
        try:
            self.hear(await socket.recv())
            for answer in self.answers.pop(0) if self.answers else []:
                await socket.send(answer if isinstance(answer, bytes | str) else wire.encode(answer))
                if isinstance(answer, wire.Refused):
                    return
            async for frame in socket:
                self.hear(frame)
        except ConnectionClosed:
            pass
        finally:
            self.sockets.discard(socket)

    def hear(self, frame: str | bytes) -> None:
        assert isinstance(frame, bytes)
        self.heard.append(wire.decode_upward(frame))
        self.news.set()

    # as the client's listener

    changes: list[Changes]

    def view_changed(self, changes: Changes) -> None:
        self.changes.append(changes)
        self.news.set()

    def ports_denied(self, reasons: Any) -> None:
        self.denied = reasons
        self.news.set()

    def link_changed(self, link: Link) -> None:
        self.links.append(link)
        self.news.set()

    def client(self, *servers: str, **settings: Any) -> FeedClient:
        self.changes, self.links, self.denied = [], list[Link](), None
        all_settings = {"node": "hv1", "token": "secret", "server": servers or (f"unix:{self.path}",)} | settings
        return FeedClient(AgentSettings(**all_settings), self, facts=NodeFacts())

    def reports(self) -> list[wire.Report]:
        return [message for message in self.heard if isinstance(message, wire.Report)]


@pytest.fixture
async def script(tmp_path: Path) -> AsyncIterator[Script]:
    script = Script(tmp_path)
    async with await script.serve():
        yield script


@pytest.fixture
async def run() -> AsyncIterator[Callable[[FeedClient], None]]:
    tasks: list[asyncio.Task[None]] = []
    yield lambda client: tasks.append(asyncio.create_task(client.run()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Run = Callable[[FeedClient], None]
FIRST = wire.Snapshot(history="life", revision=5, objects=(N1, P1))


def status(port: str, state: PortState = PortState.UP) -> PortStatus:
    return PortStatus(port, state)


async def test_it_says_who_it_is_and_what_it_has(script: Script, run: Run) -> None:
    script.answers = [[FIRST], [wire.Delta(revision=5)]]
    client = script.client()
    run(client)
    await script.until(lambda: client.link.up)
    assert script.tokens == ["Bearer secret"]
    assert script.heard == [wire.Subscribe(node="hv1", facts=NodeFacts(), kinds=KINDS)]
    for socket in list(script.sockets):
        socket.transport.abort()
    await script.until(lambda: len(script.heard) == 2 and client.link.up)
    assert script.heard[1] == wire.Subscribe(
        node="hv1", facts=NodeFacts(), have_history="life", have_revision=5, kinds=KINDS
    )
    assert [changes.subscribed for changes in script.changes] == [True, True]
    assert script.changes[1].upserts == script.changes[1].deletes == frozenset()


async def test_reports_wait_for_the_first_answer_and_the_latest_wins(script: Script, run: Run) -> None:
    client = script.client()
    client.report([status("p1", PortState.DOWN), status("p2")])
    client.report([status("p1")])
    run(client)
    await script.until(lambda: script.heard)
    await asyncio.sleep(0.05)
    assert script.reports() == []
    script.answers = [[FIRST]]
    for socket in list(script.sockets):
        socket.transport.abort()
    await script.until(script.reports)
    assert script.reports() == [wire.Report(revision=5, ports=(status("p1"), status("p2")))]


async def test_a_complete_report_replaces_what_was_not_sent(script: Script, run: Run) -> None:
    script.answers = [[FIRST]]
    client = script.client()
    client.report([status("gone")])
    client.report([status("p1", PortState.DOWN)], complete=True)
    client.report([status("p1")])
    run(client)
    await script.until(script.reports)
    assert script.reports() == [wire.Report(revision=5, ports=(status("p1"),), complete=True)]


async def test_connections_of_ports_that_move_are_reported_each_list_by_itself(script: Script, run: Run) -> None:
    script.answers = [[FIRST]]
    client = script.client()
    some = {name: (Tracked(17, "10.0.0.1", "192.0.2.7", 1, number),) for number, name in enumerate(("p1", "p2"))}
    for name, tracked in some.items():
        client.tell_left(name, tracked)
    client.tell_taken_up("p3", 7.5)
    client.report([status("p1")])
    run(client)
    await script.until(lambda: len(script.reports()) == 4)
    *lists, statuses, last = script.reports()
    assert [report.left for report in lists] == [(wire.Left(name, tracked),) for name, tracked in some.items()]
    assert statuses == wire.Report(revision=5, ports=(status("p1"),))
    assert last == wire.Report(revision=5, ports=(), taken_up=(wire.TakenUp("p3", 7.5),))


async def test_facts_are_reported_when_they_differ(script: Script, run: Run) -> None:
    script.answers = [[FIRST]]
    client = script.client()
    run(client)
    await script.until(lambda: client.link.up)
    client.tell(NodeFacts())
    client.tell(NodeFacts(tunnel_ip="192.0.2.1"))
    await script.until(lambda: len(script.heard) > 1)
    assert script.heard[1:] == [wire.Facts(NodeFacts(tunnel_ip="192.0.2.1"))]


async def test_another_server_is_tried_at_once(script: Script, run: Run, tmp_path: Path) -> None:
    script.answers = [[FIRST]]
    client = script.client(f"unix:{tmp_path}/nobody", "http://127.0.0.1:1", f"unix:{script.path}")
    run(client)
    async with asyncio.timeout(1):
        await script.until(lambda: client.link.up)
    assert client.link.server == f"unix:{script.path}"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (wire.Refused(reason="your clock is wrong"), "refused: your clock is wrong"),
        (b"\xc1", "another protocol"),
        ("text", "another protocol"),
    ],
)
async def test_what_is_wrong_is_said(script: Script, run: Run, answer: Any, problem: str) -> None:
    script.answers = [[answer]]
    client = script.client()
    run(client)
    await script.until(lambda: problem in client.link.problem)
    assert client.view == EMPTY_VIEW


async def test_denials_are_passed_on(script: Script, run: Run) -> None:
    script.answers = [[FIRST, wire.Denied({"p9": "bound to hv2"})]]
    run(script.client())
    await script.until(lambda: script.denied == {"p9": "bound to hv2"})


async def test_the_token_is_read_from_its_file_for_each_session(script: Script, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "token"
    client = script.client(token="", token_file=str(file))
    run(client)
    await script.until(lambda: "no token" in client.link.problem)
    file.write_text("fresh\n")
    script.answers = [[FIRST]]
    await script.until(lambda: client.link.up)
    assert script.tokens == ["Bearer fresh"]


def test_retries_begin_at_once_and_slow_down_to_the_cap() -> None:
    client = Script(Path("/nowhere")).client("a", "b")
    pauses = [client._pause(failures) for failures in range(40)]
    assert max(pauses[:2]) <= 0.05
    assert 2.5 <= pauses[-1] <= 5.0
    assert max(pauses) <= 5.0
