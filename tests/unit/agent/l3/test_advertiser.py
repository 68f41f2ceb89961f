"""What ports hear of routers unasked, and when; and what who asks is answered."""

import asyncio
from collections.abc import Iterator
from ipaddress import IPv6Address
from itertools import pairwise

import pytest
from msgspec.structs import replace
from tests.unit.dataplane.test_router_advert import SAID, asks
from tests.unit.services.l3.neighbours.test_router_advertisements import told
from tests.waiting import until

from netweft.agent.desired import Desired, Part
from netweft.agent.l3 import advertiser
from netweft.agent.l3.advertiser import Advertiser, Solicitations
from netweft.dataplane.openflow.flow import SetField
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets.router_advert import encode
from netweft.model import Network
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import OUT_PORT
from netweft.services.l2.announce import Packet
from netweft.services.values import Advertised, LocalNetwork, LocalPort
from netweft.testing.region import network, port

NET, OTHER = network(1), network(2)
ROUTERS = (SAID, replace(SAID, mac=b"second", source=IPv6Address("fe80::2")))
LAST = replace(
    SAID,
    lifetime=0,
    prefixes=(replace(SAID.prefixes[0], preferred=0),),
    servers=tuple(replace(server, lifetime=0) for server in SAID.servers),
)


class Node(Desired):
    """A port at 17, and what is said to it."""

    def __init__(self) -> None:
        super().__init__()
        self.plugged: dict[int, LocalPort] = {}
        self.plug(NET)

    def plug(self, net: Network | None) -> None:
        self.plugged.clear()
        if net:
            wired = LocalNetwork(network=net, vlan=1, segment=net.segments[0])
            one = port(5, net, port_security_enabled=False)
            self.plugged[17] = LocalPort(port=one, network=wired, port_name="tap", ofport=17)

    def port_at(self, number: int) -> LocalPort | None:
        return self.plugged.get(number)

    def want(self, said: Advertised | None) -> Part[int, Advertised]:
        """As a refresh does."""
        part: Part[int, Advertised] = Part()
        if said:
            self.advertised[17] = said
            part.upserts.append(said)
        else:
            self.advertised.pop(17, None)
            part.deletes.append(17)
        return part


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.node = Node()
        self.begin()

    def begin(self) -> None:
        """The agent starts, without memory."""
        self.advertiser = Advertiser(self.node, lambda _: None, lambda: self.now)

    def want(self, *routers: object, net: Network = NET, wired: bool = True) -> None:
        said = replace(told(*routers), network_id=net.id) if routers else None  # type: ignore[arg-type]
        self.advertiser.change(self.node.want(said))
        if wired:
            self.advertiser.wired()

    def heard(self, after: float = 0) -> list[bytes]:
        self.now += after
        packets = list(self.advertiser.due())
        assert all(packet.actions[0] == SetField(OUT_PORT, 17) for packet in packets)
        return [packet.frame for packet in packets]

    def all_heard(self, seconds: int) -> Iterator[list[bytes]]:
        """Whatever is heard within that time, second by second."""
        for _ in range(seconds):
            if frames := self.heard(1):
                yield frames


@pytest.fixture
def world() -> World:
    made = World()
    made.advertiser.wired()  # it has started, and there was nothing
    return made


def test_what_is_new_is_said_at_once_and_twice_again(world: World) -> None:
    world.want(SAID)
    assert world.heard() == encode(SAID)
    assert world.heard() == []
    assert list(world.all_heard(100)) == [encode(SAID)] * 2


def test_not_before_it_is_wired(world: World) -> None:
    world.want(SAID, wired=False)
    assert world.heard(10) == []
    world.advertiser.wired()
    assert world.heard() == encode(SAID)


def test_from_time_to_time_all_that_holds(world: World) -> None:
    world.want(*ROUTERS)
    world.heard()
    list(world.all_heard(10))
    times = [second for second in range(6000) if world.heard(1)]
    between = [later - earlier for earlier, later in pairwise(times)]
    low, high = advertiser.BETWEEN
    assert between and all(low <= pause <= high + 1 for pause in between)
    assert len(set(between)) > 1, "not all nodes and ports at the same time"


