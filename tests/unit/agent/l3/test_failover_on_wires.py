"""What answers physical hosts for a router's interface is taken over as gateways are: asked for on the wire first."""

import asyncio
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace
from tests.unit.agent.l3.failover_world import in_own_time
from tests.unit.agent.l3.test_unknown_hosts import TO_RED, R, made

from netweft.agent.desired import Desired
from netweft.agent.l3.failover import Failover
from netweft.dataplane.openflow.flow import Flow, Output
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp
from netweft.model import EMPTY_VIEW, GatewayPort, NodeView
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac, octets_of_mac
from netweft.services.fields import Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l3.gateways.watched_nodes import interface_to
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.values import GatewayPlace, Interface, LocalRouter
from netweft.services.values import HostFacts
from netweft.testing import packets

NODES, NEAR, OWN = ("hv1", "hv2"), 77, IPv4Address("10.0.2.1")
PORT = replace(TO_RED, answers_on="hv1", hosts=NODES)
UP = {"state": "up", "flap_count": "1"}
GONE = {"state": "down", "flap_count": "2", "diagnostic": "Control Detection Time Expired"}


class Told(Desired):
    """hv2, which stands by."""

    def __init__(self) -> None:
        super().__init__()
        self.view, self.complete = NodeView(kinds=EMPTY_VIEW.kinds), True
        self.places: list[GatewayPlace | None] = []
        there = Interfaces("hv2")
        list(there.changed(None, PORT))
        self._wires = there.on_wires

    @property
    def on_wires(self) -> Mapping[str, GatewayPort]:
        return self._wires

    @property
    def watched(self) -> frozenset[str]:
        return frozenset({"hv1"})

    def choose(self, port_id: str, place: GatewayPlace | None) -> None:
        self.places.append(place)

    def routers_on(self, network_id: str) -> Iterable[tuple[LocalRouter, Interface]]:
        network = made().nodes["hv2"].rendering
        (found,) = [one for one in network.routers.on(network_id) if one[1].port.id == PORT.id]
        return [found]

    def wire_of(self, network_id: str) -> int | None:
        return NEAR


class Agent:
    def __init__(self) -> None:
        self.told, self.said, self.server = Told(), list[Packet](), list[str]()
        self.failover = Failover("hv2", self.told, self.said.append, lambda: None, self.server.extend)
        self.failover.found(())
        self.session = UP

    def bfd_status(self, interface: str) -> dict[str, str] | None:
        assert interface == interface_to("hv1")
        return self.session

    def turn(self) -> GatewayPlace | None:
        self.failover.observe(self, HostFacts(name="hv2", bridge_mappings={}), ())
        self.failover.wired()
        return self.told.places[-1]

    def answered(self) -> None:
        said = arp.answer(octets_of_mac(wire_mac("hv1", PORT.id)), arp.Said(own(), OWN))
        list(self.failover.answer(None, PacketIn(cookie(Reason.ROUTER_TAKEOVER, PORT.id), {}, said)))


def own() -> bytes:
    return octets_of_mac(wire_mac("hv2", PORT.id))


def test_who_stands_by_takes_over_once_nobody_answers() -> None:
    async def story() -> None:
        agent = Agent()
        assert agent.turn() == GatewayPlace("hv1")
        assert list(agent.failover.seats) == [], "it is no gateway of anybody's"
        agent.session = GONE
        agent.turn()
        for _ in range(20):
            await asyncio.sleep(0.02)
            agent.answered()
        assert not any(place and place.answers for place in agent.told.places)
        await asyncio.sleep(0.2)
        assert agent.told.places[-1] == GatewayPlace("hv2", here=True, answers=True)
        assert agent.server == [PORT.id]
        (question,) = {packet.frame for packet in agent.said}
        assert question == arp.request(own(), IPv4Address(0), OWN), "by its own MAC, on the wire"
        assert {packet.actions[-1] for packet in agent.said} == {Output(NEAR)}

    in_own_time(story())


def test_an_agent_that_is_new_goes_on() -> None:
    async def story() -> None:
        agent = Agent()
        agent.failover.found([Flow(table=0, priority=1, cookie=cookie(Reason.ROUTER_ANSWERS, PORT.id))])
        assert agent.turn() == GatewayPlace("hv2", here=True, answers=True)
        assert not agent.said

    in_own_time(story())


@pytest.mark.parametrize("answers", ["hv1", "hv2"])
def test_nodes_hear_each_other_on_the_wire(answers: str) -> None:
    """By flows without the limits of what others ask; a stranger who says that he has it is not heard."""
    region = made()
    region.create(PORT)
    region.settle()
    for name in NODES:
        place = GatewayPlace(answers, here=name == answers, answers=name == answers)
        region.nodes[name].rendering.choose(PORT.id, place)
    region.settle()
    other = "hv1" if answers == "hv2" else "hv2"
    macs = {name: packets_mac(wire_mac(name, PORT.id)) for name in NODES}
    question = {**packets.arp(macs[other], "0.0.0.0", str(OWN)), "vlan_vid": 0x1000 | 1003}
    heard = region.wires["physnet1"].heard
    heard.clear()
    list(region.wires["physnet1"].carry(None, question))
    replies = [one for one in heard if one.get("arp_op") == 2]
    assert {one["arp_sha"] for one in replies} == {mac(macs[answers])}
    punted = region.nodes[other].bridges["int"].punted
    punted.clear()
    reply = packets.arp(macs[answers], str(OWN), "0.0.0.0", op=2, dst=macs[other])
    forged = packets.arp("02:00:00:00:00:bad"[:17], str(OWN), "0.0.0.0", op=2, dst=macs[other])
    for frame in (reply, forged):
        list(region.wires["physnet1"].carry(None, {**frame, "vlan_vid": 0x1000 | 1003}))
    assert [one["arp_sha"] for one in punted if one.get("arp_op") == 2] == [mac(macs[answers])]
    assert R


def packets_mac(number: int) -> str:
    return octets_of_mac(number).hex(":")
