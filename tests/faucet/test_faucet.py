"""`make test-faucet`: a real Faucet drives the lab's switch, and Netweft says in its file which VLANs are where."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.netns.harness import Lab, group_of, lab_of_its_own, until
from tests.netns.switches.switches import vlan

from netweft.lab import host
from netweft.lab.commands import in_namespace, ip_batch, run, vsctl
from netweft.lab.host import Host

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


def describe(lab: Lab, config: Path, pid: Path, ports: Sequence[str], keys: str) -> None:
    """The switch for Faucet, with a port of somebody else's; and for Netweft."""
    numbers = {port: vsctl(lab.layout.fabric, "get", "Interface", port, "ofport").strip() for port in ports}
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
        f"{keys}"
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


@contextmanager
def driven(lab: Lab, folder: Path, ports: Sequence[str], keys: str = "") -> Iterator[Path]:
    """Faucet has the switch; its file."""
    config, pid = folder / "faucet.yaml", folder / "pid"
    run("ip", "-n", lab.layout.fabric.namespace, "link", "set", "lo", "up")
    words = (f"other_config:datapath-id={DPID:016x}", "fail_mode=secure")
    vsctl(
        lab.layout.fabric, "set", "Bridge", "switch1", *words, "--", "set-controller", "switch1", "tcp:127.0.0.1:6653"
    )
    describe(lab, config, pid, ports, keys)
    with faucet(lab, config, pid) as log:
        until(lambda: log.exists() and "Configuring VLAN parked" in log.read_text(), "Faucet has the switch", 60)
        yield config


def test_vms_talk_because_faucet_has_their_vlan(lab: Lab, tmp_path: Path) -> None:
    lab.let_strangers_in()
    with driven(lab, tmp_path, PORTS) as config:
        network = lab.network("10.20.0.0/24", **vlan(140))
        one, other = (lab.add_vm(node, network) for node in ("hv1", "hv2"))
        until(lambda: lab.ping(one, other.nic.address, seconds=2), "they talk")
        assert config.read_text().count("- 140") == len(PORTS)
        lab.remove_vm(other)
        until(lambda: config.read_text().count("- 140") == 1, "the VLAN leaves with the last port")
        assert "parked" in config.read_text()


def test_a_machines_security_groups_are_acls(lab: Lab, tmp_path: Path) -> None:
    """A machine that is no VM: what reaches it, and what it may send, is what its groups say."""
    lab.let_strangers_in()
    network = lab.network("10.21.0.0/24", **vlan(141))
    anything = {"direction": "egress", "ethertype": "IPv4"}
    echo = {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"}
    with lab.cloud() as cloud:
        silent, heard = (
            group_of(cloud, name, rules, stateful=False)
            for name, rules in (("silent", [echo]), ("heard", [anything, echo]))
        )
        made = cloud.create("ports", network_id=network, security_groups=[silent], **{"binding:vnic_type": "baremetal"})
        address = made["fixed_ips"][0]["ip_address"]
        host.add(lab.layout, Host(name="bm", physical_network="physnet1", vlan=1, addresses=(f"{address}/24",)))
        inside = lab.layout.host_namespace("bm")
        ip_batch([f"link set eth0 address {made['mac_address']}"], namespace=inside)
        with driven(lab, tmp_path, (*PORTS, "h-bm"), "netweft_acls = true\n") as config:
            other = lab.add_vm("hv1", network)
            profile = {"local_link_information": [{"switch_info": "campus", "port_id": "h-bm"}]}
            cloud.update("ports", made["id"], {"binding:host_id": "node-7", "binding:profile": profile})
            until(lambda: cloud.find("ports", made["id"])["status"] == "ACTIVE", "ACTIVE once Faucet's file has it")
            assert cloud.find("ports", made["id"])["status_detail"] == ""

            def passes() -> bool:
                ping = in_namespace(inside, "ping", "-nc1", "-w2", other.nic.address)
                return not subprocess.run(ping, capture_output=True, check=False).returncode

            def resolves() -> bool:
                """ARP is no IP: it passes, so the VLAN is there."""
                run(*in_namespace(inside, "ip", "neigh", "flush", "all"))
                passes()
                return "lladdr" in run(*in_namespace(inside, "ip", "neigh", "show", other.nic.address))

            until(resolves, "the machine is on its VLAN")
            assert not passes()  # it may send nothing
            cloud.update("ports", made["id"], {"security_groups": [heard]})
            until(passes, "it may send, and is answered")
            assert lab.ping(other, address, seconds=2)
            gone = next(one for one in cloud.list("security_group_rules", security_group_id=heard)
                        if one["direction"] == "ingress")  # fmt: skip
            cloud.delete("security_group_rules", gone["id"])
            until(lambda: not lab.ping(other, address, seconds=2), "nothing reaches it any more")
            cloud.delete("ports", made["id"])
            until(lambda: "netweft-" not in config.read_text(), "its ACLs are gone with it")
