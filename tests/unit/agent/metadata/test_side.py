"""Who asks is known by his address; whoever connects without end is not heard; a port takes its connections along."""

import asyncio
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any, cast

import pytest

from netweft.agent.desired import Desired
from netweft.agent.metadata.connection import Connection
from netweft.agent.metadata.guests import EACH, Guests
from netweft.agent.metadata.interface import InterfaceWatch
from netweft.agent.metadata.side import MANY, MetadataSide, Solicitations
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import icmp
from netweft.services.addresses import octets
from netweft.services.fields import Reason, cookie, logical_port
from netweft.services.metadata import ends
from netweft.services.values import Asked, LocalNetwork, LocalPort
from netweft.settings import AgentSettings
from netweft.testing.region import network, port
from netweft.wire.metadata import Said

NET = network(1)


def local(number: int, ofport: int, tag: int = 0, *, guarded: bool) -> LocalPort:
    one = port(number, NET, f"10.0.0.{number}", f"10.0.1.{number + 100}", port_security_enabled=guarded)
    there = LocalNetwork(network=NET, vlan=1, segment=NET.segments[0])
    return LocalPort(port=one, network=there, port_name=f"tap{ofport}", ofport=ofport, tag=tag)


GUARDED, FREE, SUB = local(5, 17, guarded=True), local(6, 18, guarded=False), local(7, 17, 100, guarded=True)


class Ports(Desired):
    def __init__(self) -> None:
        super().__init__()
        self.here = {one.number: one for one in (GUARDED, FREE, SUB)}
        self.told: list[tuple[str, Asked, bool]] = []

    def port_at(self, number: int) -> LocalPort | None:
        return self.here.get(number)

    def port_id_at(self, number: int) -> str | None:
        return self.here[number].port.id if number in self.here else None

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        self.told.append((port_id, asked, again))


class Guest:
    gone = False

    def leave(self) -> None:
        self.gone = True


class Stage:
    def __init__(self) -> None:
        self.ports = Ports()
        self.woken = 0
        spare = partial(asyncio.sleep, 0)
        self.side = MetadataSide(AgentSettings(), self.ports, InterfaceWatch(), str, self._wake, spare)
        self.side._guests = Guests(1000)

    def _wake(self) -> None:
        self.woken += 1

    def connect(self, peer: str, own: str = "240.0.255.5") -> tuple[Guest, Any]:
        guest = Guest()
        found = self.side.enter(cast(Connection, guest), ((peer, 4000), (own, ends.PORT)))
        return guest, found and found.args  # type: ignore[attr-defined]


@pytest.fixture
async def stage() -> Stage:
    return Stage()


def requester(here: LocalPort) -> str:
    return str(ip_address(ends.ASKERS_4 | here.number & (1 << ends.NUMBER_BITS) - 1))


@pytest.mark.parametrize("here", [GUARDED, FREE, SUB])
async def test_a_port_is_known_by_its_address(stage: Stage, here: LocalPort) -> None:
    assert stage.connect(requester(here))[1][0] == here.port.id
    six = ip_address(ends.ASKERS_6 | here.number & (1 << ends.NUMBER_BITS) - 1)
    scoped = stage.connect(f"{six}%nw-metadata", "fe80:0:0:4e57:f816:3eff:fe00:5%nw-metadata")
    assert scoped[1] == (here.port.id, "fe80::f816:3eff:fe00:5")


@pytest.mark.parametrize(("own", "told"), [(5, "10.0.0.5"), (105, "10.0.1.105"), (9, "10.0.0.5")])
async def test_it_is_known_from_which_of_its_addresses(stage: Stage, own: int, told: str) -> None:
    assert stage.connect(requester(GUARDED), f"240.0.255.{own}")[1] == (GUARDED.port.id, told)


async def test_who_is_no_port_here_is_not_let_in(stage: Stage) -> None:
    assert stage.connect("240.0.0.99")[1] is None
    assert stage.connect("10.0.0.5")[1] is None


async def test_a_port_has_its_few_connections(stage: Stage) -> None:
    found = [stage.connect(requester(GUARDED)) for _ in range(EACH + 5)]
    assert [bool(answer) for _, answer in found] == [True] * EACH + [False] * 5
    assert stage.connect(requester(FREE))[1]
    stage.side.left(cast(Connection, found[0][0]))
    assert stage.connect(requester(GUARDED))[1]


async def test_who_connects_without_end_is_not_heard_for_a_while(stage: Stage) -> None:
    for _ in range(MANY + 50):
        guest, _ = stage.connect(requester(GUARDED))
        stage.side.left(cast(Connection, guest))
    assert stage.ports.told == [(GUARDED.port.id, Asked.METADATA, False)]
    assert stage.woken == 1
    assert stage.connect(requester(GUARDED))[1] is None
    assert stage.connect(requester(FREE))[1]


async def test_what_is_on_its_way_ends_with_its_port(stage: Stage) -> None:
    mine, others = stage.connect(requester(GUARDED))[0], stage.connect(requester(FREE))[0]
    stage.side.observe()
    assert not mine.gone
    del stage.ports.here[GUARDED.number]
    stage.side.observe()
    assert mine.gone and not others.gone


async def test_another_in_its_place_is_not_the_same(stage: Stage) -> None:
    mine = stage.connect(requester(GUARDED))[0]
    stage.ports.here[GUARDED.number] = local(8, 17, guarded=True)
    stage.side.observe()
    assert mine.gone


def packet(target: str) -> PacketIn:
    frame = icmp.question(octets(GUARDED.port.mac_address), GUARDED_6, ip_address(target))  # type: ignore[arg-type]
    return PacketIn(cookie=cookie(Reason.METADATA), fields={}, frame=frame)


GUARDED_6 = ip_address("fe80::f816:3eff:fe00:5")


def said(target: str) -> Iterator[bytes]:
    for one in Solicitations().answer(GUARDED, packet(target)):
        yield one.frame


def test_who_looks_for_the_server_hears_its_mac_and_that_it_is_no_router() -> None:
    [frame] = said("fe80::a9fe:a9fe")
    assert octets(ends.MAC) in frame[54:]
    assert not frame[58] & 0x80
    assert list(said("fe80::1")) == []


def test_logical_ports_are_what_the_flows_say() -> None:
    assert SUB.number == logical_port(17, 100, guarded=True)


class Service:
    """Says what it is to say."""

    def __init__(self, *said: int) -> None:
        self.said = list(said)

    async def ask(self, question: object) -> Said:
        return Said(status=self.said.pop(0))


async def test_missing_answers_are_reported_until_there_are_some(stage: Stage) -> None:
    """It is the host's problem, and no VM can make it up by what it asks for."""
    side = stage.side
    told = []
    side._server = cast(Any, Service(503, 502, 500, 404, 503, 503, 504, 503, 200, 503))
    for _ in range(10):
        await side._answer("port", "", "GET", "/", b"")
        told.append(bool(side.problem))
    assert told == [False] * 6 + [True, True, False, False]
    assert stage.woken == 2
    side._becomes("no such device")
    assert side.problem == "what VMs ask is not heard: no such device"
