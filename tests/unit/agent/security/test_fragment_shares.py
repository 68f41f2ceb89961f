"""Who fills conntrack with fragments sends none for a while, and nobody else's are kept from it."""

from pathlib import Path

import pytest

from netweft.agent.desired import Desired
from netweft.agent.security import fragment_shares
from netweft.agent.security.fragment_shares import PAUSE, SILENT_AT_MOST, SILENT_FOR, FragmentShares, largest
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.services.security.ends import Ends
from netweft.services.values import Asked, LocalNetwork, LocalPort
from netweft.testing.region import network, port

NET = network(1)
ROUTERS_ZONE = 4100


def local(number: int) -> LocalPort:
    there = LocalNetwork(network=NET, vlan=1, segment=NET.segments[0])
    one = port(number, NET, f"10.0.0.{number}", f"fd00::{number}")
    return LocalPort(port=one, network=there, port_name=f"tap{number}", ofport=number)


ONE, OTHER = local(1), local(2)


class Stage(Desired):
    """kept: fragments, by zone and who has sent them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.kept: dict[tuple[int, str], int] = {}
        self.asked: list[str] = []
        self.told: list[tuple[str, bool]] = []
        self.shares = FragmentShares(Path(), self, lambda: None)
        monkeypatch.setattr(fragment_shares, "command", self.command)

    async def command(self, _: Path, verb: str, *words: str) -> str:
        self.asked.append(words[0])
        status = f"\tmax num frags (v4/v6): 5000\n\tnum frag: {sum(self.kept.values())}\n"
        if words[0] != "-m":
            return status
        lists = (
            f"(src={src},dst=10.0.0.9,recirc_id=7,ip_id=1,dl_type=0x800,zone={zone},nw_proto=17,num_fragments={many},"
            "state=first frag)\n"
            for (zone, src), many in self.kept.items()
        )
        return f"{status}\n        Fragment Lists:\n\n{''.join(lists)}"

    def ends(self, vlan: int) -> Ends:
        return Ends([ONE, OTHER] if vlan == 1 else [])

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        assert asked is Asked.WHOLE
        self.told.append((port_id, again))

    def taken(self) -> list[tuple[str, bool]]:
        found, self.told = self.told, []
        return found


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


async def test_while_there_is_room_no_one_counts_them(stage: Stage) -> None:
    stage.kept = {(1, "10.0.0.1"): 2400}
    await stage.shares.look(0.0)
    assert (stage.told, stage.asked) == ([], ["netdev@ovs-netdev"])


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
async def test_who_has_most_is_silent_and_longer_each_time(stage: Stage, address: str) -> None:
    stage.kept = {(1, address): 2300, (1, "10.0.0.2"): 300, (ROUTERS_ZONE, "10.0.0.2"): 400}
    now, lengths = 0.0, []
    for _ in range(6):
        await stage.shares.look(now)
        assert stage.taken() == [(ONE.port.id, False)]
        since = now
        while not stage.told:
            now += 1.0
            stage.kept[1, address] = 0
            await stage.shares.look(now)
        assert stage.taken() == [(ONE.port.id, True)]
        lengths.append(now - since)
        stage.kept[1, address] = 2300
    assert lengths == [SILENT_FOR, 80, 160, 320, SILENT_AT_MOST, SILENT_AT_MOST]
    now += PAUSE
    stage.kept[1, address] = 0
    await stage.shares.look(now)
    stage.kept[1, address] = 2300
    await stage.shares.look(now)
    await stage.shares.look(now + SILENT_FOR)
    assert stage.taken() == [(ONE.port.id, False), (ONE.port.id, True), (ONE.port.id, False)], "as at first"


async def test_what_a_silent_one_has_left_there_is_nobody_elses_fault(stage: Stage) -> None:
    stage.kept = {(1, "10.0.0.1"): 4500, (1, "10.0.0.2"): 500}
    await stage.shares.look(0.0)
    await stage.shares.look(1.0)
    assert stage.taken() == [(ONE.port.id, False)]


async def test_what_strangers_fill_silences_nobody(stage: Stage) -> None:
    stage.kept = {(1, "10.0.0.77"): 4000, (ROUTERS_ZONE, "10.0.0.1"): 800, (1, "10.0.0.2"): 200}
    await stage.shares.look(0.0)
    assert stage.told == []


async def test_another_datapath_is_read_and_no_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> str:
        raise CommandFailed("no")

    monkeypatch.setattr(fragment_shares, "command", refused)
    await stage.shares.look(0.0)
    assert stage.told == []


def test_the_largest_first_until_the_others_leave_half() -> None:
    whose = {"a": 900, "b": 1500, "c": 260, "d": 900}
    assert largest(whose, 5000, 2500) == ["b", "a", "d"]
    assert largest(whose, 5000, 2500, ["b"]) == ["a", "d"]
    assert largest(whose, 3560, 2500) == ["b"]
    assert largest({"a": 250}, 5000, 2500) == [], "who has a tenth of it does no harm"
