"""FTP in active mode and TFTP by SNAT: the server calls back where a router has the helper, and only there."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.netns.harness import Inside, Lab, until
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import OUTSIDE, external_network, next_hop

from netweft.lab import host
from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

CALLERS = Path(__file__).with_name("callers.py")
FTP, OTHER, TFTP = 21, 2121, 69
BOTH = [102_400, 102_400]


@pytest.fixture(scope="module")
def vms(lab: Lab) -> Iterator[dict[str, Any]]:
    """On each node one, and their `router`."""
    blue = lab.network("10.60.0.0/24")
    external, outside = external_network(lab), next_hop(lab)
    router = make_router(lab, blue, external_gateway_info={"network_id": external})
    lab.let_strangers_in()
    found = {node: lab.add_vm(node, blue) for node in ("hv1", "hv2")}
    for vm in found.values():
        assert lab.ping(vm, OUTSIDE)
    servers = (("ftp", str(FTP), str(OTHER)), ("tftp", str(TFTP)))
    running = [Inside.script(lab.layout.host_namespace("outside"), CALLERS, *words) for words in servers]
    yield found | {"router": router}
    for one in running:
        one.__exit__()
    host.remove(lab.layout, outside)


def script(namespace: str, *words: str) -> tuple[str, ...]:
    return in_namespace(namespace, sys.executable, str(CALLERS), *words)


def asked(lab: Lab, vm: Vm, what: str, port: int) -> Any:
    command = script(lab.layout.vm_namespace(vm.name), what, OUTSIDE, str(port))
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def helper(lab: Lab, router: dict[str, Any], name: str, protocol: str, port: int) -> str:
    with lab.cloud() as cloud:
        wanted = {"helper": name, "protocol": protocol, "port": port}
        path = f"routers/{router['id']}/conntrack_helpers"
        made = cloud.request("POST", path, {"conntrack_helper": wanted})["conntrack_helper"]
    return f"{path}/{made['id']}"


def test_who_calls_back_is_let_in_where_there_is_a_helper(lab: Lab, vms: dict[str, Any]) -> None:
    def helped(node: str) -> int:
        return lab.ofctl(node, "dump-flows", "br-int").count("alg=")

    def fetched(node: str, port: int = FTP) -> Any:
        return asked(lab, vms[node], "fetch", port)

    for node in ("hv1", "hv2"):
        assert "425 10.60.0." in fetched(node), "the server is told an address that it cannot reach"
    assert asked(lab, vms["hv1"], "read", TFTP) == 0
    made = [
        helper(lab, vms["router"], *which)
        for which in (("ftp", "tcp", FTP), ("ftp", "tcp", OTHER), ("tftp", "udp", TFTP))
    ]
    until(lambda: helped("hv1") + helped("hv2") == 5, "the gateway's node has them")
    for node in ("hv1", "hv2"):
        assert fetched(node) == BOTH
        assert fetched(node, OTHER) == BOTH
        assert asked(lab, vms[node], "read", TFTP) == 512
    with lab.cloud() as cloud:
        for path in made:
            cloud.request("DELETE", path)
    until(lambda: helped("hv1") + helped("hv2") == 0, "they are gone")
    assert "425 10.60.0." in fetched("hv1")
    assert asked(lab, vms["hv2"], "read", TFTP) == 0
