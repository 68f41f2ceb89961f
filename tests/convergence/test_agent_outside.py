"""A whole agent, while routers, gateways, floating IPs and forwarded ports come, change and go, sessions are cut, told
twice and begun anew, its switch refuses or is meddled with, other nodes die, and it is killed itself: in the end there
is what an agent makes that begins on the end state."""

import asyncio
import copy
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.convergence import outside_events
from tests.convergence.agent_world import AgentWorld
from tests.convergence.outside_events import EXT, HOPS, MORE
from tests.convergence.story import taken_at_once
from tests.examples import examples

from netweft.agent.l3 import carriers, sightings
from netweft.agent.l3.neighbour_entries import Place
from netweft.agent.sync import Link
from netweft.model import GatewayPort, NodeView, key_of
from netweft.services.addresses import octets
from netweft.services.pipeline import INT
from netweft.wire.messages import Delta, Snapshot

ME = "hv1"
TURNS = 8  # numbers become free, rows are made and seen, sessions settle, gateways are asked for and taken
_roles = st.sampled_from(["int", "tun", "phys:physnet1", "phys:public"])
_hops = st.sampled_from([(net.id, hop) for net in (EXT, MORE) for hop in HOPS[net.id]])
_happenings = st.one_of(
    *[outside_events.events] * 5,
    *[st.tuples(st.just("turn"))] * 2,
    st.tuples(st.just("restart"), st.booleans()),
    st.tuples(st.just("session is cut")),
    st.tuples(st.just("session begins"), st.booleans()),
    st.tuples(st.just("told twice")),
    st.tuples(st.just("refuse"), st.sampled_from(["rows", "int", "phys:public"])),
    st.tuples(st.just("delete flow"), _roles, st.integers(0, 999)),
    st.tuples(st.just("change flow"), _roles, st.integers(0, 999)),
    st.tuples(st.just("delete meter"), st.integers(0, 9)),
    st.tuples(st.just("bridge")),
    st.tuples(st.just("carrier")),
    *[st.tuples(st.just("gone"), st.sampled_from([None, "hv2", "hv3"]))] * 2,
    st.tuples(st.just("learn"), _hops, st.sampled_from(["02:00:00:00:01:01", "02:00:00:00:01:02"])),
)


