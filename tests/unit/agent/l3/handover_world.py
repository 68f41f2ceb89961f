"""Nodes that a floating IP is led to and fro between, in a time that passes by itself: what each hears of it, when its
flows are in place, and what they ask each other on the external network."""

import asyncio
import random
from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from tests.unit.agent.l3.failover_world import EXTERNAL

from netweft.agent.desired import Desired
from netweft.agent.l3.floating_handover import FloatingHandover
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp
from netweft.model import EMPTY_VIEW, FixedIp, FloatingIp, GatewayPort, NodeView, Port
from netweft.model.wire_macs import ASKS, asking_mac
from netweft.services.fields import Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.floating_ips.places import FloatingPlace, Where
from netweft.services.l3.values import Gateway, LocalFloatingIp

ID, ADDRESS, MAC = "00f10a70-0000-4000-8000-000000000001", "203.0.113.9", "02:00:00:00:00:09"
ONE = FloatingIp(id=ID, router_id="r", floating_network_id="ext", floating_ip_address=ADDRESS, port_id="p")
ONE = replace(ONE, fixed_ip_address="10.0.0.9", mac_address=MAC)
HEARD_AFTER, RENDERED_AFTER, WRITTEN_AFTER = (0.0, 0.04), (0.004, 0.02), (0.001, 0.2)


class Told(Desired):
    """What the node was told, and would have rendered."""

    def __init__(self, node: "Node") -> None:
        super().__init__()
        self.node, self.complete = node, True
        self.view = NodeView(kinds=EMPTY_VIEW.kinds)
        self.there: FloatingPlace | None = None
        self.news, self.held = set[str](), False

    @property
    def vlans(self) -> Mapping[str, int]:
        return {"ext": EXTERNAL.vlan}

    def settled_floating_ips(self) -> set[str]:
        news, self.news = self.news, set()
        return news

    def floating_place(self, id: str) -> FloatingPlace | None:
        return self.there

    def floating_ip(self, id: str) -> LocalFloatingIp | None:
        if self.there is None or self.there.where is Where.ELSEWHERE:
            return None
        port = GatewayPort(id=ID, network_id="ext", mac_address=MAC, fixed_ips=(FixedIp("", ADDRESS),))
        by, answers = asking_mac(self.node.name, ID), not self.held
        end = Gateway(port=port, network=EXTERNAL, zone=1, on_link=(), next_hops=(), node_mac=by, answers=answers)
        address = int.from_bytes(bytes(map(int, ADDRESS.split("."))), "big")
        return LocalFloatingIp(end=end, gateway_id="g", address=address, fixed=0, own_mac=True)

    def hold_back(self, id: str, held: bool) -> None:
        self.held = held


class Node:
    """alive: its vswitchd.  agent: there.  answers, asks: flows of its switch."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.alive = self.agent = True
        self.answers = self.hears = False
        self.asked = 0
        self.begin(())

    def begin(self, flows: Iterable[Flow]) -> None:
        self.told = Told(self)
        self.handover = FloatingHandover(self.name, self.told, self._say, self.wake, self._has_alone)
        self.handover.found(flows)
        self.agent = True

    def hears_of(self, found: FloatingPlace | None, *, left: bool = False) -> None:
        """From the server."""
        if self.agent:
            port = Port(id="p", network_id="n", mac_address=MAC, left=left)
            self.told.view = self.told.view.merged(1, [port], ())
            self.told.there, self.told.news = found, {ID}
            self.wake()

    def wake(self) -> None:
        self.world.later(RENDERED_AFTER, self._turn, self.handover)

    def _turn(self, of: FloatingHandover) -> None:
        if self.agent and self.handover is of:
            of.observe()
            here = self.told.floating_ip(ID)
            self.world.later(RENDERED_AFTER, self._done, of, here)

    def _done(self, of: FloatingHandover, here: LocalFloatingIp | None) -> None:
        if self.agent and self.handover is of:
            self.answers = self.alive and here is not None and here.end.answers
            self.hears = self.alive and here is not None and not here.end.answers
            of.wired()

    def _say(self, packet: Packet) -> None:
        self.asked += 1
        if self.alive:
            asyncio.get_running_loop().call_later(0.001, self.world.said, self, packet.frame)

    def _has_alone(self, id: str, led: int) -> None:
        """On its way to the server."""
        self.world.later(WRITTEN_AFTER, self.world.told_alone, self.name, led)

    def takes(self, frame: bytes) -> None:
        """By a flow that hands it up."""
        if self.agent and self.hears:
            handed_up = PacketIn(cookie(Reason.FLOATING_TAKEOVER, ID), {}, frame)
            for answer in self.handover.answer(None, handed_up):
                self._say(answer)

    def agent_dies(self) -> None:
        self.agent = False

    def agent_is_back(self, found: FloatingPlace | None) -> None:
        answering = Flow(table=0, priority=1, cookie=cookie(Reason.FLOATING_ANSWERS, ID))
        self.begin([answering] if self.answers else [])
        self.handover.doubt()
        self.hears_of(found)


class World:
    def __init__(self, names: Iterable[str], seed: int) -> None:
        self._random = random.Random(seed)
        self.nodes = {name: Node(self, name) for name in names}
        self.host, self.one, self._left = "", ONE, False
        self.twice = 0
        self.silent = 0.0  # seconds that nobody answered, since it was led here

    def later(self, within: tuple[float, float], work: object, *values: object) -> None:
        assert callable(work)
        asyncio.get_running_loop().call_later(self._random.uniform(*within), work, *values)

    def led_to(self, host: str, *, left: bool = False) -> None:
        """As the server has it: each node hears of it in its own time."""
        led_on = host if self.one.led_on in ("", host) else "*"
        self.one = replace(self.one, led_on=led_on, led=self.one.led + 1)
        self.host, self.silent, self._left = host, 0.0, left
        self._tells(left=left)

    def told_alone(self, host: str, led: int) -> None:
        """As the server takes it (`associations.has_alone`)."""
        if self.host == host and self.one.led == led and not self._left and self.one.led_on != host:
            self.one = replace(self.one, led_on=host)
            self._tells(left=False)

    def _tells(self, *, left: bool) -> None:
        for node in self.nodes.values():
            self.later(HEARD_AFTER, lambda node=node: node.hears_of(self.place(node.name), left=left))

    def place(self, name: str) -> FloatingPlace | None:
        """A node that has nothing to do with it is told nothing."""
        return FloatingPlace(self.one, Where.HERE, "", False) if name == self.host else None

    def said(self, by: Node, frame: bytes) -> None:
        for node in self.nodes.values():
            question = arp.probe(frame)
            if node is by or not node.alive:
                continue
            if question and node.answers and int.from_bytes(question.mac, "big") & ASKS == asking_mac("", ID):
                answer = arp.answer(bytes.fromhex(MAC.replace(":", "")), question)
                asyncio.get_running_loop().call_later(0.001, by.takes, answer)
            else:
                node.takes(frame)

    @property
    def answering(self) -> list[str]:
        return [node.name for node in self.nodes.values() if node.alive and node.answers]

    async def passes(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(0.001)
            self.twice += len(self.answering) > 1
            if self.answering != [self.host]:
                self.silent += 0.001
