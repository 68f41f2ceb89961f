"""What a VM is given so that it answers, and what of its frames is told: its own, of this packet, not without end."""

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from netweft.agent.queries import vm_setup
from netweft.agent.queries.trace_input import NotHere
from netweft.agent.queries.vm_setup import listened
from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_TCP
from netweft.dataplane.packets import arp
from netweft.dataplane.packets.probe import probe
from netweft.services.addresses import octets
from netweft.services.l2.announce import Packet
from netweft.services.values import LocalNetwork, LocalPort
from netweft.settings import AgentSettings
from netweft.testing.region import network, port
from netweft.wire.queries import MOST_HEARD, Ask, Listen, Sent

NET = network(1)
VM, ROUTER, OTHER = "fa:16:3e:00:00:05", "fa:16:3e:ff:00:01", "fa:16:3e:00:00:09"
OWN, FAR = IPv4Address("10.0.0.5"), IPv4Address("10.9.0.7")
PACKET = Sent(eth_src=ROUTER, eth_dst=VM, src=str(FAR), dst=str(OWN), protocol=PROTO_ICMP, sport=8)
ANSWER = probe((octets(VM), octets(ROUTER)), (OWN, FAR), PROTO_ICMP, (0, 0), bytes(64))
MARK = bytes(range(64)).hex()


class Listener:
    """Hears what it is given at once, and nothing more."""

    given: tuple[bytes, ...] = ()

    def __init__(self, *_: object) -> None:
        self.frames = list(self.given)
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def next(self) -> None:
        if self._told:
            await asyncio.sleep(60)
        self._told = True


class Agent:
    """Of one port, 5, on OpenFlow port 17."""

    def __init__(self, tag: int = 0, datapath: str = "netdev", dropped: Iterable[int] = (0, 0)) -> None:
        there = LocalNetwork(network=NET, vlan=1, segment=NET.segments[0])
        here = LocalPort(port=port(5, NET, str(OWN)), network=there, port_name="tap5", ofport=17, tag=tag)
        self.settings = AgentSettings(node="hv1")
        self.desired = SimpleNamespace(local_port=lambda id: here if id == "five" else None)
        self.sent: list[Packet] = []
        self.bridges = {"int": SimpleNamespace(send_packet=self._send)}
        self.ovs = SimpleNamespace(view=SimpleNamespace(datapath_of=lambda _: datapath, nics=lambda _: []))
        counts = iter(dropped)
        self.meters = SimpleNamespace(dropped=lambda _: self._dropped(next(counts)))

    async def _send(self, packet: Packet) -> None:
        self.sent.append(packet)

    async def _dropped(self, count: int) -> dict[int, int]:
        return {1: count}


@pytest.fixture
def hears(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(vm_setup, "Listener", Listener)
    monkeypatch.setattr(vm_setup, "LOOK", 0.05)

    def give(*frames: bytes) -> None:
        monkeypatch.setattr(Listener, "given", frames)

    return give


async def ask(agent: Agent, *, sends: bool = True, packet: Sent = PACKET, port_id: str = "five") -> Any:
    asked = Listen(mark=MARK if sends else "", sends=sends)
    return await listened(cast(Any, agent), Ask(id="", port_id=port_id, packet=packet, listen=asked), asked)


async def test_the_vms_address_is_probed_and_it_gets_the_packet(hears: Any) -> None:
    hears(arp.answer(octets(VM), arp.Said(octets(ROUTER), OWN)), ANSWER)
    agent = Agent(dropped=(3, 8))
    heard, dropped = await ask(agent)
    assert [(one.kind, one.address, one.to) for one in heard] == [("has", str(OWN), ""), ("sends", str(OWN), ROUTER)]
    assert dropped == 5
    question, packet = (one.frame for one in agent.sent)
    assert arp.probe(question) == arp.Said(octets(ROUTER), OWN), "which no VM writes down"
    assert packet[:12] == octets(VM) + octets(ROUTER) and bytes(range(64)) in packet
    assert agent.sent[0].actions == agent.sent[1].actions, "out at its interface"


async def test_who_is_only_listened_to_gets_nothing(hears: Any) -> None:
    hears(ANSWER)
    agent = Agent()
    heard, _ = await ask(agent, sends=False)
    assert ([one.kind for one in heard], agent.sent) == (["sends"], [])


async def test_what_it_forges_is_not_shown(hears: Any) -> None:
    """But that it has its address at another MAC."""
    hears(
        arp.request(octets(OTHER), OWN, FAR),
        arp.answer(octets(VM), arp.Said(octets(ROUTER), FAR)),
        probe((octets(OTHER), octets(ROUTER)), (OWN, FAR), PROTO_ICMP, (0, 0), bytes(64)),
        probe((octets(VM), octets(ROUTER)), (IPv4Address("10.0.0.66"), FAR), PROTO_ICMP, (0, 0), bytes(64)),
        arp.answer(octets(OTHER), arp.Said(octets(ROUTER), OWN)),
        b"",
    )
    heard, _ = await ask(Agent())
    assert [(one.kind, one.mac) for one in heard] == [("has", OTHER)]


async def test_a_vm_that_resolves_everything_hides_nothing_by_that(hears: Any) -> None:
    many = [arp.request(octets(VM), OWN, OWN + number) for number in range(1, 250)]
    hears(*many, *many, ANSWER)
    heard, _ = await ask(Agent())
    assert (len(heard), heard[0].kind) == (MOST_HEARD, "sends")


@pytest.mark.parametrize(("datapath", "partial"), [("netdev", True), ("system", False)])
async def test_who_completes_checksums(hears: Any, datapath: str, partial: bool) -> None:
    """The kernel does, on its datapath."""
    half = bytearray(probe((octets(VM), octets(ROUTER)), (OWN, FAR), PROTO_TCP, (443, 49152), bytes(64)))
    half[50:52] = b"\x12\x34"
    hears(bytes(half))
    heard, _ = await ask(Agent(datapath=datapath))
    assert [one.partial for one in heard] == [partial]


async def test_bad_requests(hears: Any) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"port_id": "six"},
        {"packet": Sent(eth_src=ROUTER, eth_dst=VM, src=str(FAR), dst=str(OWN), protocol=47)},
        {"packet": Sent(eth_src=ROUTER, eth_dst="nobody", src=str(FAR), dst=str(OWN), protocol=1)},
    )
    for more in wrong:
        with pytest.raises(NotHere):
            await ask(Agent(), **more)
    with pytest.raises(NotHere, match="sub-port"):
        await ask(Agent(tag=7))
