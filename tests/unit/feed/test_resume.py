"""Sessions that break: the node goes on where it was if that is known for certain, and gets a snapshot if not."""

import asyncio

from tests.unit.feed.conftest import Rig, receive
from tests.waiting import PATIENCE
from websockets.asyncio.client import ClientConnection

from netweft.model import EMPTY_VIEW, NodeFacts, PortState, PortStatus, key_of
from netweft.wire import messages as wire


def resuming(node: str, history: str, revision: int) -> bytes:
    return wire.encode(wire.Subscribe(node=node, facts=NodeFacts(), have_history=history, have_revision=revision))


async def news(socket: ClientConnection) -> wire.Downward:
    """The feed looks at what was committed a moment later: a session that begins just before hears of nothing first."""
    message = await receive(socket)
    while isinstance(message, wire.Delta) and not message.upserts:
        message = await receive(socket)
    return message


async def test_a_short_absence_costs_only_what_changed(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1")
    async with rig.connect("hv1") as socket:
        await socket.send(resuming("hv1", "", 0))
        first = await receive(socket)
    assert isinstance(first, wire.Snapshot)
    rig.port("p2", "hv1")
    async with rig.connect("hv1") as socket:
        await socket.send(resuming("hv1", first.history, first.revision))
        second = await news(socket)
    assert isinstance(second, wire.Delta)
    assert [key_of(obj) for obj in second.upserts] == [("port", "p2")]
    async with rig.connect("hv1") as socket:
        await socket.send(resuming("hv1", first.history, second.revision))
        third = await receive(socket)
    assert third == wire.Delta(revision=second.revision)


async def test_whoever_has_something_else_gets_a_snapshot(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1")
    for history, revision in [("", 0), ("another life", 1), (rig.store.history, 10**9), (rig.store.history, 1)]:
        async with rig.connect("hv1") as socket:
            await socket.send(resuming("hv1", history, revision))
            assert isinstance(await receive(socket), wire.Snapshot), (history, revision)


async def test_a_snapshot_of_what_the_agent_has_is_no_change_to_it(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1")
    client, listener = await rig.client("hv1")
    await listener.until(lambda: client.view.ports)
    held = client.view
    await rig.stop()
    await listener.until(lambda: not client.link.up)
    await rig.start()
    await listener.until(lambda: client.link.up)
    last = listener.changes[-1]
    assert last.subscribed
    assert not last.upserts and not last.deletes
    assert client.view.ports == held.ports


async def test_what_was_reported_while_the_server_was_away_arrives_when_it_is_back(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1")
    client, listener = await rig.client("hv1")
    await listener.until(lambda: client.view.ports)
    await rig.stop()
    await listener.until(lambda: not client.link.up)
    client.report([PortStatus("p1", PortState.DOWN)])
    client.report([PortStatus("p1", PortState.UP)])
    await rig.start()
    async with asyncio.timeout(PATIENCE):
        while rig.row("ports", "p1")["status"] != "ACTIVE":
            await asyncio.sleep(0.02)


async def test_an_agent_that_starts_from_its_file_gets_the_difference(rig: Rig) -> None:
    rig.network()
    rig.port("p1", "hv1")
    rig.port("p2", "hv1")
    first, listener = await rig.client("hv1")
    await listener.until(lambda: len(first.view.ports) == 2)
    kept = first.view
    with rig.store.write() as tx:
        tx.delete("ports", "p1")
    second, listener = await rig.client("hv1", view=kept)
    await listener.until(lambda: set(second.view.ports) == {"p2"})
    assert [change.deletes for change in listener.changes if change.deletes] == [{("port", "p1")}]
    assert not any(change.upserts for change in listener.changes)


async def test_a_wrong_token_or_name_is_said_and_tried_again(rig: Rig) -> None:
    stranger, on_stranger = await rig.client("hv1", token="wrong")
    impostor, on_impostor = await rig.client("hv1", name="hv2")
    await on_stranger.until(lambda: "token" in stranger.link.problem)
    await on_impostor.until(lambda: "another node" in impostor.link.problem)
    assert stranger.view == impostor.view == EMPTY_VIEW