class Node(AgentWorld):
    """taken: gateways that the server was told of."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.taken: set[str] = set()

    def new_agent(self, on_disk: NodeView | None = None) -> None:
        if hasattr(self, "agent"):
            for asking in (self.agent.failover.asking, self.agent.handover.asking):
                for id in asking.ids:
                    asking.stop(id)
        super().new_agent(on_disk)
        self.agent.feed.link = Link(up=True)
        self.agent.feed.tell_gateways = self._told_gateways  # type: ignore[method-assign]

    def _told_gateways(self, port_ids: Iterable[str]) -> None:
        self.taken.update(port_ids)

    async def turn(self) -> None:
        await self.agent.turn()
        for _ in range(8):
            await asyncio.sleep(0)
        self.agent.failover._tell_what_is_not_known()

    async def calm(self) -> None:
        for switch in self.switches.values():
            switch.fail = False
        self.ovs.fail = False
        for _ in range(TURNS):
            CLOCK.now += 2
            await self.turn()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class Cloud:
    """The server's part: what hv1 is told, as long as there is a session, and what follows from what it tells."""

    def __init__(self, folder: Path) -> None:
        self.region = outside_events.begin()
        self.node = Node(folder)
        self.connected = True

    def tell(self, *, whole: bool = False) -> None:
        if not self.connected:
            return
        view, objects = self.node.desired.view, self.region.view_of(ME)
        if whole:
            told = Snapshot(history="h", revision=view.revision + 1, objects=tuple(objects))
            self.node.tell(told, first=True)
            return
        gone = {key_of(one) for one in view.objects()} - {key_of(one) for one in objects}
        changed = tuple(one for one in objects if view.get(key_of(one)) != one)
        if gone or changed:
            self.node.tell(Delta(revision=view.revision + 1, upserts=changed, deletes=tuple(sorted(gone))))

    def hear(self) -> None:
        """Who has taken a router's gateway over is the first of its order."""
        taken = {self.region.gateway_ports[id].router_id for id in self.node.taken & self.region.gateway_ports.keys()}
        self.node.taken.clear()
        for port in list(self.region.gateway_ports.values()) if self.connected else ():
            if port.router_id in taken and ME in port.order[1:]:
                self._lead(port, ME)
                self.tell()

    def _lead(self, port: GatewayPort, host: str) -> None:
        hosts = (host, *(one for one in port.order if one != host))
        self.region.create(replace(port, host_id=host, hosts=hosts))

    def _others_have_taken(self, gone: set[str]) -> None:
        """What the server has heard of them, while this node could not."""
        for port in list(self.region.gateway_ports.values()):
            able = next((host for host in port.order if host not in gone | {ME}), "")
            if able and port.order[0] in gone:
                self._lead(port, able)

    async def happen(self, event: tuple[object, ...]) -> None:
        node, switches = self.node, self.node.switches
        match event:
            case ("turn",):
                CLOCK.now += 0.5
                await node.turn()
                self.hear()
            case ("restart", bool(on_disk)):
                view = node.desired.view
                await node.start(subscribed=False, on_disk=view if on_disk else None)
                self.tell(whole=True)
            case ("session is cut",):
                self.connected = False
            case ("session begins", bool(whole)):
                self.connected = True
                self.tell(whole=whole)
            case ("told twice",):
                view = node.desired.view
                node.tell(Delta(revision=view.revision, upserts=tuple(view.objects()), deletes=()))
            case ("refuse", "rows"):
                node.ovs.fail = True
            case ("refuse", str(role)):
                switches[role].fail = True
            case ("delete flow", str(role), int(nth)):
                switches[role].somebody_deletes(nth)
            case ("change flow", str(role), int(nth)):
                switches[role].somebody_changes(nth)
            case ("delete meter", int(nth)):
                switches[INT.role].somebody_deletes_meter(nth)
            case ("bridge",):
                node.ovs.bridges ^= {"br-ex"}
            case ("carrier",):
                node.ovs.cut ^= {"br-ex"}
            case ("gone", host):
                node.ovs.gone = {host} if isinstance(host, str) else set()
            case ("learn", (str(net), str(hop)), str(mac)):
                node.agent.resolver._learn(Place(net, ip_address(hop)), octets(mac))
            case _:
                outside_events.do(self.region, event)
                self.plug()
                self.tell()

    def plug(self) -> None:
        """What is plugged in here."""
        wanted = {id for id, host in self.region.bound.items() if host == ME}
        for id in self.node.ovs.plugged.keys() - wanted:
            del self.node.ovs.plugged[id]
        for id in sorted(wanted):
            self.node.plug(id)

    async def end(self) -> None:
        """Who cannot have a gateway, and knows nobody who can, leaves it where it was: that is not asked here."""
        if self.node.ovs.cut:
            self._others_have_taken(self.node.ovs.gone)
            self.node.ovs.gone.clear()
        self.connected = True
        self.tell()
        for _ in range(3):
            await self.node.calm()
            self.hear()

    async def fresh(self, folder: Path) -> Node:
        """It has the same rows, for they say which numbers stand for what; and has heard the same next hops."""
        other, ovs = Node(folder), self.node.ovs
        for name in ("bridges", "gone", "cut", "rows", "plugged"):
            setattr(other.ovs, name, copy.copy(getattr(ovs, name)))
        await other.start(subscribed=False)
        for place, known in self.node.agent.resolver._known.items():
            other.agent.resolver._learn(place, known.mac)
        other.see(self.node.desired.view, self.node.desired.view.objects())
        await other.calm()
        await other.calm()
        return other


@contextmanager
def without_waiting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        taken_at_once(patch)
        patch.setattr(carriers, "STEADY", -1.0)
        patch.setattr(sightings, "_now", CLOCK)
        yield


@settings(max_examples=examples(40))
@example([("carrier",), ("gone", "hv2"), ("turn",)])
@given(st.lists(_happenings, max_size=25))
def test_any_way_leads_to_the_state_of_a_fresh_start(sequence: list[tuple[object, ...]]) -> None:
    async def play(folder: Path) -> None:
        cloud = Cloud(folder)
        await cloud.node.start()
        cloud.plug()
        cloud.tell(whole=True)
        await cloud.node.calm()
        for event in sequence:
            await cloud.happen(event)
        await cloud.end()
        other = await cloud.fresh(folder)
        assert not other.taken - {id for id, port in cloud.region.gateway_ports.items() if port.host_id == ME}
        flows, meters, *more = cloud.node.state()
        its_flows, its_meters, *its_more = other.state()
        assert flows == its_flows
        assert more == its_more
        assert isinstance(meters, dict) and isinstance(its_meters, dict)
        # nobody says that a meter is gone which no flow names; it is made when one does
        assert meters == {id: meter for id, meter in its_meters.items() if id in meters}

    with tempfile.TemporaryDirectory() as folder, without_waiting():
        asyncio.run(play(Path(folder)))
