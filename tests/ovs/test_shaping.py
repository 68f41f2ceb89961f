"""Guarantees on interfaces of a network namespace of our own (root): made once, changed, repaired, taken away."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.ovs.sandbox import own_network
from tests.waiting import until

from netweft.agent.host.shaping import ShapingSide
from netweft.dataplane.host import shaping
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.shaped import our_shaped_interfaces
from netweft.dataplane.host.values import Guarantee, ShapedNic

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

A, B = (Guarantee("up0", 0xFA163E000000 + number, 6, 1000 * number) for number in (1, 2))


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    with own_network():
        make_nic()
        yield


def make_nic() -> None:
    ip("link", "add", "up0", "type", "veth", "peer", "name", "far0")
    ip("link", "set", "up0", "up")


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)


def tc(*words: str) -> str:
    return subprocess.run(("tc", *words), check=True, capture_output=True, text=True).stdout


def nic(*guarantees: Guarantee, kbps: int = 10000, short_queues: bool = True) -> ShapedNic:
    return ShapedNic(interface="up0", kbps=kbps, guarantees=guarantees, short_queues=short_queues)


def classes() -> dict[str, str]:
    """Class -> rate."""
    lines = [line.split() for line in tc("class", "show", "dev", "up0").splitlines()]
    return {words[2]: words[words.index("rate") + 1] for words in lines}


def test_guarantees_are_made_once_and_changed_in_place() -> None:
    assert shaping.ensure(nic(A))
    assert not shaping.ensure(nic(A))
    assert our_shaped_interfaces() == {"up0"}
    assert classes() == {"4e57:1": "10Mbit", "4e57:2": "9Mbit", "4e57:3": "1Mbit"}
    assert shaping.ensure(nic(A, B))
    assert classes() == {"4e57:1": "10Mbit", "4e57:2": "7Mbit", "4e57:3": "1Mbit", "4e57:4": "2Mbit"}
    assert shaping.ensure(nic(B, kbps=5000))
    assert classes() == {"4e57:1": "5Mbit", "4e57:2": "3Mbit", "4e57:4": "2Mbit"}, "who has a class keeps it"
    assert not shaping.ensure(nic(B, kbps=5000))
    assert shaping.ensure(nic())
    assert classes() == {"4e57:1": "10Mbit", "4e57:2": "10Mbit"}
    assert shaping.ensure(nic(kbps=0))
    assert not shaping.ensure(nic(kbps=0))
    assert "4e57" not in tc("qdisc", "show", "dev", "up0")


def test_all_queues_together_are_short_where_senders_share_a_buffer() -> None:
    for guarantees, limit in (((), 64), ((A,), 32), ((A, B), 21)):
        shaping.ensure(nic(*guarantees))
        words = tc("qdisc", "show", "dev", "up0").split()
        assert {words[at + 1] for at, word in enumerate(words) if word == "limit"} == {f"{limit}p"}
    shaping.ensure(nic(A, short_queues=False))
    assert tc("qdisc", "show", "dev", "up0").count("limit 1000p") == 2


def test_more_promised_than_there_is() -> None:
    huge = Guarantee("up0", 1, 56, 20000)
    assert shaping.ensure(nic(huge, A))
    assert sorted(classes().values()) == ["10Mbit", "10Mbit", "1Mbit", "8Kbit"]
    assert not shaping.ensure(nic(huge, A))


def test_what_is_somebody_elses_stays() -> None:
    tc("qdisc", "add", "dev", "up0", "root", "handle", "1:", "htb")
    with pytest.raises(HostError, match="up0: its queueing discipline htb is not ours to replace"):
        shaping.ensure(nic(A))
    assert not shaping.ensure(nic(kbps=0))
    assert "htb 1:" in tc("qdisc", "show", "dev", "up0")
    with pytest.raises(HostError, match="nope: there is no such interface"):
        shaping.ensure(ShapedNic(interface="nope", kbps=1, guarantees=(A,)))


# -- the agent's side


@pytest.fixture
async def side() -> AsyncIterator[ShapingSide]:
    made = ShapingSide({"up0": 10000}, lambda: None)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def shaped() -> bool:
    return "pref 1 bpf chain 0 handle 0x1" in tc("filter", "show", "dev", "up0")


async def test_it_is_kept_whatever_happens_to_the_interface(side: ShapingSide) -> None:
    side.want([A], sweep=True, short_queues=True)
    await until(lambda: shaped() and not side.plan())
    tc("qdisc", "del", "dev", "up0", "root")
    await until(lambda: shaped() and not side.plan())
    ip("link", "del", "up0")
    await until(lambda: side.problems == {"up0": "up0: there is no such interface"})
    make_nic()
    await until(lambda: shaped() and not side.problems)
    side.want([], sweep=True, short_queues=True)
    await until(lambda: len(classes()) == 2 and not side.plan())


async def test_what_the_settings_name_no_more_goes_once_the_view_is_complete(side: ShapingSide) -> None:
    side._bandwidths = {}
    await asyncio.to_thread(shaping.ensure, nic(A))
    side.want([], sweep=False, short_queues=True)
    assert not side.plan()
    side.want([], sweep=True, short_queues=True)
    assert [str(step) for step in side.plan()] == ["- shaping up0"]
    await until(lambda: not our_shaped_interfaces())


async def test_too_much_promised_is_a_problem_and_the_rest_is_kept(side: ShapingSide) -> None:
    side.want([Guarantee("up0", 1, 6, 10001)], sweep=True, short_queues=True)
    await until(lambda: side.problems == {"up0": "10001 kbit/s are promised on up0, which has 10000"} and shaped())
