"""Packets that flows hand up go to who answers their kind; one port that asks without end costs the others nothing."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from netweft.agent import packet_ins
from netweft.agent.desired import Desired
from netweft.agent.packet_ins import PacketIns
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import IN_PORT, Reason, cookie, owner
from netweft.services.l2.announce import Packet
from netweft.services.values import Asked, LocalNetwork, LocalPort
from netweft.testing.region import network, port

NET = network(1)
ONE, TWO = port(5, NET), port(6, NET)
HERE = {
    number: LocalPort(
        port=one,
        network=LocalNetwork(network=NET, vlan=1, segment=NET.segments[0]),
        port_name=f"tap{number}",
        ofport=number,
    )
    for number, one in ((17, ONE), (18, TWO))
}


class Ports(Desired):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Asked, bool]] = []

    def port_at(self, number: int) -> LocalPort | None:
        return HERE.get(number)

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        self.told.append((port_id, asked, again))


class Says:
    def __init__(self, asked: Asked, *reasons: Reason) -> None:
        self.asked, self.reasons = asked, frozenset(reasons)

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        if packet.frame:
            raise ValueError(packet.frame)
        return (to_port(here.ofport, self.asked.encode()),) if here else ()


def asks(reason: Reason, number: int = 17) -> PacketIn:
    return PacketIn(cookie(reason), {IN_PORT: number}, b"")


@pytest.fixture
def desired() -> Ports:
    return Ports()


@pytest.fixture
def sent() -> list[Packet]:
    return []


@pytest.fixture
def side(desired: Ports, sent: list[Packet]) -> PacketIns:
    dhcp, error = Says(Asked.DHCP, Reason.NETWORK_DHCP, Reason.PORT_DHCP), Says(Asked.ERROR, Reason.ROUTER_HAND_UP)
    return PacketIns(desired, lambda: (dhcp, error), sent.append, lambda: None)


async def test_each_to_who_answers_its_kind(side: PacketIns) -> None:
    for reason, said in ((Reason.PORT_DHCP, Asked.DHCP), (Reason.ROUTER_HAND_UP, Asked.ERROR)):
        (answer,) = side.answer(asks(reason))
        assert answer.frame == said.encode()


async def test_one_that_cannot_be_answered_costs_the_others_nothing(side: PacketIns, sent: list[Packet]) -> None:
    side.take(PacketIn(cookie(Reason.PORT_DHCP), {IN_PORT: 17}, b"odd"))
    assert sent == []
    side.take(asks(Reason.PORT_DHCP))
    assert [packet.frame for packet in sent] == [Asked.DHCP.encode()]


@pytest.mark.parametrize(
    "packet",
    [asks(Reason.PORT_SECURITY), asks(Reason.PORT_DHCP, 99), PacketIn(0, {IN_PORT: 17}, b""), PacketIn(0, {}, b"")],
)
async def test_what_nobody_answers(side: PacketIns, packet: PacketIn) -> None:
    assert list(side.answer(packet)) == []


async def test_a_port_that_floods_is_ignored_for_a_while(
    side: PacketIns, desired: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, now, later = asyncio.get_running_loop(), [100.0], list[Callable[[], None]]()
    monkeypatch.setattr(loop, "time", lambda: now[0])
    monkeypatch.setattr(loop, "call_later", lambda delay, call, *arguments: later.append(partial(call, *arguments)))
    said = [bool(side.answer(asks(Reason.PORT_DHCP))) for _ in range(packet_ins.MANY + 5)]
    assert said == [True] * packet_ins.MANY + [False] * 5
    assert side.answer(asks(Reason.PORT_DHCP, 18)), "others are heard"
    assert side.answer(asks(Reason.ROUTER_HAND_UP)), "and so is what else it asks for"
    assert desired.told == [(ONE.id, Asked.DHCP, False)]
    (again,) = later
    again()
    assert desired.told == [(ONE.id, Asked.DHCP, False), (ONE.id, Asked.DHCP, True)]
    now[0] += packet_ins.PERIOD + 1
    assert side.answer(asks(Reason.PORT_DHCP))


async def test_from_outside_one_routers_flood_is_not_anothers(side: PacketIns, desired: Ports) -> None:
    """Counted by the object that the flow is of."""
    heard: list[str] = []

    class Hears(Says):
        def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
            whose = owner(packet.cookie)
            heard.append(whose.object if whose else "")
            return ()

    side = PacketIns(desired, lambda: (Hears(Asked.NEXT_HOP, Reason.ROUTER_RESOLVE),), lambda _: None, lambda: None)
    one, other = (PacketIn(cookie(Reason.ROUTER_RESOLVE, id), {}, b"") for id in ("a" * 10, "b" * 10))
    for _ in range(packet_ins.MANY_FROM_OUTSIDE + 50):
        side.answer(one)
    assert len(heard) == packet_ins.MANY_FROM_OUTSIDE
    side.answer(other)
    assert heard[-1] == "b" * 10
    assert desired.told == []


async def test_it_knows_when_it_does_not_hear_everybody_outside(
    side: PacketIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    outside = PacketIn(cookie(Reason.ROUTER_HAND_UP, "a" * 10), {}, b"")
    for _ in range(packet_ins.MANY_FROM_OUTSIDE):
        side.answer(outside)
        assert not side.is_deaf(Asked.ERROR, "a" * 10)
    side.answer(outside)
    assert side.is_deaf(Asked.ERROR, "a" * 10)
    assert not side.is_deaf(Asked.ERROR, "b" * 10)
    now[0] += packet_ins.PERIOD + 1
    assert not side.is_deaf(Asked.ERROR, "a" * 10)


async def test_what_came_of_packets_is_counted(side: PacketIns) -> None:
    side.take(PacketIn(cookie(Reason.PORT_DHCP), {IN_PORT: 17}, b"odd"))
    for _ in range(packet_ins.MANY + 4):
        side.take(asks(Reason.PORT_DHCP))
    side.take(asks(Reason.ROUTER_HAND_UP))
    side.take(asks(Reason.PORT_SECURITY))
    assert side.handed_up == {Asked.DHCP: packet_ins.MANY + 5, Asked.ERROR: 1}
    assert side.said == {Asked.DHCP: packet_ins.MANY - 1, Asked.ERROR: 1}
    assert side.unheard == {(Asked.DHCP, packet_ins.TOO_MUCH): 5, (Asked.DHCP, packet_ins.FAILED): 1}
