"""Floating IPs leave a node whose way outside has no carrier, and come back once others have heard of it."""

import asyncio

from netweft.agent.l3.carriers import HEARD, STEADY, Carriers

from .failover_world import in_own_time

MAPPINGS = {"public": "br-ex", "physnet1": "br-eth1"}


class Nics:
    def __init__(self) -> None:
        self.down: set[str] = set()
        self.woken = 0
        self.carriers = Carriers(self.again)

    def has_carrier(self, bridge: str) -> bool:
        return bridge not in self.down

    def again(self) -> None:
        self.woken += 1
        self.look()

    def look(self) -> tuple[frozenset[str], frozenset[str]]:
        self.carriers.observe(self, MAPPINGS)
        return self.carriers.cut, self.carriers.told


def test_gone_at_once_and_back_after_others_have_heard() -> None:
    async def work() -> None:
        nics, public, none = Nics(), frozenset({"public"}), frozenset[str]()
        assert nics.look() == (none, none)
        nics.down = {"br-ex"}
        assert nics.look() == (public, public)
        await asyncio.sleep(60)
        assert nics.look() == (public, public)
        nics.down = set()
        assert nics.look() == (public, public), "not yet believed"
        await asyncio.sleep(STEADY + 0.1)
        assert (nics.woken, nics.look()) == (1, (public, none)), "the server is told"
        await asyncio.sleep(HEARD)
        assert (nics.woken, nics.look()) == (2, (none, none))

    in_own_time(work())


def test_one_that_flaps_is_not_believed() -> None:
    async def work() -> None:
        nics, public = Nics(), frozenset({"public"})
        for _ in range(20):
            for nics.down in ({"br-ex"}, set()):
                assert nics.look() == (public, public)
                await asyncio.sleep(STEADY / 2)
        nics.down = {"br-ex"}
        await asyncio.sleep(10)
        assert nics.look() == (public, public)

    in_own_time(work())


def test_one_that_goes_again_while_others_hear_of_it() -> None:
    async def work() -> None:
        nics, public = Nics(), frozenset({"public"})
        for nics.down in ({"br-ex"}, set()):
            nics.look()
        await asyncio.sleep(STEADY + HEARD / 2)
        assert nics.look() == (public, frozenset())
        nics.down = {"br-ex"}
        assert nics.look() == (public, public)
        await asyncio.sleep(10)
        assert nics.look() == (public, public)

    in_own_time(work())


def test_a_network_that_is_not_mapped_any_more_is_forgotten() -> None:
    async def work() -> None:
        nics = Nics()
        nics.down = {"br-ex"}
        nics.look()
        nics.carriers.observe(nics, {})
        assert (nics.carriers.cut, nics.carriers.told) == (frozenset(), frozenset())

    in_own_time(work())
