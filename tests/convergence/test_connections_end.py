"""What is tracked does not outlive the port that it was allowed for, at whatever step the agent is killed; and nothing
ends of what is right still."""

from ipaddress import IPv4Address
from itertools import permutations
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.convergence.stepwise import Killed, Situation, SteppedWorld
from tests.convergence.test_killed_at_each_step import A1, A2, AWAY, B1, MORE_ADDRESSES, A, group, peer, state

from netweft.agent.security import endings
from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_UDP
from netweft.model import AddressPair, Port, key_of, view_of
from netweft.services.pipeline import INT
from netweft.testing.conntrack import Connection


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listings do not wait for each other here."""
    monkeypatch.setattr(endings, "RESTS", 0)


SHUT = group("g3")
NEXT = replace(A1, id="next", mac_address="fa:16:3e:00:00:99", security_groups=("g3",))  # whose group lets nothing in
OUTSIDE = "192.0.2.77"
ENDS = (A1.fixed_ips[0].ip_address, A2.fixed_ips[0].ip_address, AWAY.fixed_ips[0].ip_address, OUTSIDE)
Ways = set[tuple[str, str]]


def paired(port: Port, address: str) -> Port:
    return replace(port, allowed_address_pairs=(AddressPair(address, port.mac_address),))


def moved(port: Port, *addresses: str) -> Port:
    return replace(port, fixed_ips=tuple(replace(A1.fixed_ips[0], ip_address=address) for address in addresses))


ALL: Ways = {way for way in permutations(ENDS, 2) if set(way) != {ENDS[2], OUTSIDE}}  # one end is here
CHANGES: dict[str, tuple[Situation, Situation, str]] = {
    "the port is gone, and the next has its address": (
        state(SHUT), state(SHUT, NEXT, without=(A1,), plugged=(A2, NEXT)), ENDS[0]
    ),
    "the port is gone, the next is elsewhere": (state(), state(peer(NEXT), without=(A1,), plugged=(A2,)), ENDS[0]),
    "the port is bound nowhere": (state(), state(without=(A1,), plugged=(A2,)), ENDS[0]),
    "its address is another's": (
        state(SHUT, moved(NEXT), plugged=(A1, A2, NEXT)), state(SHUT, NEXT, moved(A1), plugged=(A1, A2, NEXT)), ENDS[0]
    ),
    "its pair is taken away": (state(paired(A1, OUTSIDE)), state(A1), OUTSIDE),
    "a range is taken away, in which others are": (state(paired(A1, "0.0.0.0/0")), state(A1), OUTSIDE),
    "the peer is gone": (state(), state(without=(peer(AWAY),)), ENDS[2]),
    "the peer's address is another's": (
        state(), state(peer(moved(AWAY)), peer(replace(AWAY, id="p", mac_address=NEXT.mac_address))), ENDS[2]
    ),
    "another address": (state(), state(MORE_ADDRESSES), ""),
    "the peer moves": (state(), state(peer(AWAY, "hv12")), ""),
    "the peer comes here": (state(), state(AWAY, without=(peer(AWAY),), plugged=(A1, A2, AWAY)), ""),
    "unplugged": (state(), state(plugged=(A2,)), ""),
    "a pair is taken away that another has, too": (state(paired(A1, ENDS[1])), state(A1), ""),
    "another group": (state(), state(SHUT, replace(A1, security_groups=("g3",))), ""),
}  # fmt: skip


def with_address(address: str) -> Ways:
    return {way for way in ALL if address in way}


class Story:
    def __init__(self, folder: Path, before: Situation, after: Situation) -> None:
        self.folder, self.before, self.after = folder, before, after

    async def begin(self) -> SteppedWorld:
        """Everybody is connected with everybody."""
        for file in self.folder.rglob("view*"):
            file.unlink()
        world = SteppedWorld(self.folder, "1:9")
        await world.run(self.before, new=True)
        zone, connections = world.desired.vlans[A.id], world.conntracks[INT.role].connections
        for src, dst in ALL:
            there, back = (PROTO_UDP, int(IPv4Address(src)), 1000), (PROTO_UDP, int(IPv4Address(dst)), 2000)
            connections[zone, ETH_IPV4, there, back] = Connection()
        world.steps = 0
        return world

    async def done(self) -> tuple[Ways, int]:
        """What is left, and after how many steps."""
        world = await self.begin()
        await world.run(self.after)
        assert not world.agent.endings.owed
        return tracked(world), world.steps

    async def killed(self, last: int, *, on_disk: bool) -> Ways:
        """At this step; the next agent has what this one kept, or what stood there before."""
        world = await self.begin()
        world.last_step = last
        with pytest.raises(Killed):
            await world.run(self.after)
        world.last_step = None
        older = None if on_disk else view_of("h", 1, self.before.objects)
        await world.run(self.after, older, new=True, load=on_disk)
        return tracked(world)


def tracked(world: SteppedWorld) -> Ways:
    keys = world.conntracks[INT.role].connections
    return {(str(IPv4Address(src)), str(IPv4Address(dst))) for _, _, (_, src, _), (_, dst, _) in keys}


@pytest.mark.parametrize("change", CHANGES)
async def test_connections_end_with_their_address(change: str, tmp_path: Path) -> None:
    before, after, lost = CHANGES[change]
    story = Story(tmp_path, before, after)
    left, steps = await story.done()
    assert left == ALL - with_address(lost)
    for last in range(steps):
        for on_disk in (True, False):
            assert await story.killed(last, on_disk=on_disk) == ALL - with_address(lost), f"killed at {last}"


async def test_of_a_port_that_moved_away_only_what_is_between_others_ends(tmp_path: Path) -> None:
    """Who is here has connections with it still."""
    story = Story(tmp_path, state(), state(peer(A1), without=(A1,), plugged=(A2,)))
    left, steps = await story.done()
    assert left == {way for way in ALL if ENDS[1] in way}
    for last in range(steps):
        assert await story.killed(last, on_disk=True) == left


async def test_many_end_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them the agent does what else there is to do; none is forgotten."""
    monkeypatch.setattr(endings, "AT_ONCE", 2)
    monkeypatch.setattr(endings, "SLICE_SECONDS", -1.0)
    go_on, slices = endings.Endings._go_on, list[bool]()

    async def counted(self: endings.Endings, work: endings._Work) -> bool:
        slices.append(await go_on(self, work))
        return slices[-1]

    monkeypatch.setattr(endings.Endings, "_go_on", counted)
    before, after, lost = CHANGES["the port is bound nowhere"]
    left, _ = await Story(tmp_path, before, after).done()
    assert left == ALL - with_address(lost)
    assert len(slices) > 2
    assert slices == [*[False] * (len(slices) - 1), True]


async def test_an_agent_that_knows_nothing_ends_what_nobody_here_has_a_part_in(tmp_path: Path) -> None:
    """A port was deleted while there was none, and what the one before knew is lost."""
    story = Story(tmp_path, state(), state(without=(A1,), plugged=(A2,)))
    world = await story.begin()
    await world.run(story.after, new=True)
    assert tracked(world) == {way for way in ALL if ENDS[1] in way}


async def test_an_address_is_its_networks(tmp_path: Path) -> None:
    """Of two networks with the same addresses."""
    story = Story(tmp_path, state(B1, plugged=(A1, A2, B1)), state(plugged=(A1, A2)))
    assert (await story.done())[0] == ALL
    assert key_of(B1) not in {key_of(obj) for obj in story.after.objects}
