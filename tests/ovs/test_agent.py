"""The agent on two real hypervisors, with real packets through VXLAN: wiring, repair, restarts."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.ovs.hypervisors import Hypervisor, available, cable, new_tag, ping, run
from tests.waiting import PATIENCE

from netweft.model import Network, Node, Object, Peer, Port, PortState
from netweft.testing.feed import FakeFeed
from netweft.testing.region import ANYTHING, network, port

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="needs root and Open vSwitch")]

NET = network(1)
HERE, THERE, ANOTHER = port(1, NET, "10.5.5.1", "2001:db8::1"), port(2, NET, "10.5.5.2"), port(3, NET, "10.5.5.3")


@dataclass
class World:
    feed: FakeFeed
    hv1: Hypervisor
    hv2: Hypervisor
    vm1: str = ""
    vm2: str = ""

    def up(self, node: str, *ports: Port) -> bool:
        statuses = self.feed.statuses[node]
        return all(wanted.id in statuses and statuses[wanted.id].state == PortState.UP for wanted in ports)

    async def wired(self) -> None:
        await self.feed.wait(lambda: self.up("hv1", HERE) and self.up("hv2", THERE))

    async def settled(self, seconds: float = PATIENCE) -> None:
        """Until nothing is left to do."""
        await until(lambda: asyncio.to_thread(lambda: self.hv1.in_sync() and self.hv2.in_sync()), seconds)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def answers(vm: str, address: str) -> bool:
    return await ping(vm, address) == 1


def view(*here: Port, **elsewhere: Port) -> list[Object]:
    """What a node sees that has these ports, with those on other nodes."""
    peers = [
        Peer(
            id=there.id, network_id=there.network_id, mac_address=there.mac_address, host_id=node,
            ip_addresses=tuple(fixed.ip_address for fixed in there.fixed_ips),
        )
        for node, there in elsewhere.items()
    ]  # fmt: skip
    nodes = [Node(name=node, tunnel_ip=f"192.0.2.{node[-1]}", tunnel_types=("vxlan",)) for node in elsewhere]
    return [NET, ANYTHING, *here, *peers, *nodes]


@pytest.fixture
async def world(tmp_path: Path, tag: str, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """hv1 with HERE, hv2 with THERE; both wired.  A parameter is put into the agents' settings."""
    hypervisors: list[Hypervisor] = []
    async with FakeFeed(tmp_path / "feed") as feed:
        try:
            for number in (1, 2):
                hypervisors.append(Hypervisor(f"hv{number}", tag, tmp_path, feed.path, f"192.0.2.{number}"))
            made = World(feed, hypervisors[0], hypervisors[1])
            await feed.set("hv1", view(HERE, hv2=THERE))
            await feed.set("hv2", view(THERE, hv1=HERE))
            cable(made.hv1, made.hv2)
            for hypervisor in hypervisors:
                hypervisor.settings = getattr(request, "param", "")
                hypervisor.start_agent()
            await until(lambda: asyncio.to_thread(lambda: all("br-int" in hv.vsctl("list-br") for hv in hypervisors)))
            made.vm1 = await asyncio.to_thread(made.hv1.plug, HERE, "10.5.5.1/24", "2001:db8::1/64")
            made.vm2 = await asyncio.to_thread(made.hv2.plug, THERE, "10.5.5.2/24")
            await made.wired()
            # the userspace datapath drops the first packet to an end point whose MAC it has to ask for
            await until(lambda: answers(made.vm1, "10.5.5.2"))
            yield made
        finally:
            for hypervisor in hypervisors:
                hypervisor.close()


@pytest.fixture
def tag() -> str:
    return new_tag()


async def test_vms_talk_over_vxlan(world: World) -> None:
    assert await ping(world.vm1, "10.5.5.2", 3) == 3
    assert await ping(world.vm2, "10.5.5.1", 3) == 3
    command = [sys.executable, "-m", "netweft", "agent", "plan", "--config", str(world.hv1.settings_file())]
    assert await asyncio.to_thread(run, *command) == "", "in sync"
    tag = world.hv1.vsctl("get", "Port", f"tap{HERE.id[:8]}", "tag", "external_ids:netweft-network").split()
    assert tag[0].isdigit()
    assert tag[1].strip('"') == NET.id


@pytest.mark.parametrize("world", ['interconnect = "veth"'], indirect=True)
async def test_bridges_joined_by_a_veth_pair(world: World) -> None:
    assert await ping(world.vm1, "10.5.5.2", 3) == 3
    assert "veth-tun" in world.hv1.vsctl("list-ports", "br-int")


