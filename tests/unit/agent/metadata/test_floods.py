"""Who opens connections to the node without end is not heard for a while, and leaves the others room."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.unit.agent.metadata.test_side import FREE, GUARDED, Ports, requester

from netweft.agent.metadata import floods
from netweft.agent.metadata.floods import FLUSH, Floods
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.dataplane.unixctl.conntrack import LISTING
from netweft.services.metadata import ends
from netweft.services.values import Asked

ZONE = f"zone={ends.ZONE}"
EITHER = (Asked.METADATA, Asked.DNS)


class Stage:
    """tracked: connections, by who has opened them."""

    def __init__(self, folder: Path) -> None:
        self.ports = Ports()
        self.side = Floods(folder, self.ports, lambda: None)
        self.side.ask = self.ask
        self.tracked: dict[str, int] = {}
        self.asked: list[tuple[str, ...]] = []
        self.fails = False

    async def ask(self, *words: str) -> str:
        self.asked.append(words)
        if self.fails:
            raise CommandFailed("gone")
        return "".join(
            f"tcp,orig=(src={src},dst=240.0.255.5,sport={port},dport=20055),reply=(src=240.0.255.5,dst={src},"
            f"sport=20055,dport={port}),{ZONE},protoinfo=(state=SYN_RECV)\n"
            for src, count in self.tracked.items()
            for port in range(count)
        )


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(floods, "IN_PLACE_SECONDS", 0.0)
    return Stage(tmp_path)


async def test_who_has_most_is_not_heard_and_the_zone_begins_anew(stage: Stage) -> None:
    stage.tracked = {requester(GUARDED): 90, requester(FREE): 5}
    await stage.side.end()
    assert stage.ports.told == [(GUARDED.port.id, asked, False) for asked in EITHER]
    assert stage.asked == [(LISTING, ZONE), (FLUSH, ZONE)]


async def test_whatever_networks_it_claims_to_be_from(stage: Stage) -> None:
    number = GUARDED.number & (1 << ends.NUMBER_BITS) - 1
    forged = (ends.ASKERS_6 | subnet << ends.SUBNET_AT | number for subnet in range(60))
    stage.tracked = {str(ip_address(one)): 1 for one in forged} | {requester(FREE): 5}
    await stage.side.end()
    assert {id for id, *_ in stage.ports.told} == {GUARDED.port.id}


async def test_he_is_heard_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floods, "DEAF_SECONDS", 0.0)
    stage.tracked = {requester(GUARDED): 90}
    await stage.side.end()
    async with asyncio.timeout(30):
        while len(stage.ports.told) < 4:
            await asyncio.sleep(0.001)
    assert stage.ports.told[2:] == [(GUARDED.port.id, asked, True) for asked in EITHER]


async def test_many_that_have_a_few_each_are_no_flood(stage: Stage) -> None:
    stage.tracked = {f"240.0.1.{number}": 3 for number in range(40)} | {requester(FREE): 4}
    await stage.side.end()
    assert stage.ports.told == []
    assert stage.asked == [(LISTING, ZONE)]


async def test_who_is_no_port_here_is_left_alone(stage: Stage) -> None:
    number = GUARDED.number & (1 << ends.NUMBER_BITS) - 1
    stage.tracked = {"240.0.9.9": 90, str(ip_address(10 << 24 | number & 0xFFFFFF)): 90}
    await stage.side.end()
    assert stage.ports.told == []


async def test_while_vswitchd_is_away_nothing_is_done(stage: Stage) -> None:
    stage.fails = True
    await stage.side.end()
    assert stage.ports.told == []