def test_only_what_changed_is_new(world: World) -> None:
    second = replace(ROUTERS[1], servers=())
    world.want(SAID)
    world.heard()
    list(world.all_heard(10))
    world.want(SAID, second)
    assert world.heard() == encode(second)
    list(world.all_heard(10))
    dns = replace(SAID, servers=SAID.servers[:1])
    world.want(dns, second)
    lost = replace(SAID.servers[1], lifetime=0)
    assert world.heard() == encode(replace(dns, servers=(*dns.servers, lost)))


def test_a_router_that_goes_says_so_three_times_and_then_nothing(world: World) -> None:
    world.want(SAID)
    world.heard()
    list(world.all_heard(10))
    world.want()
    assert world.heard() == encode(LAST)
    assert list(world.all_heard(3000)) == [encode(LAST)] * 2


def test_one_that_comes_and_goes_at_once_is_said_to_be_gone(world: World) -> None:
    world.want(SAID)
    assert world.heard() == encode(SAID)
    world.want()
    assert world.heard(0.1) == encode(LAST)
    world.want(SAID)
    assert world.heard(0.1) == encode(SAID)
    assert list(world.all_heard(100)) == [encode(SAID)] * 2


def test_what_came_and_went_before_it_was_said_is_not_mentioned(world: World) -> None:
    world.want(SAID)
    world.want()
    assert list(world.all_heard(100)) == []


def test_two_changes_one_after_the_other_are_both_said_again(world: World) -> None:
    world.want(SAID)
    world.heard()
    world.want(*ROUTERS)
    world.heard(0.1)
    again = sorted(encode(SAID) + encode(ROUTERS[1]))
    assert [sorted(frames) for frames in world.all_heard(100)] == [again] * 2


def test_a_port_that_is_gone_hears_nothing(world: World) -> None:
    world.want(SAID)
    world.node.plug(None)
    assert world.heard() == []
    world.want()
    assert list(world.all_heard(3000)) == []


def test_another_networks_port_in_its_place_hears_nothing_of_the_first(world: World) -> None:
    world.want(SAID)
    world.heard()
    world.node.plug(OTHER)
    world.want(ROUTERS[1], net=OTHER)
    assert world.heard(0.1) == encode(ROUTERS[1])
    assert list(world.all_heard(100)) == [encode(ROUTERS[1])] * 2
    world.node.plug(NET)
    world.want()
    assert list(world.all_heard(100)) == []


def test_after_a_restart_all_is_said_once_more_not_at_once(world: World) -> None:
    world.begin()
    world.want(SAID)
    assert world.heard() == []
    assert list(world.all_heard(100)) == [encode(SAID)]


@pytest.mark.parametrize("wired", [True, False])
def test_what_goes_just_after_a_restart_is_known_to_have_been_there(world: World, wired: bool) -> None:
    world.begin()
    world.want(SAID, wired=wired)
    world.want()
    assert world.heard() == encode(LAST)


def test_and_what_changes_then_is_said_at_once(world: World) -> None:
    world.begin()
    world.want(SAID)
    world.want(replace(SAID, managed=True))
    assert world.heard() == encode(replace(SAID, managed=True))


async def test_it_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advertiser, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(advertiser, "BETWEEN", (0.01, 0.01))
    sent: list[Packet] = []
    running = Advertiser(world.node, sent.append)
    running.wired()
    task = asyncio.create_task(running.run())
    running.change(world.node.want(replace(told(SAID), network_id=NET.id)))
    running.wired()
    await until(lambda: len(sent) > 5)
    assert {packet.frame for packet in sent} == set(encode(SAID))
    running.change(world.node.want(None))
    running.wired()
    await until(lambda: sent[-3:] == [to_port(17, *encode(LAST))] * 3)
    task.cancel()


# who asks


def answered(world: World, frame: bytes) -> list[bytes]:
    here = world.node.port_at(17)
    assert here is not None
    return [packet.frame for packet in Solicitations(world.node).answer(here, PacketIn(0, {}, frame))]


def test_a_solicitation_gets_all_of_them(world: World) -> None:
    world.want(*ROUTERS)
    requester = IPv6Address("fe80::f816:3eff:fe00:a")
    expected = [frame for one in ROUTERS for frame in encode(one, (bytes.fromhex("fa163e00000a"), requester))]
    assert answered(world, asks(str(requester))) == expected
    assert answered(world, asks("::")) == [frame for one in ROUTERS for frame in encode(one)]


def test_nothing_to_nonsense_and_where_there_is_no_router(world: World) -> None:
    assert answered(world, asks("::")) == []
    world.want(SAID)
    assert answered(world, b"nonsense") == []
