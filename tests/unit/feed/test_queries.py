"""Nodes are asked in their sessions: answers, silence, nonsense, and no more than so many at once."""

import asyncio

import pytest
from tests.unit.feed.conftest import Rig, receive

from netweft.feed import queries, session
from netweft.feed.queries import Queries, Silence
from netweft.model import NodeFacts
from netweft.wire import messages as wire
from netweft.wire.queries import Answer, Ask


async def answering(question: Ask) -> Answer:
    return Answer(id=question.id, revision=7)


async def joined(rig: Rig, node: str) -> None:
    async with asyncio.timeout(10):
        while not rig.feed.queries.is_here(node):
            await asyncio.sleep(0.01)


async def test_a_question_and_its_answer(rig: Rig) -> None:
    client, recorder = await rig.client("hv1")
    client.on_asked = answering
    await recorder.until(lambda: recorder.changes)
    await joined(rig, "hv1")
    found = await asyncio.gather(*(rig.feed.queries.ask("hv1", Ask(id="")) for _ in range(10)))
    assert [type(one) is Answer and one.revision for one in found] == [7] * 10
    assert rig.feed.queries.asked == 0


async def test_a_node_without_queries_gets_none(rig: Rig) -> None:
    _, recorder = await rig.client("hv1")
    await recorder.until(lambda: recorder.changes)
    assert isinstance(await rig.feed.queries.ask("hv1", Ask(id="")), Silence)
    assert isinstance(await rig.feed.queries.ask("nobody", Ask(id="")), Silence)


async def subscribed(rig: Rig, node: str) -> object:
    socket = await rig.raw(node)
    await socket.close()
    socket = await rig._stack.enter_async_context(rig.connect(node))
    await socket.send(wire.encode(wire.Subscribe(node=node, facts=NodeFacts(), answers=True)))
    assert isinstance(await receive(socket), (wire.Snapshot, wire.Delta))
    await joined(rig, node)
    return socket


async def test_nonsense_answers_nobody_and_an_end_answers_all(rig: Rig) -> None:
    rig.feed.queries = Queries(seconds=30)
    socket = await subscribed(rig, "hv1")
    asked = asyncio.create_task(rig.feed.queries.ask("hv1", Ask(id="")))
    question = await receive(socket)  # type: ignore[arg-type]
    assert isinstance(question, Ask)
    await socket.send(wire.encode(Answer(id="another")))  # type: ignore[attr-defined]
    await asyncio.sleep(0.05)
    assert not asked.done(), "nor does another node's answer"
    rig.feed.queries.answered("hv2", Answer(id=question.id))
    assert not asked.done()
    await socket.close()  # type: ignore[attr-defined]
    assert isinstance(await asked, Silence)


async def test_too_long_an_answer_ends_the_session(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_ANSWER_BYTES", 1000)
    socket = await subscribed(rig, "hv1")
    asked = asyncio.create_task(rig.feed.queries.ask("hv1", Ask(id="")))
    question = await receive(socket)  # type: ignore[arg-type]
    assert isinstance(question, Ask)
    await socket.send(wire.encode(Answer(id=question.id, error="x" * 2000)))  # type: ignore[attr-defined]
    assert isinstance(await receive(socket), wire.Refused)  # type: ignore[arg-type]
    assert isinstance(await asked, Silence)


async def test_a_node_that_never_answers_gets_a_few_queries_at_once() -> None:
    asks, sent = Queries(seconds=600), list[Ask]()

    async def send(question: Ask) -> None:
        sent.append(question)

    asks.join("hv1", send)
    asked = [asyncio.create_task(asks.ask("hv1", Ask(id=""))) for _ in range(1000)]
    while sum(task.done() for task in asked) < 1000 - queries.WAITING:
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert (len(sent), asks.asked) == (queries.AT_ONCE, queries.WAITING)
    asks.leave("hv1", send)
    found = await asyncio.gather(*asked)
    assert len(sent) == queries.AT_ONCE, "nobody is left to be asked"
    said = [one.why for one in found if isinstance(one, Silence)]
    assert (len(said), said.count("too much is asked of it at once")) == (1000, 1000 - queries.WAITING)
    assert (asks.asked, asks._waiting, asks._gates) == (0, {}, {})


async def test_nobody_waits_for_ever() -> None:
    asks = Queries(seconds=0.05)

    async def send(_: Ask) -> None:
        return

    asks.join("hv1", send)
    assert await asks.ask("hv1", Ask(id="")) == Silence("its agent does not answer within 0.05 s")
