"""Every flow that we make is one that the kernel's datapath takes, whatever this machine's kernel has."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.ovs.features import BEFORE, LINUX_6_1
from tests.ovs.sandbox import running
from tests.scenarios.test_scenarios import CASES, Case, render
from tests.unit.services.l2.test_stt import NET, OURS, THEIRS, elsewhere, node_with
from tests.unit.services.l3.gateways.test_flows import region as region
from tests.unit.services.l3.gateways.test_nat66 import region as nat66
from tests.unit.services.l3.gateways.test_several import region as several
from tests.unit.services.l3.port_forwarding.test_flows import forwarded as forwarded
from tests.unit.services.l3.routing.test_flows import B1, R1
from tests.unit.services.l3.routing.test_flows import region as routed
from tests.unit.services.lb.test_balancing import POOL, balanced, member, proxied
from tests.unit.services.security.test_firewalls import ALL, WEB, Made, group, policy, rule

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.errors import FlowRejected
from netweft.dataplane.openflow.fields import PROTO_TCP, match
from netweft.dataplane.openflow.flow import Flow, Meter, Output, SetField
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.dataplane.stt.values import SttNetwork
from netweft.model import FirewallLog
from netweft.model.load_balancer import SessionPersistence
from netweft.services.pipeline import BridgeFlow
from netweft.testing.node import FakeNode
from netweft.testing.region import Region


@pytest.fixture
async def switch() -> AsyncIterator[OpenFlowConnection]:
    with running() as ovs:
        ovs.add_bridge("kernel")
        for feature in {**LINUX_6_1, **BEFORE}:
            ovs.appctl("dpif/set-dp-features", "kernel", feature, "false")
        connection = await OpenFlowConnection.connect(ovs.mgmt("kernel"))
        yield connection
        await connection.close()


async def test_it_refuses_what_it_lacks(switch: OpenFlowConnection) -> None:
    """So that the test below can fail."""
    advertisement = match(eth_type=0x86DD, ip_proto=58, icmpv6_type=136)
    actions = (SetField("nd_reserved", 0), Output(1))
    with pytest.raises(FlowRejected):
        await switch.apply([Flow(table=0, priority=1, match=advertisement, actions=actions)])


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
async def test_it_takes_all_flows_of_ours(switch: OpenFlowConnection, folder: Path) -> None:
    items = render(msgspec.json.decode((folder / "view.json").read_bytes(), type=Case))
    await switch.change_meters([(MeterCommand.ADD, item) for item in items if isinstance(item, DropMeter)])
    roles = {item.bridge for item in items if isinstance(item, BridgeFlow)}
    for role in roles:
        await switch.apply([item.flow for item in items if isinstance(item, BridgeFlow) and item.bridge == role])


REGIONS = (forwarded, nat66, routed, several)  # they are there


def firewalled(guarded: str) -> Region:
    """All that a rule can ask for: ports of both ends, a refusal that is told, a log."""
    ports = (("min", 5), ("max", 99))
    ends = {f"{end}_port_range_{of}": port for end in ("source", "destination") for of, port in ports}
    reject, both = rule(40, "reject", protocol=PROTO_TCP), rule(60, "deny", protocol=PROTO_TCP, **ends)
    named = policy(6, WEB, both, reject, *ALL)
    more = (group(named, named, project_id="red"), FirewallLog(id="l", project_id="red"))
    return Made(guarded).settle(WEB, both, reject, *ALL, named, *more).region


async def takes(switch: OpenFlowConnection, nodes: Iterable[FakeNode]) -> None:
    for node in nodes:
        for bridge in node.bridges.values():
            flows = list(bridge.flows.values())
            ids = {action.id for flow in flows for action in flow.actions if isinstance(action, Meter)}
            meters = [DropMeter(id=id, unit="pktps", rate=100, burst=100) for id in sorted(ids)]
            await switch.change_meters([(MeterCommand.ADD, meter) for meter in meters])
            await switch.apply(flows)
            await switch.change_meters([(MeterCommand.DELETE, meter) for meter in meters])


@pytest.mark.parametrize("name", ["forwarded", "nat66", "several", "balanced 4", "balanced 6", "proxied"])
async def test_it_takes_all_flows_of_routers(
    switch: OpenFlowConnection, request: pytest.FixtureRequest, name: str
) -> None:
    """With gateways, floating IPs and their forwarded ports; and of load balancers."""
    found: Region = request.getfixturevalue("routed" if name[:8] in ("balanced", "proxied") else name)
    if name.startswith("balanced"):
        version = int(name[-1])
        kept = SessionPersistence(type="SOURCE_IP", persistence_granularity={4: "255.255.255.0", 6: "::"}[version])
        pool = replace(POOL, session_persistence=kept)
        balanced(found, member(1, B1, version), member(2, R1, version), pool=pool)
    if name == "proxied":
        proxied(found)
    await takes(switch, found.nodes.values())


@pytest.mark.parametrize("guarded", ["router", "port"])
async def test_it_takes_all_flows_of_firewalls(switch: OpenFlowConnection, guarded: str) -> None:
    await takes(switch, firewalled(guarded).nodes.values())


async def test_it_takes_all_flows_of_stt(switch: OpenFlowConnection) -> None:
    node = node_with(NET, OURS, *elsewhere("hv2", "192.0.2.2", THEIRS))
    assert any(isinstance(item, SttNetwork) for item in node.applied.values())
    await takes(switch, [node])
