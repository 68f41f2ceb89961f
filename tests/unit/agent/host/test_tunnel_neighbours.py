"""Who is asked for, when neighbours of tunnels are not known; packets try it in tests/netns/restarts/faults.py."""

import asyncio
from pathlib import Path

import pytest

from netweft.agent.host.tunnel_neighbours import TunnelNeighbours
from netweft.dataplane.openflow.flow import Output
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.model import Node
from netweft.services.l2.announce import Packet

HEAD = "IP  MAC  Bridge\n=====\n"
ARP = "ufid:{ufid}, recirc_id(0),in_port(eth0),eth_type(0x0806),arp(sip={sip},tip=198.18.0.1,op=2)\n"
ND = "ufid:{ufid}, in_port(eth0),eth_type(0x86dd),icmpv6(type=136/0,code=0/0),nd(target={sip},sll=00:00:00:00:00:00)\n"


class Vswitchd:
    """What it knows, and what it has been told to forget."""

    def __init__(self, known: str = "", gateways: dict[str, str] | None = None, flows: str = "") -> None:
        self.known, self.gateways, self.flows = known, gateways or {}, flows
        self.forgotten: list[str] = []

    async def command(self, *words: str) -> str:
        match words:
            case ("tnl/neigh/show",):
                return HEAD + self.known
            case ("ovs/route/lookup", name) if name in self.gateways:
                return f"src 198.18.0.1\ngateway {self.gateways[name]}\ndev br-phy\n"
            case ("dpctl/dump-flows", *_):
                return self.flows
            case ("dpctl/del-flow", flow):
                self.forgotten.append(flow)
                return ""
        raise CommandFailed(words[0])


async def asked_for(vswitchd: Vswitchd, *ends: str, own: str = "198.18.0.1", overlay: int | None = 4) -> list[str]:
    said: list[Packet] = []
    side = TunnelNeighbours(Path(), said.append)
    side._command = vswitchd.command  # type: ignore[assignment]
    side.want({end: Node(name=end, tunnel_ip=end) for end in ends}, own, [None, overlay])
    task = asyncio.create_task(side.run())
    await asyncio.sleep(0.05)
    task.cancel()
    assert all(packet.actions[-1] == Output(overlay or 0) for packet in said)
    return [str(packet.actions[1].value) for packet in said]  # type: ignore[union-attr]


def as_number(last: int) -> str:
    return str((198 << 24) + (18 << 16) + last)


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("", [2]),
        ("198.18.0.2  aa:bb:cc:dd:ee:ff  br-phy\n", []),
        ("198.18.0.2  aa:bb:cc:dd:ee:ff  br-phy STALE\n", [2]),
        ("198.18.0.3  aa:bb:cc:dd:ee:ff  br-phy\n", [2]),
    ],
)
async def test_who_is_not_known(known: str, asked: list[int]) -> None:
    assert await asked_for(Vswitchd(known, {"198.18.0.2": "::"}), "198.18.0.2") == list(map(as_number, asked))


async def test_a_gateway_stands_for_all_behind_it() -> None:
    gateways = {"198.18.1.2": "198.18.0.9", "198.18.1.3": "198.18.0.8"}
    vswitchd = Vswitchd("198.18.0.9  aa:bb:cc:dd:ee:ff  br-phy\n", gateways)
    assert await asked_for(vswitchd, *gateways) == [as_number(256 + 3)]


async def test_without_a_route_it_is_resolved_all_the_same() -> None:
    assert await asked_for(Vswitchd(), "198.18.0.2") == [as_number(2)]


async def test_megaflows_of_those_that_are_resolved_are_flushed() -> None:
    flows = ARP.format(ufid="1-a", sip="198.18.0.2") + ARP.format(ufid="1-b", sip="198.18.0.22")
    vswitchd = Vswitchd(flows=flows)
    await asked_for(vswitchd, "198.18.0.2")
    assert vswitchd.forgotten == ["ufid:1-a"]
    vswitchd = Vswitchd(flows=ND.format(ufid="2-a", sip="fd00::2"))
    await asked_for(vswitchd, "fd00:0::2", own="fd00::1")
    assert vswitchd.forgotten == ["ufid:2-a"]


@pytest.mark.parametrize("end", ["198.18.0.1", "fd00::2", "nonsense", ""])
async def test_ends_that_no_tunnel_leads_to(end: str) -> None:
    assert await asked_for(Vswitchd(), end) == []


@pytest.mark.parametrize("overlay", [None, -1])
async def test_without_a_tunnel_port_nothing_is_resolved(overlay: int | None) -> None:
    assert await asked_for(Vswitchd(), "198.18.0.2", overlay=overlay) == []
