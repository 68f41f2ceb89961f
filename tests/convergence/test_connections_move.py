"""What a port that moves is connected to is told before it is forgotten, and taken up where it arrives, by whichever
agent there is; one that is killed in between costs these connections at most, and nobody else anything."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Killed, Situation
from tests.convergence.test_connections_end import ALL, ENDS, Story, Ways, tracked, with_address
from tests.convergence.test_killed_at_each_step import A1, A2, AWAY, peer, state

from netweft.agent.security import endings, moving
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.model import MovedConnections, Port, Tracked
from netweft.model.connections import FRESH_SECONDS
from netweft.services.pipeline import INT


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits here."""
    monkeypatch.setattr(endings, "RESTS", 0)
    monkeypatch.setattr(moving, "RESTS", 0)
    monkeypatch.setattr(moving, "PAUSES", (0.0,) * 3)


INACTIVE = replace(A1, active=False)
LEAVES: dict[str, tuple[Situation, Situation, Ways]] = {
    "activated elsewhere": (state(), state(INACTIVE), with_address(ENDS[0])),
    "bound elsewhere": (state(), state(peer(A1), without=(A1,), plugged=(A2,)), with_address(ENDS[0])),
    "gone, and its network": (state(), Situation([], [A1.id, A2.id]), with_address(ENDS[0])),
    "deleted": (state(), state(without=(A1,), plugged=(A2,)), set()),
    "wired ahead, and given up": (state(INACTIVE), state(without=(A1,), plugged=(A2,)), set()),
    "not guarded": (
        state(replace(A1, port_security_enabled=False)), state(without=(A1,), plugged=(A2,)), set()
    ),
    "it stays": (state(), state(replace(A1, admin_state_up=False)), set()),
    "another comes": (state(INACTIVE), state(A1), set()),
}  # fmt: skip


def ways(told: Iterable[Tracked]) -> Ways:
    return {(one.src, one.dst) for one in told}


@pytest.mark.parametrize("change", LEAVES)
async def test_what_leaves_is_sent(change: str, tmp_path: Path) -> None:
    before, after, expected = LEAVES[change]
    story = Story(tmp_path, before, after)
    world = await story.begin()
    await world.run(after)
    assert ways(world.left.get(A1.id, ())) == expected


async def test_killed_at_any_step_nothing_is_reported_that_is_not_so(tmp_path: Path) -> None:
    """By the one that is killed, or the next, which knows no more than is on the disk; and what has to end, ends."""
    before, after, expected = LEAVES["bound elsewhere"]
    story = Story(tmp_path, before, after)
    _, steps = await story.done()
    for last in range(steps):
        world = await story.begin()
        world.last_step = last
        with pytest.raises(Killed):
            await world.run(after)
        world.last_step = None
        await world.run(after, None, new=True, load=True)
        assert ways(world.left.get(A1.id, ())) in (set(), expected)
        assert tracked(world) == {way for way in ALL if ENDS[1] in way}


async def test_open_vswitch_does_not_tell(tmp_path: Path) -> None:
    before, after, _ = LEAVES["bound elsewhere"]
    world = await Story(tmp_path, before, after).begin()

    async def nothing(*words: str) -> str:
        raise CommandFailed("no answer")

    world.agent.departures.ask = nothing
    await world.run(after)
    assert world.left == {}


def arriving(moved: MovedConnections | None) -> Situation:
    return state(replace(AWAY, moved=moved), A2, without=(peer(AWAY),), plugged=(A1, A2, AWAY))


def told(*, at: float = 0.0) -> MovedConnections:
    asked = Tracked(17, ENDS[2], "192.0.2.77", 1000, 53)
    return MovedConnections(at or round(time.time(), 3), (asked, replace(asked, protocol=6)))


class Arrival(Story):
    """A port has come here from elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, state(), state())

    async def told(self, *lists: MovedConnections | None) -> tuple[int, dict[str, float]]:
        """How many packets were made for these, one after the other, and what the server was told."""
        self.world = await self.begin()
        for each in lists:
            await self.sees(arriving(each))
        return len(self.world.switches[INT.role].packets), self.world.taken_up

    async def sees(self, situation: Situation, *, new: bool = False) -> None:
        await self.world.run(situation, new=new)
        running = asyncio.create_task(self.world.agent.arrivals.run())
        for _ in range(YIELDS):
            await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


YIELDS = 500  # nothing here waits for longer
ONCE, ATTEMPT = 1, 4  # packets: a UDP one, and segments for a TCP one that is not tracked


async def test_a_list_is_taken_up_once(tmp_path: Path) -> None:
    first = told()
    assert await Arrival(tmp_path).told(first) == (ONCE + 3 * ATTEMPT, {AWAY.id: first.at})
    assert await Arrival(tmp_path).told(None) == (0, {})
    assert await Arrival(tmp_path).told(first, first, None) == (ONCE + 3 * ATTEMPT, {AWAY.id: first.at})
    newer = replace(first, at=first.at + 1)
    assert await Arrival(tmp_path).told(first, newer) == (2 * (ONCE + 3 * ATTEMPT), {AWAY.id: newer.at})


async def test_one_that_is_old_comes_to_nothing(tmp_path: Path) -> None:
    old = told(at=round(time.time() - FRESH_SECONDS - 1, 3))
    assert await Arrival(tmp_path).told(old) == (0, {AWAY.id: old.at})


async def test_the_next_agent_begins_again(tmp_path: Path) -> None:
    story = Arrival(tmp_path)
    await story.told(first := told())
    story.world.taken_up.clear()
    await story.sees(arriving(first), new=True)
    assert story.world.taken_up == {AWAY.id: first.at}


async def test_a_lost_report_is_sent_again(tmp_path: Path) -> None:
    story = Arrival(tmp_path)
    before, _ = await story.told(first := told())
    story.world.taken_up.clear()
    again = arriving(first)
    await story.sees(Situation([one for one in again.objects if not _is(one, AWAY)], again.plugged))
    await story.sees(again)
    assert story.world.taken_up == {AWAY.id: first.at}
    assert before


def _is(one: object, port: Port) -> bool:
    return isinstance(one, Port) and one.id == port.id


@pytest.mark.parametrize("elsewhere", [lambda port: replace(port, active=False), lambda port: peer(port)])
async def test_who_has_moved_on_takes_up_nothing(elsewhere: Callable[[Port], object], tmp_path: Path) -> None:
    story = Arrival(tmp_path)
    there = elsewhere(replace(AWAY, moved=told()))
    gone = () if isinstance(there, Port) else (AWAY,)
    story.world = await story.begin()
    await story.sees(state(there, without=(peer(AWAY),) if not gone else ()))  # type: ignore[arg-type]
    assert story.world.taken_up == {}
    assert not story.world.switches[INT.role].packets
