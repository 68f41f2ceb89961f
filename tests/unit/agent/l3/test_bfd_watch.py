"""A session's state in Open vSwitch's database: when a next hop counts as down."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.unit.agent.l3.failover_world import in_own_time

from netweft.agent.desired import Desired
from netweft.agent.l3.bfd_watch import SETTLING, BfdWatch
from netweft.services.addresses import prefix
from netweft.services.l3.values import BfdSession

SESSION = BfdSession(prefix("203.0.113.1"), "203.0.113.5", "br-int", "hop-1", "hop-1p")


@dataclass
class World(Desired):
    """The desired state with one gateway, and Open vSwitch's database."""

    status: dict[str, str] | None = None
    number: int | None = None
    wanted: bool = True
    seen: list[tuple[int | None, bool]] = field(default_factory=list)

    @property
    def routers(self) -> int:
        return int(self.wanted)

    @property
    def vips_version(self) -> int:
        return 0

    def bfd_sessions(self) -> list[BfdSession]:
        return [SESSION] if self.wanted else []

    def see_session(self, session: BfdSession, ofport: int | None, *, down: bool) -> None:
        self.seen.append((ofport, down))

    def bfd_status(self, _: str) -> dict[str, str] | None:
        return self.status

    def ofport(self, _: str) -> int | None:
        return self.number


def told(story: Callable[[World, BfdWatch], object], *more: Callable[[World, BfdWatch], object]) -> list[bool]:
    """Whether it is down after each of these, with SETTLING between them."""
    world, turns = World(), 0

    async def run() -> None:
        nonlocal turns
        watch = BfdWatch(world, lambda: watch.observe(world))
        for one in (story, *more):
            one(world, watch)
            watch.observe(world)
            turns += 1
            found.append(world.seen[-1][1])
            await asyncio.sleep(SETTLING + 0.1)

    found: list[bool] = []
    in_own_time(run())
    return [*found, world.seen[-1][1]]


def up(world: World, _: BfdWatch) -> None:
    world.status, world.number = {"state": "up", "flap_count": "1"}, 7


def down(world: World, _: BfdWatch) -> None:
    world.status = {"state": "down", "flap_count": "2"}


def never(world: World, _: BfdWatch) -> None:
    world.status = {"state": "down", "flap_count": "0"}


def test_who_has_never_answered_is_waited_for() -> None:
    assert told(never) == [False, True]


def test_who_was_up_is_down_at_once_and_up_again() -> None:
    assert told(up, down, up) == [False, True, False, False]


def test_an_agent_that_is_new_knows_it() -> None:
    assert told(down)[0] is True


def test_what_is_not_wanted_any_more_is_forgotten() -> None:
    world = World()
    up(world, BfdWatch(world, lambda: None))

    async def run() -> None:
        watch = BfdWatch(world, lambda: None)
        watch.observe(world)
        world.wanted = False
        watch.observe(world)
        assert world.seen == [(7, False), (None, False)]

    in_own_time(run())
