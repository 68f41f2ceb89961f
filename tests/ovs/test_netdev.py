"""The userspace datapath as hypervisors without the kernel module have it (root, in a namespace of its own)."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from tests.ovs.sandbox import Sandbox, own_network, running
from tests.waiting import PATIENCE

from netweft.dataplane.host import kernel_state
from netweft.dataplane.host.datapath import kernel_has_openvswitch
from netweft.dataplane.host.links import HostLinks
from netweft.dataplane.host.values import Address, VethPair
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.driver import RowDriver
from netweft.dataplane.ovsdb.rows import MARK, BridgeRow, PortRow
from netweft.dataplane.ovsdb.view import OvsView

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

OURS = ((MARK, "test"),)


@pytest.fixture
def netdev() -> Iterator[Sandbox]:
    with own_network(), running(options=(), datapath_type="netdev") as sandbox:
        yield sandbox


async def test_bridges_a_tunnel_and_a_veth_between_them(netdev: Sandbox) -> None:
    links = HostLinks()
    await links.ensure_veth(VethPair(name="D-int", peer="D-tun"))
    connection = await OvsdbConnection.connect(netdev.db)
    view = OvsView(connection.replica)
    driver = RowDriver(connection)
    options = (("key", "flow"), ("local_ip", "192.0.2.1"), ("remote_ip", "flow"))
    driver.want(
        [
            BridgeRow(name="br-int", datapath_type="netdev", external_ids=OURS),
            BridgeRow(name="br-phy", datapath_type="netdev", external_ids=OURS, fail_mode="standalone"),
            PortRow(name="D-int", bridge="br-int", external_ids=OURS),
            PortRow(name="D-tun", bridge="br-phy", external_ids=OURS),
            PortRow(name="vxlan0", bridge="br-int", type="vxlan", options=options, external_ids=OURS),
        ]
    )
    async with asyncio.timeout(PATIENCE):
        await driver.apply(delete=True, wait=True)
    assert all((view.ofport(name) or 0) > 0 for name in ("D-int", "D-tun", "vxlan0"))
    await links.ensure_up("br-phy")
    assert await links.ensure_address(Address("br-phy", "192.0.2.1", 24))
    assert kernel_state.has(Address("br-phy", "192.0.2.1", 24), kernel_state.addresses())
    await connection.close()


async def test_the_datapath_is_what_the_kernel_has(netdev: Sandbox) -> None:
    connection = await OvsdbConnection.connect(netdev.db)
    expected = "system" if kernel_has_openvswitch() else "netdev"
    await connection.wait_for(lambda replica: bool(replica.root.datapath_types))
    assert OvsView(connection.replica).datapath_type() == expected
    await connection.close()