@pytest.mark.parametrize("world", ['interconnect = "veth"'], indirect=True)
@pytest.mark.parametrize("at_once", [False, True], ids=["", "seen by vswitchd when it is there again"])
async def test_a_veth_pair_deleted_by_hand(world: World, at_once: bool) -> None:
    vswitchd = world.hv1.processes["ovs-vswitchd"]
    before = link_number(world.hv1, "veth-tun")
    if at_once:
        vswitchd.send_signal(signal.SIGSTOP)
    world.hv1.inside("ip", "link", "delete", "veth-tun")
    await until(lambda: asyncio.to_thread(lambda: link_number(world.hv1, "veth-tun") not in ("", before)))
    vswitchd.send_signal(signal.SIGCONT)
    await until(lambda: answers(world.vm1, "10.5.5.2"), 10)
    assert await ping(world.vm1, "10.5.5.2", 3) == 3
    await world.settled()


def link_number(node: Hypervisor, name: str) -> str:
    """Empty when there is none."""
    links = node.inside("ip", "-oneline", "link", "show").splitlines()
    return next((line.partition(":")[0] for line in links if f" {name}@" in line), "")


async def test_a_spoofed_address_gets_nothing_through(world: World) -> None:
    for words in (["add", "10.5.5.66/24", "dev", "eth0"], ["del", "10.5.5.1/24", "dev", "eth0"]):
        process = await asyncio.create_subprocess_exec("ip", "-n", world.vm1, "address", *words)
        await process.wait()
    assert await ping(world.vm1, "10.5.5.2", 2) == 0


BREAKAGES: dict[str, Callable[[Hypervisor], object]] = {
    "flows of br-int deleted": lambda hv: hv.ofctl("del-flows", "br-int"),
    "flows of br-tun deleted": lambda hv: hv.ofctl("del-flows", "br-tun"),
    "a flow changed": lambda hv: hv.ofctl("mod-flows", "br-int", "table=7,actions=drop"),
    "patch port removed": lambda hv: hv.vsctl("del-port", "patch-tun"),
    "tunnel port removed": lambda hv: hv.vsctl("del-port", "vxlan-overlay"),
    "tunnel's options changed": lambda hv: hv.vsctl("set", "Interface", "vxlan-overlay", "options:remote_ip=192.0.2.9"),
    "tag changed": lambda hv: hv.vsctl("set", "Port", f"tap{HERE.id[:8]}", "tag=77"),
    "tag removed": lambda hv: hv.vsctl("clear", "Port", f"tap{HERE.id[:8]}", "tag", "external_ids"),
    "fail mode changed": lambda hv: hv.vsctl("set-fail-mode", "br-int", "standalone"),
    "br-tun deleted": lambda hv: hv.vsctl("del-br", "br-tun"),
    "tunnel address removed": lambda hv: hv.inside("ip", "address", "flush", "dev", "br-phy"),
    "underlay bridge deleted": lambda hv: hv.vsctl("del-br", "br-phy"),
}


async def test_what_is_broken_by_hand_is_repaired(world: World) -> None:
    await world.settled()
    before = {bridge: len(world.hv1.flows(bridge)) for bridge in ("br-int", "br-tun")}
    for what, breakage in BREAKAGES.items():
        await asyncio.to_thread(breakage, world.hv1)
        await asyncio.sleep(0.05)
        await world.settled(10)
        assert {bridge: len(world.hv1.flows(bridge)) for bridge in before} == before, what
        await until(lambda: answers(world.vm1, "10.5.5.2"), 10)


async def test_what_is_not_ours_is_left_alone(world: World) -> None:
    hv = world.hv1
    hv.ofctl("add-flow", "br-int", "table=0,priority=5,in_port=99,cookie=0x1234,actions=drop")
    hv.vsctl("add-port", "br-int", "stranger", "--", "set", "Interface", "stranger", "type=internal")
    hv.vsctl("add-br", "br-other", "--", "set", "Bridge", "br-other", "datapath_type=netdev")
    world.hv1.kill("agent")
    world.feed.statuses["hv1"].clear()
    hv.start_agent()
    await world.wired()
    await world.settled()
    assert any("priority=5,in_port=99" in flow for flow in hv.flows("br-int"))
    assert "stranger" in hv.vsctl("list-ports", "br-int")
    assert "br-other" in hv.vsctl("list-br")


async def test_unplugged_and_plugged_again(world: World) -> None:
    tap = f"tap{HERE.id[:8]}"
    world.hv1.vsctl("del-port", tap)
    await world.feed.wait(lambda: world.feed.statuses["hv1"][HERE.id].state == PortState.DOWN)
    assert not any(HERE.id[:8] in flow for flow in world.hv1.flows("br-int"))
    world.hv1.add_port(tap, HERE.id)
    await world.wired()
    await until(lambda: answers(world.vm1, "10.5.5.2"))


