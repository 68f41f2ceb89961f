"""Next hops of which a route has several: asked all the time, left out while they do not answer."""

from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace
from tests.unit.agent.l3.test_resolver import OTHER, OWN, THEIRS, Stage, region, stage
from tests.unit.services.l3.gateways.test_flows import OUTSIDE, R

from netweft.agent.l3.next_hop_watch import MOST_UNANSWERED
from netweft.model import HostRoute
from netweft.services.addresses import prefix
from netweft.testing.region import Region

__all__ = ["region", "stage"]

FIRST, SECOND = "203.0.113.33", "203.0.113.34"
MACS = {FIRST: THEIRS, SECOND: OTHER}


def routes(*hops: str) -> tuple[HostRoute, ...]:
    return tuple(HostRoute("192.0.2.0/24", hop) for hop in hops)


@pytest.fixture
def watching(stage: Stage, region: Region) -> Stage:
    region.create(replace(R, routes=routes(FIRST, SECOND)))
    region.settle()
    return stage


def silent(stage: Stage) -> set[str]:
    rendering = stage.node._rendering
    assert rendering is not None
    found = rendering._memo.get(("silent", OUTSIDE.id)) or ()
    return {address for address in (FIRST, SECOND) if prefix(address) in found}


def asked(stage: Stage) -> set[str]:
    return {str(IPv4Address(frame[38:42])) for frame in stage.questions()}


def lives(stage: Stage, *who: str, seconds: float) -> None:
    for _ in range(int(seconds * 4)):
        stage.passes(0.25)
        for address in who:
            stage.says(address, MACS[address])


async def test_who_answers_is_used(watching: Stage) -> None:
    lives(watching, FIRST, SECOND, seconds=5)
    assert not silent(watching)
    assert asked(watching) == {FIRST, SECOND}
    assert watching.node.learned == {FIRST: THEIRS.hex(":"), SECOND: OTHER.hex(":")}, "before a packet needs it"


async def test_one_that_does_not_is_left_out_until_it_does(watching: Stage) -> None:
    lives(watching, FIRST, SECOND, seconds=2)
    lives(watching, FIRST, seconds=2 + MOST_UNANSWERED / 4)
    assert silent(watching) == {SECOND}
    lives(watching, FIRST, SECOND, seconds=1.25)
    assert not silent(watching)


async def test_none_is_silent_before_its_first_probe(watching: Stage) -> None:
    watching.passes(0.75)
    assert not silent(watching)
    watching.passes(1)
    assert silent(watching) == {FIRST, SECOND}


async def test_the_only_next_hop_is_not_watched(watching: Stage, region: Region) -> None:
    watching.passes(2)
    region.create(replace(R, routes=routes(FIRST)))
    region.settle()
    watching.passes(0.25)
    assert not silent(watching)
    asked(watching)
    watching.passes(3)
    assert not asked(watching)


async def test_an_answer_to_somebody_else_is_no_answer(watching: Stage) -> None:
    for _ in range(16):
        watching.passes(0.25)
        watching.says(FIRST, THEIRS, to=OTHER)
    assert FIRST in silent(watching)
    watching.says(FIRST, THEIRS, to=OWN)
    assert FIRST not in silent(watching)
