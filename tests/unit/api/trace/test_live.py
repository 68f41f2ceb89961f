"""What became of packets that were caught, and that what was begun on nodes is ended whatever happens."""

import asyncio
from collections.abc import Iterator

import pytest

from netweft.api.resources.trace.live import waiting
from netweft.api.resources.trace.live.arguments import Live
from netweft.api.resources.trace.live.fate import GATHER, SETTLE, Sighting, fates
from netweft.api.resources.trace.live.plan import Plan
from netweft.api.resources.trace.live.waiting import TooManyLiveTraces, Waiting
from netweft.feed.queries import Silence
from netweft.wire.captures import Caught, Frame, Match
from netweft.wire.queries import Answer, Ask

ANY = Match(src="10.0.0.1", dst="10.0.0.2", protocol=17)
PLAN = Plan("from", "to", False, (ANY,), ANY, (), ("hv1", "hv2"))
OUTSIDE = PLAN._replace(goal="", outside=True, last=Match(src="203.0.113.9", protocol=17))


def frame(port: str = "", *, out: bool = False, print: str = "a", **more: object) -> Frame:
    return Frame(interface=f"tap{port}" if port else "eth0", port_id=port, out=out, protocol=17, print=print, **more)  # type: ignore[arg-type]


def at(host: str, one: Frame, heard: float = 0.0) -> Sighting:
    return Sighting(host, one, heard)


SENT, GIVEN = at("hv1", frame("from")), at("hv2", frame("to", out=True))


def judged(seen: list[Sighting], now: float = SETTLE, *, plan: Plan = PLAN, blind: float = -9.0) -> list[bool | None]:
    return [fate.arrived for fate in fates(plan, seen, now, most=9, blind=blind)]


def test_what_became_of_it() -> None:
    assert judged([SENT, GIVEN], GATHER) == [True]
    assert judged([SENT], SETTLE / 2) == [], "it may come yet"
    assert judged([SENT, at("hv2", frame())]) == [False]
    assert judged([SENT, at("hv2", frame("to", out=True, print="b"))]) == [False], "another packet"
    assert judged([SENT, at("hv2", frame("to"))]) == [False], "that the VM itself has sent"
    assert judged([SENT], blind=0.0) == [None], "not all was looked at"
    assert judged([SENT, SENT, GIVEN]) == [True], "each packet once"


def test_outside_it_leaves_by_a_wire() -> None:
    wire = frame(out=True, src="203.0.113.9")
    assert judged([SENT, at("hv2", wire)], plan=OUTSIDE) == [True]
    assert judged([SENT, at("hv2", frame(out=True, src="203.0.113.9", tunnel="vxlan"))], plan=OUTSIDE) == [False]
    assert judged([SENT, at("hv2", frame(out=True, src="10.0.0.1"))], plan=OUTSIDE) == [False], "not translated"


def test_where_the_sender_is_not_the_callers_it_starts_where_it_comes_in() -> None:
    plan = PLAN._replace(start="")
    assert judged([at("hv2", frame())], plan=plan) == [False]
    assert judged([at("hv2", frame()), GIVEN], plan=plan) == [True]
    assert judged([GIVEN], plan=plan) == [True]
    assert judged([at("hv1", frame(out=True))], plan=plan) == [], "what leaves elsewhere is not it"


def test_segments_are_joined_and_split_on_the_way() -> None:
    def tcp(port: str, number: int, payload: int, *, out: bool) -> Frame:
        return Frame(interface=port, port_id=port, out=out, protocol=6, number=number % 2**32, payload=payload)

    for begin in (1000, 2**32 - 10):
        whole = at("hv1", tcp("from", begin, 3000, out=False))
        assert judged([whole, at("hv2", tcp("to", begin, 1448, out=True))]) == [True]
        assert judged([whole, at("hv2", tcp("to", begin - 1448, 2896, out=True))]) == [True]
        assert judged([whole, at("hv2", tcp("to", begin + 3000, 100, out=True))]) == [False]


# -- waiting


class Nodes:
    """Those that watch, by host; what they are to tell is put into `frames`."""

    def __init__(self) -> None:
        self.watching: dict[str, set[str]] = {}
        self.frames: dict[str, list[Frame]] = {}
        self.ports = {"hv1": ("from",), "hv2": ("to",)}
        self.silent = ""
        self.asked: dict[str, int] = {}
        self.begin = 2  # questions: the first opens, the second tells what came before all were open

    async def ask(self, node: str, question: Ask) -> Answer | Silence:
        await asyncio.sleep(0)
        watch = question.watch
        assert watch is not None
        if node == self.silent:
            return Silence("its agent is not connected, or is too old to be asked")
        here = self.watching.setdefault(node, set())
        self.asked[node] = self.asked.get(node, 0) + 1
        if watch.over:
            here.discard(watch.id)
            return Answer(id="")
        here.add(watch.id)
        frames = tuple(self.frames.pop(node, ())) if self.asked[node] > self.begin else ()
        return Answer(id="", caught=Caught(frames=frames, ports=self.ports.get(node, ()), interfaces=("eth0",)))

    @property
    def left(self) -> int:
        return sum(map(len, self.watching.values()))


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(waiting, "TICK", 0.001)
    monkeypatch.setattr(waiting, "MOVED", 0.002)
    yield


