"""Nodes of one router with an external network between them, in a time that passes by itself: what BFD and ARP would
say, with their delays, and a server that moves whoever took over to the front."""

import asyncio
import random
from collections.abc import Collection, Coroutine, Iterable
from ipaddress import IPv4Address
from typing import Any, cast

from msgspec.structs import replace

from netweft.agent.desired import Desired
from netweft.agent.l3.carriers import Carriers
from netweft.agent.l3.failover import Failover
from netweft.agent.l3.underlay import WAIT
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.packets import arp
from netweft.model import EMPTY_VIEW, FixedIp, GatewayPort, Network, NodeView, Segment
from netweft.model.wire_macs import wire_mac
from netweft.services.fields import Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.gateways.watched_nodes import interface_to
from netweft.services.l3.values import Gateway, GatewayPlace
from netweft.services.values import HostFacts, LocalNetwork

ADDRESS = IPv4Address("203.0.113.5")
PORT = GatewayPort(
    id="0000aaaa-0000-4000-8000-000000000001",
    network_id="ext",
    mac_address="02:00:00:00:00:01",
    fixed_ips=(FixedIp("s", str(ADDRESS)),),
)
FLAT = Segment("flat", "public")
EXTERNAL = LocalNetwork(network=Network(id="ext", segments=(FLAT,)), vlan=7, segment=FLAT)
SEEN_AFTER, TOLD_AFTER = (0.14, 0.21), (0.0, 0.07)  # that a session ended, that a way outside is cut
RENDERED_AFTER = (0.005, 0.02)
EXPIRED = {"state": "down", "diagnostic": "Control Detection Time Expired"}


