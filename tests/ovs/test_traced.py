"""What a trace asks of Open vSwitch, on the datapath that this machine has (root, in a namespace of its own)."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from tests.netns.frames import udp4
from tests.ovs.sandbox import Sandbox, own_network, running
from tests.waiting import until

from netweft.agent.queries.tracing import KNOWN, NEW, _known, _tracks
from netweft.dataplane.host.datapath import kernel_has_openvswitch
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.dataplane.unixctl.ofproto_trace import Part, asking, outs, parts

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
ENDS = ("10.0.0.1", "10.0.0.2")


@pytest.fixture
def bridge() -> Iterator[Sandbox]:
    """br0, on that datapath."""
    kind = "system" if kernel_has_openvswitch() else "netdev"
    with own_network(), running(options=(), datapath_type=kind) as sandbox:
        sandbox.add_bridge("br0")
        yield sandbox
        sandbox.vsctl("del-br", "br0")


async def test_a_connection_is_known(bridge: Sandbox) -> None:
    async def command(*words: str) -> str:
        try:
            return bridge.appctl(*words)
        except subprocess.CalledProcessError as error:
            raise CommandFailed(error.stderr) from None

    asked = Part(flow=f"udp,ct_zone=7,nw_src={ENDS[0]},nw_dst={ENDS[1]},tp_src=4000,tp_dst=53")
    assert (await _tracks(command), await _known(asked, command)) == (0, NEW)
    packet = udp4(MACS, ENDS, b"x", (4000, 53)).hex()
    bridge.ofctl("packet-out", "br0", f"in_port=LOCAL packet={packet} actions=ct(commit,zone=7)")
    await until(lambda: "zone=7" in bridge.appctl("dpctl/dump-conntrack"))
    assert (await _tracks(command), await _known(asked, command)) == (1, KNOWN)


@pytest.mark.skipif(not kernel_has_openvswitch(), reason="of the kernel's tunnels")
def test_what_leaves_by_a_tunnel_and_by_a_port(bridge: Sandbox) -> None:
    tunnel = ("--", "set", "interface", "vx0", "type=vxlan", "options:remote_ip=flow", "options:key=flow")
    bridge.vsctl("add-port", "br0", "vx0", *tunnel)
    bridge.vsctl("add-port", "br0", "in0", "--", "set", "interface", "in0", "type=internal")
    sets = "set_field:7->tun_id,set_field:192.0.2.2->tun_dst"
    bridge.ofctl("add-flow", "br0", f"actions={sets},output:vx0,output:in0")
    (part,) = parts(bridge.appctl(*asking("br0", "in_port=LOCAL,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2")))
    assert [(one.interface, one.tunnel.get("dst")) for one in outs(part.datapath)] == [
        ("vxlan_sys_4789", "192.0.2.2"), ("in0", None),
    ]  # fmt: skip
