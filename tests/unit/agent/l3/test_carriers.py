"""What is outside leaves a node whose way there has no carrier, and comes back once that stays, and is told."""

import asyncio

from netweft.agent.l3.carriers import STEADY, Carriers

from .failover_world import in_own_time

MAPPINGS = {"public": "br-ex", "physnet1": "br-eth1"}


class Nics:
    def __init__(self) -> None:
        self.down: set[str] = set()
        self.woken, self.connected = 0, True
        self.carriers = Carriers(self.again)

    def has_carrier(self, bridge: str) -> bool:
        return bridge not in self.down

    def again(self) -> None:
        self.woken += 1
        self.look()

    def look(self) -> tuple[frozenset[str], frozenset[str]]:
        self.carriers.observe(self, MAPPINGS, connected=self.connected)
        return self.carriers.cut, self.carriers.apart


def test_gone_at_once_and_back_when_it_stays() -> None:
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
        assert (nics.woken, nics.look()) == (1, (none, none))

    in_own_time(work())


def test_without_a_server_floating_ips_stay_where_they_are() -> None:
    async def work() -> None:
        nics, public, none = Nics(), frozenset({"public"}), frozenset[str]()
        for nics.down in ({"br-ex"}, set()):
            nics.look()
        nics.connected = False
        await asyncio.sleep(60)
        assert nics.look() == (none, public)
        nics.connected = True
        assert nics.look() == (none, none)

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


def test_a_network_that_is_not_mapped_any_more_is_forgotten() -> None:
    async def work() -> None:
        nics = Nics()
        nics.down = {"br-ex"}
        nics.look()
        nics.carriers.observe(nics, {}, connected=True)
        assert (nics.carriers.cut, nics.carriers.apart) == (frozenset(), frozenset())

    in_own_time(work())