async def test_an_agent_that_is_killed_and_comes_back_loses_no_packet(world: World) -> None:
    tag = world.hv1.vsctl("get", "Port", f"tap{HERE.id[:8]}", "tag")
    pinging = asyncio.create_task(ping(world.vm1, "10.5.5.2", 300, 0.01))
    await asyncio.sleep(0.5)
    world.hv1.kill("agent")
    await asyncio.sleep(0.3)
    world.feed.statuses["hv1"].clear()
    world.hv1.start_agent()
    await world.wired()
    assert await pinging == 300
    assert world.hv1.vsctl("get", "Port", f"tap{HERE.id[:8]}", "tag") == tag


async def test_without_a_server_a_restarted_agent_keeps_and_repairs_what_is_there(world: World) -> None:
    await asyncio.sleep(1.5)  # the view is written to disk about a second after it came
    await world.feed.close()
    world.hv1.kill("agent")
    pinging = asyncio.create_task(ping(world.vm1, "10.5.5.2", 200, 0.01))
    world.hv1.start_agent()
    assert await pinging == 200
    world.hv1.ofctl("del-flows", "br-int")
    await world.settled()
    assert await ping(world.vm1, "10.5.5.2", 3) == 3


async def test_without_server_and_without_memory_nothing_is_taken_away(world: World) -> None:
    await asyncio.sleep(1.5)
    await world.feed.close()
    world.hv1.kill("agent")
    (world.hv1.folder / "state" / "view").unlink()
    flows = world.hv1.flows("br-int")
    pinging = asyncio.create_task(ping(world.vm1, "10.5.5.2", 200, 0.01))
    world.hv1.start_agent()
    assert await pinging == 200
    assert world.hv1.flows("br-int") == flows


async def test_a_stopped_agent_ends_quickly_and_leaves_everything_in_place(world: World) -> None:
    flows = world.hv1.flows("br-int")
    async with asyncio.timeout(5):
        await asyncio.to_thread(world.hv1.kill, "agent", 15)
    assert world.hv1.flows("br-int") == flows
    assert await ping(world.vm1, "10.5.5.2", 3) == 3
    assert "false" in world.hv1.vsctl("get", "Open_vSwitch", ".", "other_config:flow-restore-wait")


async def test_ovsdb_server_restarts(world: World) -> None:
    pinging = asyncio.create_task(ping(world.vm1, "10.5.5.2", 300, 0.01))
    world.hv1.kill("ovsdb-server")
    await asyncio.sleep(0.5)
    await asyncio.to_thread(world.hv1.start_ovsdb)
    assert await pinging == 300
    tap = f"tap{HERE.id[:8]}"
    await asyncio.to_thread(world.hv1.vsctl, "del-port", tap)
    await world.feed.wait(lambda: world.feed.statuses["hv1"][HERE.id].state == PortState.DOWN)
    await asyncio.to_thread(world.hv1.add_port, tap, HERE.id)
    await world.wired()


async def test_vswitchd_restarts(world: World) -> None:
    await until(lambda: asyncio.to_thread(restore_wait_is_set, world.hv1))
    before = world.hv1.flows("br-int")
    pinging = asyncio.create_task(ping(world.vm1, "10.5.5.2", 900, 0.01))
    await asyncio.sleep(0.3)
    world.hv1.kill("ovs-vswitchd")
    world.hv1.start_vswitchd()
    answered = await pinging
    print(f"\nvswitchd restarted: {900 - answered} of 900 packets at 100/s lost")
    assert answered > 200
    await world.settled(10)
    assert len(world.hv1.flows("br-int")) == len(before)
    await until(lambda: answers(world.vm1, "10.5.5.2"))
    await until(lambda: asyncio.to_thread(restore_wait_is_set, world.hv1))


def restore_wait_is_set(hypervisor: Hypervisor) -> bool:
    return '"true"' in hypervisor.vsctl("get", "Open_vSwitch", ".", "other_config:flow-restore-wait")


async def test_a_port_without_a_home_says_why(world: World) -> None:
    await world.feed.set("hv1", [*view(HERE, ANOTHER, hv2=THERE)[1:], Network(id=NET.id)])
    await asyncio.to_thread(world.hv1.plug, ANOTHER)
    await world.feed.wait(lambda: ANOTHER.id in world.feed.statuses["hv1"])
    status = world.feed.statuses["hv1"][ANOTHER.id]
    assert status.state == PortState.ERROR
    assert "no segment" in status.detail