async def same() -> Plan | None:
    return PLAN


async def stays() -> bool:
    return False


async def test_a_packet_ends_it(nodes: Nodes) -> None:
    nodes.frames = {"hv1": [SENT.frame], "hv2": [GIVEN.frame]}
    found = await Waiting(nodes).catch("p", Live(), PLAN, same, stays)
    assert [fate.arrived for fate in found.fates] == [True]
    assert nodes.left == 0


async def test_what_one_node_caught_before_the_other_watched_is_not_called_lost(nodes: Nodes) -> None:
    """The next one is told of."""
    nodes.begin, nodes.frames = 1, {"hv1": [SENT.frame]}
    task = asyncio.create_task(Waiting(nodes).catch("p", Live(), PLAN, same, stays))
    while nodes.frames:
        await asyncio.sleep(0)
    nodes.frames = {"hv1": [frame("from", print="b")], "hv2": [frame("to", out=True, print="b")]}
    found = await task
    assert [(fate.sent.frame.print, fate.arrived) for fate in found.fates] == [("b", True)]


async def test_the_time_ends_it(nodes: Nodes) -> None:
    found = await Waiting(nodes).catch("p", Live(seconds=0.05), PLAN, same, stays)
    assert (found.fates, nodes.left) == ([], 0)


async def test_what_came_just_before_the_end_is_shown(nodes: Nodes) -> None:
    nodes.frames = {"hv1": [SENT.frame]}
    found = await Waiting(nodes).catch("p", Live(seconds=0.05), PLAN, same, stays)
    assert [fate.arrived for fate in found.fates] == [False]


async def test_whoever_waits_no_more_ends_it(nodes: Nodes) -> None:
    async def gone() -> bool:
        return nodes.left == 2

    await Waiting(nodes).catch("p", Live(), PLAN, same, gone)
    assert nodes.left == 0
    task = asyncio.create_task(Waiting(nodes).catch("p", Live(), PLAN, same, stays))
    while nodes.left < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while nodes.left:
        await asyncio.sleep(0)


async def test_a_hundred_at_once(nodes: Nodes) -> None:
    waits = Waiting(nodes)
    projects = [f"p{number // 4}" for number in range(100)]
    all_of_them = (waits.catch(project, Live(seconds=0.2), PLAN, same, stays) for project in projects)
    found = await asyncio.gather(*all_of_them, return_exceptions=True)
    refused = [one for one in found if isinstance(one, TooManyLiveTraces)]
    assert len(refused) == 100 - waiting.MOST
    assert nodes.left == 0
    of_one = await asyncio.gather(
        *(waits.catch("p", Live(seconds=0.05), PLAN, same, stays) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, TooManyLiveTraces) for one in of_one) == 5 - waiting.MOST_OF_ONE


async def test_a_port_moves_while_one_waits(nodes: Nodes) -> None:
    """The node that it is on by then watches too, and what it was on is told that it is over."""
    moved = PLAN._replace(hosts=("hv1", "hv3"))

    async def elsewhere() -> Plan | None:
        if "hv3" not in nodes.ports:
            nodes.ports = {"hv1": ("from",), "hv3": ("to",)}
            nodes.frames, nodes.asked = {"hv1": [SENT.frame], "hv3": [GIVEN.frame]}, {}
        return moved

    found = await Waiting(nodes).catch("p", Live(), PLAN, elsewhere, stays)
    assert [[one.host for one in fate.seen] for fate in found.fates] == [["hv1", "hv3"]]
    assert nodes.left == 0


async def test_what_is_not_seen_is_not_called_lost(nodes: Nodes) -> None:
    nodes.silent, nodes.frames = "hv2", {"hv1": [SENT.frame]}
    found = await Waiting(nodes).catch("p", Live(), PLAN, same, stays)
    assert [fate.arrived for fate in found.fates] == [None]
    assert list(found.unseen) == ["hv2"]


async def test_those_that_arrive_are_not_what_one_waits_for(nodes: Nodes) -> None:
    nodes.frames = {"hv1": [SENT.frame, frame("from", print="b")], "hv2": [GIVEN.frame]}
    found = await Waiting(nodes).catch("p", Live(dropped=True), PLAN, same, stays)
    assert [(fate.sent.frame.print, fate.arrived) for fate in found.fates] == [("b", False)]
    assert found.passed == 1
