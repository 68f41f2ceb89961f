"""Every flow that we make is one that the kernel's datapath takes, whatever this machine's kernel has."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.ovs.features import BEFORE, LINUX_6_1
from tests.ovs.sandbox import running
from tests.scenarios.test_scenarios import CASES, Case, render

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.errors import FlowRejected
from netweft.dataplane.openflow.fields import match
from netweft.dataplane.openflow.flow import Flow, Output, SetField
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.services.pipeline import BridgeFlow


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
