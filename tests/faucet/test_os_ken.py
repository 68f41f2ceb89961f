"""`examples/feed-os-ken`: a controller that is told by the feed and drives a switch; in Faucet's environment, which has
os-ken.  A real Open vSwitch is the switch, `ofproto/trace` says what becomes of a frame."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.api.process.conftest import Server, environment, free_port
from tests.api.process.test_stream import Region
from tests.faucet.test_faucet import BIN
from tests.netns.harness import until
from tests.ovs.sandbox import Sandbox, running

EXAMPLE = Path(__file__).parents[2] / "examples/feed-os-ken/controller.py"

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not BIN.exists(), reason="os-ken is installed by make test-faucet"),
]


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    server = Server(tmp_path)
    server.start("--vlan-ranges", "physnet1:100:199")
    region = Region(server)
    yield region
    region.http.close()
    server.stop()


@pytest.fixture
def ovs() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@contextmanager
def controller(region: Region, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    variables = {
        "NETWEFT_URL": region.server.url,
        "NETWEFT_TOKEN": region.http.headers["X-Auth-Token"],
        "HOSTS": "hv1:1,hv2:2,hv3:3",
    }
    command = [str(BIN / "osken-manager"), "--ofp-tcp-listen-port", str(port), str(EXAMPLE)]
    with log.open("a") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment(variables)
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def switch(ovs: Sandbox, port: int) -> Callable[[int, int], str]:
    """Where a frame goes: by the port that it comes in at, and its VLAN."""
    ovs.add_bridge("rack")
    for number in (1, 2, 3):
        interface = ("set", "Interface", f"p{number}", "type=dummy", f"ofport_request={number}")
        ovs.vsctl("add-port", "rack", f"p{number}", "--", *interface)
    ovs.vsctl("set-controller", "rack", f"tcp:127.0.0.1:{port}")
    ovs.ofctl("add-flow", "rack", "cookie=0x5,priority=1,in_port=3,dl_vlan=4000,actions=2")  # somebody else's

    def goes(at: int, vlan: int) -> str:
        said = ovs.appctl("ofproto/trace", "rack", f"in_port={at},dl_vlan={vlan},dl_vlan_pcp=0")
        return ",".join(re.findall(r"output:(\d+)", said)) or "drop"

    return goes


def test_a_controller_follows_the_feed(region: Region, ovs: Sandbox, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "controller.log"
    goes = switch(ovs, port)
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 140}
    network = region.network("net", **vlan)

    def bind(host: str) -> str:
        body = {"port": {"network_id": network, "binding:host_id": host}}
        id: str = region("POST", "/v2.0/ports", body)["port"]["id"]
        return id

    with controller(region, port, log):
        bind("hv1")
        two = bind("hv2")
        until(lambda: goes(1, 140) == "2" and goes(2, 140) == "1", "they talk", 90)
        assert goes(3, 140) == goes(1, 141) == "drop"
        region("DELETE", f"/v2.0/ports/{two}")
        until(lambda: goes(1, 140) == "drop", "the VLAN leaves with the last port")
        three = bind("hv3")
        until(lambda: goes(1, 140) == "3", "another host has it")
    region("DELETE", f"/v2.0/ports/{three}")
    bind("hv2")
    with controller(region, port, log):
        until(lambda: goes(1, 140) == "2" and goes(3, 140) == "drop", "what it missed", 90)
        region.server.stop()
        region.server.start("--vlan-ranges", "physnet1:100:199")
        bind("hv3")
        until(lambda: goes(3, 140) == "1,2", "the server was away")
        assert goes(3, 4000) == "2", "not ours"
