"""A node is asked by a server that has not its session: by letters, through a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from tests.waiting import PATIENCE

from netweft.feed.elsewhere import ByLetters
from netweft.feed.questions import Questions, Silence
from netweft.store import Store
from netweft.store.letters import MOST_PARTS, PART, Letters
from netweft.wire.questions import Answer, Ask, Hop


class Server(NamedTuple):
    store: Store
    questions: Questions
    letters: ByLetters


def server(url: str) -> Server:
    store, questions = Store.open(url), Questions(seconds=5)
    assert store.letters is not None
    by_letters = ByLetters(store.letters, questions)
    questions.elsewhere = by_letters
    return Server(store, questions, by_letters)


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[Server, Server]]:
    one, other = server(postgres_url), server(postgres_url)
    yield one, other
    for each in (one, other):
        each.letters.close()
        each.store.close()


@pytest.mark.postgres
async def test_the_other_server_asks(two: tuple[Server, Server]) -> None:
    """Also where the answer is long."""
    one, other = two
    hops = tuple(Hop(bridge="br-int", table=f"{number * 7919 % 100_003}", flow=f"{number}") for number in range(2000))

    async def send(question: Ask) -> None:
        other.questions.answered("hv1", Answer(id=question.id, revision=9, hops=hops))

    other.questions.join("hv1", send)
    for _ in range(5):  # until both listen
        answer = await one.questions.ask("hv1", Ask(id="", port_id="p"))
        if isinstance(answer, Answer):
            break
    assert isinstance(answer, Answer)
    assert (answer.revision, answer.hops) == (9, hops)
    found = await asyncio.gather(*(one.questions.ask("hv1", Ask(id="")) for _ in range(8)))
    assert [isinstance(each, Answer) for each in found] == [True] * 8
    one.questions._seconds = 0.2
    assert isinstance(await one.questions.ask("hv2", Ask(id="")), Silence)
    assert one.letters._waiting == {}


@pytest.mark.postgres
async def test_what_other_servers_nodes_have_in_place(two: tuple[Server, Server]) -> None:
    """It is waited for by who is not theirs, and by nobody where the others are gone."""
    one, other = two
    go, asked = asyncio.Event(), list[tuple[str, int]]()

    async def settle(id: str, revision: int) -> None:
        asked.append((id, revision))
        await go.wait()

    other.letters.serve("balancer", settle)
    await one.letters.settled("balancer", "b1", 7)
    assert not asked, "nobody is known to be there"
    running = asyncio.create_task(other.letters.run())
    async with asyncio.timeout(PATIENCE):
        while not one.letters._servers:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(one.letters.settled("balancer", "b1", 7))
        while not asked:
            await asyncio.sleep(0.01)
        assert set(asked) == {("b1", 7)}
        assert not waiting.done()
        go.set()
        await waiting
    running.cancel()
    assert one.letters._unsettled == {}
    one.letters._servers = dict.fromkeys(one.letters._servers, -1e9)
    await one.letters.settled("balancer", "b2", 8)
    assert ("b2", 8) not in asked


def test_letters_of_several_parts() -> None:
    letters, got = Letters(None), list[str]()  # type: ignore[arg-type]
    letters.on_letter = got.append
    for part in ("a 1 2 World", "b 0 1 alone", "nonsense", "a 2 2 x", "a 0 99999 x", "c 0 0 x", "a 0 2 Hello "):
        letters.heard(part)
    assert got == ["alone", "Hello World"]
    for number in range(1000):
        letters.heard(f"{number} 0 2 never whole")
    assert len(letters._open) <= 300
    with pytest.raises(ValueError, match="too long"):
        letters.send("x" * PART * (MOST_PARTS + 1))
