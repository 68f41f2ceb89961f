"""`make test-switch-vm`: a Linux switch in a machine of its own forwards VMs' frames as Netweft tells it by SSH."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns.harness import Lab, lab_of_its_own, until
from tests.netns.switches.switches import RACKS, vlan
from tests.switch_vm.machine import PORTS, SwitchVm

from netweft.lab.commands import ip_batch, vsctl

DOCUMENT = Path(__file__).parents[2] / "docs/switches.md"
ROW = re.compile(r"(?m)^\| `netweft_linux_bridge` \|.*$")
REBOOTED_WITHIN = 600.0
GONE_WITHIN = 300.0  # emulated, a login alone takes seconds, and some tens beside others

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(2400),
    pytest.mark.skipif("NETWEFT_SWITCH_VM" not in os.environ, reason="make test-switch-vm runs it"),
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with lab_of_its_own() as found:
        yield found


def wire(lab: Lab, switch: SwitchVm) -> None:
    """Each hypervisor to a port of the switch, and to nothing else."""
    datapath = vsctl(lab.layout.fabric, "get", "Bridge", "switch1", "datapath_type").strip().strip('"')
    for node, tap in zip(RACKS, switch.taps, strict=True):
        ip_batch([f"link set {tap} netns {lab.layout.fabric.namespace}"])
        ip_batch([f"link set {tap} up"], namespace=lab.layout.fabric.namespace)
        bridge, port = f"w-{node}", f"{node}-1"
        words = ["del-port", "switch1", port, "--", "add-br", bridge, "--", "set", "Bridge", bridge]
        words += [f"datapath_type={datapath}", "--", "add-port", bridge, port, "--", "add-port", bridge, tap]
        vsctl(lab.layout.fabric, *words)


def test_a_linux_switch_forwards_what_it_is_configured_for(lab: Lab, tmp_path: Path) -> None:
    lab.let_strangers_in()
    switch = SwitchVm(tmp_path, (f"{lab.layout.lab}a", f"{lab.layout.lab}b"))
    with switch.running():
        wire(lab, switch)
        keys = {"device_type": "netweft_linux_bridge", "ngs_physical_networks": "physnet1", **switch.login}
        keys["netweft_hosts"] = ", ".join(f"{node}:{port}" for node, port in zip(RACKS, PORTS, strict=True))
        text = "".join(f"{key} = {value}\n" for key, value in keys.items())
        lab.layout.switches_file.write_text(f"[genericswitch:linux1]\n{text}")
        network = lab.network("10.63.0.0/24", **vlan(163))
        switch.ssh("bridge vlan add dev eth0 vid 77")  # somebody else's
        one, other = (lab.add_vm(node, network) for node in RACKS)
        until(lambda: lab.ping(one, other.nic.address), "they talk", 300)
        began = time.monotonic()
        switch.reboot()
        until(lambda: not lab.ping(one, other.nic.address), "nothing passes")
        until(lambda: lab.ping(one, other.nic.address), "they talk again", REBOOTED_WITHIN)
        rebooted = time.monotonic() - began
        switch.ssh("bridge vlan add dev eth0 vid 77")
        lab.remove_vm(other)
        until(lambda: "163" not in (switch.ssh("bridge vlan show dev eth1; echo") or "163"), "gone", GONE_WITHIN)
        assert re.search(r"\b77\b", switch.ssh("bridge vlan show dev eth0"))
        kernel = switch.ssh("uname -r").strip()
    row = "| `netweft_linux_bridge` | SSH, one script | a Linux switch in a machine of its own"
    row += f" (Debian's kernel {kernel}, its bridge, sshd and iproute2) that forwards;"
    row += f" rebooted: right in {rebooted:.0f} s (`make test-switch-vm`) |"
    document = DOCUMENT.read_text()
    assert ROW.search(document)
    DOCUMENT.write_text(ROW.sub(row, document))
