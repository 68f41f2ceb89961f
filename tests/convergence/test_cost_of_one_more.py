"""One more costs an agent the same, whatever is there: counted in lines of our code that run.

What a fake stands for (sockets, switch, database) is not counted, nor is what runs inside the interpreter: comparing or
copying a set is not seen here, looking at each of its members is.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace
from tests.convergence import agent_world
from tests.convergence.agent_world import AgentWorld

import netweft
from netweft.model import (
    FirewallGroup,
    FirewallPolicy,
    FirewallRule,
    GroupMember,
    Node,
    Object,
    Peer,
    SecurityGroup,
    SecurityGroupRule,
)
from netweft.testing.region import network, port, subnet
from netweft.wire.messages import Delta

SOURCE = str(Path(netweft.__file__).parent)
FEW, MANY = 10, 150
PER_NETWORK = 5
GROUP = SecurityGroup(
    id="group-1111",
    rules=(SecurityGroupRule(id="rule-1", direction="ingress", ethertype="IPv4", remote_group_id="group-1111"),),
)


class Counter:
    """Lines of ours that ran while it was entered."""

    def __init__(self) -> None:
        self.lines = 0

    def __enter__(self) -> "Counter":
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        caller = frame.f_back.f_code.co_filename if frame.f_back else ""
        return self._line if frame.f_code.co_filename.startswith(SOURCE) and caller != agent_world.__file__ else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.lines += event == "line"
        return self._line


class Region:
    """So many ports here, in one group, a few to a network, each network with a peer elsewhere."""

    def __init__(self, size: int, folder: Path) -> None:
        self.world = AgentWorld(folder)
        self.size = size
        self.networks = [network(number + 1) for number in range(size // PER_NETWORK)]
        self.ports = [self.port(number) for number in range(size)]
        self.peers = [self.peer(number, net.id) for number, net in enumerate(self.networks)]
        self.firewall_rules = [self.firewall_rule(number) for number in range(size)]
        ids = tuple(rule.id for rule in self.firewall_rules)
        self.firewall_policy = FirewallPolicy(id="fwp", firewall_rules=ids, places=tuple(range(9, 9 + size)))
        self.revision = 1

    def port(self, number: int) -> Any:
        return replace(port(number + 1, self.networks[number % len(self.networks)]), security_groups=(GROUP.id,))

    def firewall_rule(self, number: int) -> FirewallRule:
        return FirewallRule(id=f"{number:08x}-4444", protocol=6, source_ip_address=f"10.9.{number % 256}.0/24")

    def peer(self, number: int, network_id: str) -> Peer:
        mac = f"fa:16:3f:00:{number >> 8:02x}:{number & 255:02x}"
        return Peer(
            id=f"{number:08x}-2222",
            network_id=network_id,
            mac_address=mac,
            ip_addresses=(f"10.1.{number >> 8}.{number & 255}",),
            host_id="hv11",
        )

    async def build(self) -> None:
        node = Node(name="hv11", tunnel_ip="192.0.2.11", tunnel_types=("vxlan",))
        subnets = [subnet(net, "10.0.0.0/16") for net in self.networks]
        members = [
            GroupMember(port_id=peer.id, group_id=GROUP.id, ip_addresses=peer.ip_addresses) for peer in self.peers
        ]
        guarded = FirewallGroup(id="fwg", ingress_firewall_policy_id="fwp", egress_firewall_policy_id="fwp")
        firewalls: tuple[Object, ...] = (*self.firewall_rules, self.firewall_policy, guarded)
        self.ports[0] = replace(self.ports[0], firewall_group_id=guarded.id)
        await self.world.start()
        for wanted in self.ports:
            self.world.plug(wanted.id)
        self.world.see(
            self.world.desired.view,
            [node, *self.networks, *subnets, *self.ports, *self.peers, GROUP, *members, *firewalls],
        )
        for _ in range(3):
            await self.world.agent.turn()

    async def told(self, *objects: Object) -> None:
        self.revision = self.world.desired.view.revision + 1
        self.world.tell(Delta(revision=self.revision, upserts=objects, deletes=()))
        await self.world.agent.turn()


async def nothing(region: Region) -> None:
    await region.world.agent.turn()


async def a_port_plugged_in(region: Region) -> None:
    wanted = region.port(region.size)
    await region.told(wanted)
    region.world.plug(wanted.id)
    await region.world.agent.turn()
    assert region.world.told[wanted.id].state == "up"


async def a_peer_more(region: Region) -> None:
    await region.told(region.peer(5000, region.networks[0].id))


async def a_member_more(region: Region) -> None:
    await region.told(GroupMember(port_id="member-2222", group_id=GROUP.id, ip_addresses=("10.2.0.1",)))


async def a_rule_more(region: Region) -> None:
    web = SecurityGroupRule(
        id="rule-2", direction="ingress", ethertype="IPv4", protocol=6, port_range_min=80, port_range_max=80
    )
    await region.told(replace(GROUP, rules=(*GROUP.rules, web)))


async def a_firewall_rule_more(region: Region) -> None:
    """Before all others."""
    more = region.firewall_rule(5000)
    policy = region.firewall_policy
    first = (policy.places[0] - 1, *policy.places)
    await region.told(more, replace(policy, firewall_rules=(more.id, *policy.firewall_rules), places=first))


async def a_firewall_rule_changed(region: Region) -> None:
    await region.told(replace(region.firewall_rule(3), action="allow"))


FIREWALLS = (a_firewall_rule_more, a_firewall_rule_changed)
CHANGES = [*(nothing, a_port_plugged_in, a_peer_more, a_member_more, a_rule_more), *FIREWALLS]


def no_time_passes(patch: pytest.MonkeyPatch) -> None:
    """Else timers bring work of their own to whoever takes long, some of it for each thing that there is."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    patch.setattr(loop, "time", lambda: now)
    patch.setattr(time, "monotonic", lambda: now)


@pytest.mark.parametrize("change", CHANGES)
async def test_one_more_costs_the_same(
    change: Callable[[Region], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_time_passes(monkeypatch)
    lines, flows = [], []
    for size in (FEW, MANY):
        region = Region(size, tmp_path / str(size))
        await region.build()
        before = sum(switch.written for switch in region.world.switches.values())
        with Counter() as counter:
            await change(region)
        lines.append(counter.lines)
        flows.append(sum(switch.written for switch in region.world.switches.values()) - before)
    assert lines[1] <= 1.02 * lines[0], f"{lines} lines"
    assert flows[0] == flows[1], f"{flows} flows"
    if change in (a_member_more, a_rule_more):
        assert flows == [1, 1]
