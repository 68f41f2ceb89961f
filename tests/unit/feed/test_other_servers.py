"""A node is asked by a server that has not its session: by messages, through a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from tests.waiting import PATIENCE

from netweft.feed.other_servers import ByServerMessages
from netweft.feed.queries import Queries, Silence
from netweft.store import Store
from netweft.store.server_messages import MOST_PARTS, PART, ServerMessages
from netweft.wire.queries import Answer, Ask, Hop


class Server(NamedTuple):
    store: Store
    queries: Queries
    messages: ByServerMessages


def server(url: str) -> Server:
    store, queries = Store.open(url), Queries(seconds=5)
    assert store.server_messages is not None
    by_messages = ByServerMessages(store.server_messages, queries)
    queries.elsewhere = by_messages
    return Server(store, queries, by_messages)


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[Server, Server]]:
    one, other = server(postgres_url), server(postgres_url)
    yield one, other
    for each in (one, other):
        each.messages.close()
        each.store.close()


@pytest.mark.postgres
async def test_the_other_server_queries(two: tuple[Server, Server]) -> None:
    """Also where the answer is long."""
    one, other = two
    hops = tuple(Hop(bridge="br-int", table=f"{number * 7919 % 100_003}", flow=f"{number}") for number in range(2000))

    async def send(question: Ask) -> None:
        other.queries.answered("hv1", Answer(id=question.id, revision=9, hops=hops))

    other.queries.join("hv1", send)
    for _ in range(5):  # until both listen
        answer = await one.queries.ask("hv1", Ask(id="", port_id="p"))
        if isinstance(answer, Answer):
            break
    assert isinstance(answer, Answer)
    assert (answer.revision, answer.hops) == (9, hops)
    found = await asyncio.gather(*(one.queries.ask("hv1", Ask(id="")) for _ in range(8)))
    assert [isinstance(each, Answer) for each in found] == [True] * 8
    one.queries._seconds = 0.2
    assert isinstance(await one.queries.ask("hv2", Ask(id="")), Silence)
    assert one.messages._waiting == {}


@pytest.mark.postgres
async def test_what_other_servers_nodes_have_in_place(two: tuple[Server, Server]) -> None:
    """It is waited for by who is not theirs, and by nobody where the others are gone."""
    one, other = two
    go, asked = asyncio.Event(), list[tuple[str, int]]()

    async def settle(id: str, revision: int) -> None:
        asked.append((id, revision))
        await go.wait()

    other.messages.serve("balancer", settle)
    await one.messages.settled("balancer", "b1", 7)
    assert not asked, "nobody is known to be there"
    running = asyncio.create_task(other.messages.run())
    async with asyncio.timeout(PATIENCE):
        while not one.messages._servers:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(one.messages.settled("balancer", "b1", 7))
        while not asked:
            await asyncio.sleep(0.01)
        assert set(asked) == {("b1", 7)}
        assert not waiting.done()
        go.set()
        await waiting
    running.cancel()
    assert one.messages._unsettled == {}
    one.messages._servers = dict.fromkeys(one.messages._servers, -1e9)
    await one.messages.settled("balancer", "b2", 8)
    assert ("b2", 8) not in asked


def test_letters_of_several_parts() -> None:
    messages, got = ServerMessages(None), list[str]()  # type: ignore[arg-type]
    messages.on_message = got.append
    for part in ("a 1 2 World", "b 0 1 alone", "nonsense", "a 2 2 x", "a 0 99999 x", "c 0 0 x", "a 0 2 Hello "):
        messages.heard(part)
    assert got == ["alone", "Hello World"]
    for number in range(1000):
        messages.heard(f"{number} 0 2 never whole")
    assert len(messages._open) <= 300
    with pytest.raises(ValueError, match="too long"):
        messages.send("x" * PART * (MOST_PARTS + 1))