class OwnTime(asyncio.SelectorEventLoop):
    """It jumps to whatever is next."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0

    def time(self) -> float:
        return self._passed

    def _run_once(self) -> None:
        loop = cast(Any, self)
        if not loop._ready and loop._scheduled:
            self._passed = max(self._passed, loop._scheduled[0]._when)
        cast(Any, super())._run_once()


def in_own_time(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(work)


class Told(Desired):
    """What the node would have rendered; it is in place a little later."""

    def __init__(self, node: "Node") -> None:
        super().__init__()
        self.node = node
        self.complete = True
        self.place = GatewayPlace("")
        self.cut = False

    @property
    def watched(self) -> frozenset[str]:
        world = self.node.world
        return frozenset(world.nodes if self.node.name in world.order else world.order) - {self.node.name}

    def choose(self, port_id: str, place: GatewayPlace | None) -> None:
        self.place = place or GatewayPlace("")

    def cut_off(self, cut: bool) -> None:
        self.cut = cut

    def candidate(self, port_id: str) -> Gateway | None:
        assert port_id == PORT.id
        mine = self.node.name in self.node.world.order
        mac = wire_mac(self.node.name, PORT.id)
        return Gateway(port=PORT, network=EXTERNAL, zone=1, on_link=(), next_hops=(), node_mac=mac) if mine else None


class Node:
    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.alive = self.underlay = self.uplink = True
        self.stands_still = False  # its vswitchd, but for what BFD sends
        self.frozen: float | None = None  # all of its vswitchd, since when
        self.asked_underlay = 0  # times
        self.place = GatewayPlace("")  # as it is in the switch
        self.sessions: dict[str, dict[str, str]] = {}
        self._waking = False
        self._runs: asyncio.Task[None] | None = None
        self.begin(())

    def begin(self, flows: Iterable[Flow]) -> None:
        """An agent that is new."""
        self.told = Told(self)
        self.told.view = NodeView(kinds=EMPTY_VIEW.kinds)
        self.failover = Failover(self.name, self.told, self._say, self.wake, self._tell)
        self.failover.ask_underlay(self._reaches)
        self.failover.found(flows)
        self.carriers = Carriers(self.wake)
        if self._runs:
            self._runs.cancel()
        self._runs = asyncio.create_task(self.failover.run())
        self.wake()

    def wake(self) -> None:
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_later(self.world.between(*RENDERED_AFTER), self._turn)

    def _turn(self) -> None:
        self._waking = False
        if self.runs:
            self.told.view = self.world.view
            host = HostFacts(name=self.name, bridge_mappings={"public": "br-ex"})
            self.carriers.observe(self, host.bridge_mappings, connected=self.world.server)
            self.failover.observe(self, host, self.carriers.cut)
            asyncio.get_running_loop().call_later(self.world.between(*RENDERED_AFTER), self._done, self.told.place)

    def _done(self, place: GatewayPlace) -> None:
        if self.alive and self.frozen is None:
            self.place = place
            self.failover.wired()

    # what Open vSwitch says

    def bfd_status(self, interface: str) -> dict[str, str] | None:
        return self.sessions.get(interface)

    def has_carrier(self, _: str) -> bool:
        return self.uplink

    @property
    def runs(self) -> bool:
        return self.alive and not self.stands_still and self.frozen is None

    # what leaves it

    def _say(self, packet: Packet) -> None:
        """It asks who has the address."""
        if self.uplink and self.frozen is None:
            asyncio.get_running_loop().call_later(0.001, self.world.asked, self, packet.frame)

    def _tell(self, ids: Iterable[str]) -> None:
        asyncio.get_running_loop().call_later(0.02, self.world.taken, self.name)

    # what happens to it

    def die(self) -> None:
        self.alive, self.place = False, GatewayPlace("")
        self.failover.lost()
        self.sessions = {}

    def stand_still(self) -> None:
        """Its ovsdb-server is away."""
        self.stands_still = True

    def go_on(self) -> None:
        """It finds that its sessions have ended meanwhile."""
        self.stands_still = False
        down = {"state": "down", "flap_count": "2", "diagnostic": "Control Detection Time Expired"}
        self.sessions = dict.fromkeys(self.sessions, down)
        self.failover.opened()
        self.wake()

    def freeze(self) -> None:
        """Its vswitchd gets no processor, and what comes waits."""
        self.frozen = asyncio.get_running_loop().time()

    def thaw(self) -> None:
        """Where it was long enough it hears nobody any more, all at once."""
        assert self.frozen is not None
        loop = asyncio.get_running_loop()
        passed, self.frozen = loop.time() - self.frozen, None
        if passed > self.world.between(*SEEN_AFTER):
            self.sessions = {name: EXPIRED | {"flap_count": "2"} for name in self.sessions}
        self.wake()

    async def _reaches(self, hosts: Collection[str]) -> bool:
        await asyncio.sleep(0.002)
        others = [self.world.nodes[host] for host in hosts]
        self.asked_underlay += 1
        if self.underlay and any(one.alive and one.frozen is None and one.underlay for one in others):
            return True
        await asyncio.sleep(WAIT)
        return False

    def come_back(self) -> None:
        self.alive = True
        self.begin(())

    def agent_restarts(self) -> None:
        self.failover.lost()
        flow = Flow(table=0, priority=1, cookie=cookie(Reason.ROUTER_ANSWERS, PORT.id))
        self.begin([flow] if self.place.answers else [])


class World:
    """gateways, users: names of nodes."""

    def __init__(self, gateways: Iterable[str], users: Iterable[str], seed: int) -> None:
        self._random = random.Random(seed)
        self.order = tuple(gateways)
        self.server = True
        self.twice = 0  # times that two answered
        self.first_back = ("", "")  # nodes whose session comes back at once
        self._due: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}
        self._agreed: dict[tuple[str, str], tuple[object, object]] = {}  # where a session says what is so
        self._interfaces = {name: interface_to(name) for name in (*gateways, *users)}
        self.view = self._view()
        self.nodes: dict[str, Node] = {}
        self.nodes = {name: Node(self, name) for name in (*self.order, *users)}
        for one in self.nodes.values():
            one.sessions = {self._interfaces[other]: self._status(one, self.nodes[other]) for other in self.nodes}

    def between(self, least: float, most: float) -> float:
        return self._random.uniform(least, most)

    def _view(self) -> NodeView:
        port = replace(PORT, host_id=self.order[0], hosts=self.order)
        return NodeView(kinds=EMPTY_VIEW.kinds).merged(1, [port, EXTERNAL.network], ())

    @property
    def answering(self) -> list[Node]:
        return [one for one in self.nodes.values() if one.runs and one.uplink and one.place.answers]

    def asked(self, by: Node, frame: bytes) -> None:
        """By flows of who answers; by the agents of those that do not, or not yet."""
        for one in self.nodes.values():
            if one is by or not (one.runs and one.uplink):
                continue
            if one.place.answers or list(one.failover.asks(frame)):
                said = arp.Said(b"\2\0\0\0\0\1", ADDRESS)
                asyncio.get_running_loop().call_later(0.001, by.failover.heard, frame[6:12], said)

    def taken(self, name: str) -> None:
        if self.server and self.nodes[name].alive:
            self.order = (name, *(host for host in self.order if host != name))
            self.view = self._view()
            for node in self.nodes.values():
                node.wake()

    def _status(self, one: Node, other: Node) -> dict[str, str]:
        before = one.sessions.get(self._interfaces[other.name], {})
        up = one.runs and other.runs and one.underlay and other.underlay
        state = "up" if up else "down"
        flaps = int(before.get("flap_count", "0")) + (before.get("state", "down") != state)
        told = "Concatenated Path Down" if up and other.told.cut else "No Diagnostic"
        says_so = (
            one.runs and other.alive and other.stands_still and other.frozen is None and one.underlay and other.underlay
        )
        why = "Neighbor Signaled Session Down" if says_so else "Control Detection Time Expired"
        diagnostic = {} if up else {"diagnostic": why}
        return {"state": state, "flap_count": str(flaps), "remote_diagnostic": told} | diagnostic

    async def passes(self, seconds: float) -> None:
        """Time, in which each end of a session sees in its own time what has become of it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(0.005)
            self.twice += len(self.answering) > 1
            for one in self.nodes.values():
                for other in self.nodes.values():
                    if one is not other and one.runs:
                        self._see(one, other)

    def _see(self, one: Node, other: Node) -> None:
        due, key, interface = self._due, (one.name, other.name), self._interfaces[other.name]
        said = one.sessions.get(interface)
        facts = (one.runs, one.underlay, other.alive, other.stands_still, other.frozen, other.underlay, other.told.cut)
        agreed = self._agreed.get(key)
        if agreed and agreed[0] == facts and agreed[1] is said:
            return
        self._agreed.pop(key, None)
        now, status = asyncio.get_running_loop().time(), self._status(one, other)
        if said == status:
            due.pop(key, None)
            self._agreed[key] = facts, said
            return
        if key not in due:
            ends = status["state"] == "down"
            after = self.between(*(SEEN_AFTER if ends else TOLD_AFTER))
            late = not ends and one.sessions.get(interface, {}).get("state") != "up"
            at_once = set(self.first_back) == {one.name, other.name}
            due[key] = now + after + (self.between(0.5, 1.5) if late and not at_once else 0.0), status
        if now >= due[key][0]:
            one.sessions[interface] = status
            del due[key]
            one.wake()
