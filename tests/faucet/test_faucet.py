"""`make test-faucet`: a real Faucet drives the lab's switch, and Netweft says in its file which VLANs are where."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.netns.harness import Lab, lab_of_its_own, until
from tests.netns.switches import vlan

from netweft.lab.commands import in_namespace, run, vsctl

BIN = Path(__file__).parents[2] / ".venv/faucet/bin"
PORTS = ("hv1-1", "hv2-1")
DPID = 0x42

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not BIN.exists(), reason="Faucet is installed by make test-faucet"),
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with lab_of_its_own() as found:
        yield found


def describe(lab: Lab, config: Path, pid: Path) -> None:
    """The switch for Faucet, with a port of somebody else's; and for Netweft."""
    numbers = {port: vsctl(lab.layout.fabric, "get", "Interface", port, "ofport").strip() for port in PORTS}
    interfaces = "".join(f"      {number}: {{name: {port}}}\n" for port, number in numbers.items())
    config.write_text(
        "vlans:\n  parked: {vid: 4000}\n"
        f"dps:\n  campus:\n    dp_id: {DPID}\n    hardware: Open vSwitch\n    interfaces:\n{interfaces}"
        "      4090: {name: spare, native_vlan: parked}\n"
    )
    lab.layout.switches_file.write_text(
        "[genericswitch:campus]\ndevice_type = faucet\n"
        f"netweft_config = {config}\nnetweft_pid_file = {pid}\n"
        "netweft_hosts = hv1:hv1-1, hv2:hv2-1\nngs_physical_networks = physnet1\n"
    )


@contextmanager
def faucet(lab: Lab, config: Path, pid: Path) -> Iterator[Path]:
    """Beside the switch.  Its log."""
    log = config.with_suffix(".log")
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "FAUCET_CONFIG": str(config),
        "FAUCET_LOG": str(log),
        "FAUCET_EXCEPTION_LOG": str(config.with_suffix(".exceptions")),
    }
    words = in_namespace(lab.layout.fabric.namespace, str(BIN / "osken-manager"), "faucet.faucet")
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid.write_text(str(process.pid))
    try:
        yield log
    finally:
        process.terminate()
        process.wait(20)


def test_vms_talk_because_faucet_was_told_their_vlan(lab: Lab, tmp_path: Path) -> None:
    config, pid = tmp_path / "faucet.yaml", tmp_path / "pid"
    lab.let_strangers_in()
    run("ip", "-n", lab.layout.fabric.namespace, "link", "set", "lo", "up")
    words = (f"other_config:datapath-id={DPID:016x}", "fail_mode=secure")
    vsctl(
        lab.layout.fabric, "set", "Bridge", "switch1", *words, "--", "set-controller", "switch1", "tcp:127.0.0.1:6653"
    )
    describe(lab, config, pid)
    with faucet(lab, config, pid) as log:
        until(lambda: log.exists() and "Configuring VLAN parked" in log.read_text(), "Faucet has the switch", 60)
        network = lab.network("10.20.0.0/24", **vlan(140))
        one, other = (lab.add_vm(node, network) for node in ("hv1", "hv2"))
        until(lambda: lab.ping(one, other.nic.address, seconds=2), "they talk")
        assert config.read_text().count("- 140") == len(PORTS)
        lab.remove_vm(other)
        until(lambda: config.read_text().count("- 140") == 1, "the VLAN leaves with the last port")
        assert "parked" in config.read_text()
