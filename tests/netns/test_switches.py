"""Physical switches of the lab's fabric follow the networks: real frames pass only because Netweft configured them."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.netns.harness import Lab, until

from netweft.lab import host, hypervisor
from netweft.lab.cloud import credentials
from netweft.lab.commands import clean_environment, in_namespace, run, vsctl
from netweft.lab.layout import database

RACKS = ("hv1", "hv2")


def vlan(number: int) -> dict[str, object]:
    return {
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": number,
    }


class Racks:
    """Each hypervisor on a top-of-rack switch of its own, with a link between the two; both closed to begin with."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def vsctl(self, *words: str) -> str:
        return vsctl(self.lab.layout.fabric, *words).strip()

    def build(self) -> None:
        datapath = self.vsctl("get", "Bridge", "switch1", "datapath_type").strip('"')
        words = ["add-br", "tor2", "--", "set", "Bridge", "tor2", f"datapath_type={datapath}"]
        words += ["--", "del-port", "switch1", "hv2-1", "--", "add-port", "tor2", "hv2-1"]
        for bridge, port, peer in (("switch1", "up1", "up2"), ("tor2", "up2", "up1")):
            words += [
                "--",
                "add-port",
                bridge,
                port,
                "--",
                "set",
                "Interface",
                port,
                "type=patch",
                f"options:peer={peer}",
            ]
        self.vsctl(*words)
        self.wipe()

    def wipe(self) -> None:
        """As after a restart of switches that keep nothing."""
        self.close("hv1-1", "hv2-1", "up1", "up2")

    def take_down(self) -> None:
        self.vsctl("--if-exists", "del-br", "tor2", "--", "--if-exists", "del-port", "switch1", "up1")
        self.vsctl("--if-exists", "del-port", "hv2-1", "--", "add-port", "switch1", "hv2-1")
        self.vsctl("clear", "Port", "hv1-1", "trunks", "vlan_mode")

    def carries(self, vid: int, *ports: str) -> bool:
        """Whether all of these do."""
        listing = [json.loads(self.vsctl("get", "Port", port, "trunks")) for port in ports]
        return all(vid in one and 4095 in one for one in listing)

    def describe(self, **more: str) -> None:
        remote = database(self.lab.layout.fabric)
        text = ""
        for name, bridge, node, uplink in (("tor1", "switch1", "hv1", "up1"), ("tor2", "tor2", "hv2", "up2")):
            keys = {
                "device_type": "ovsdb",
                "netweft_remote": remote,
                "netweft_bridge": bridge,
                "netweft_hosts": f"{node}:{node}-1",
                "ngs_trunk_ports": uplink,
                "ngs_physical_networks": "physnet1",
            } | more
            text += f"[genericswitch:{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        self.lab.layout.switches_file.write_text(text)

    def plan(self, name: str, *words: str) -> str:
        """By the command, as an operator asks."""
        environment = clean_environment() | credentials(self.lab.layout)
        return run(str(hypervisor.NETWEFT), "follower", "plan", name, *words, env=environment)

    def close(self, *ports: str) -> None:
        for port in ports:
            self.vsctl("clear", "Port", port, "tag", "--", "set", "Port", port, "vlan_mode=trunk", "trunks=4095")


@pytest.fixture(scope="module")
def racks(lab: Lab) -> Iterator[Racks]:
    lab.let_strangers_in()
    found = Racks(lab)
    found.build()
    found.describe()
    try:
        yield found
    finally:
        lab.layout.switches_file.write_text("")
        found.take_down()


def test_two_racks_talk_through_switches_that_netweft_configured(lab: Lab, racks: Racks) -> None:
    network = lab.network("10.20.0.0/24", **vlan(140))
    one, other = (lab.add_vm(node, network) for node in RACKS)
    assert lab.ping(one, other.nic.address)
    assert racks.carries(140, "hv1-1", "up1", "up2", "hv2-1")
    racks.wipe()
    assert lab.ping(one, other.nic.address)
    lab.remove_vm(other)
    until(lambda: not racks.carries(140, "hv2-1"), "the VLAN leaves with the last port")
    assert racks.carries(140, "hv1-1")


def test_a_machine_that_is_no_vm_is_on_the_vlan_of_its_port(lab: Lab, racks: Racks) -> None:
    network = lab.network("10.21.0.0/24", **vlan(141))
    machine = lab.add_vm("hv2", network)
    plain = host.Host(name="bm", physical_network="physnet1", vlan=1, addresses=("10.21.0.200/24",))
    host.add(lab.layout, plain)
    racks.close("h-bm")
    link = {"switch_info": "tor1", "port_id": "h-bm"}
    profile: dict[str, object] = {"local_link_information": [link]}
    with lab.cloud() as cloud:
        made = cloud.create("ports", network_id=network, **{"binding:vnic_type": "baremetal"})
        cloud.update("ports", made["id"], {"binding:host_id": "node-7", "binding:profile": profile})
        until(lambda: cloud.find("ports", made["id"])["status"] == "ACTIVE", "ACTIVE once its switch has it")
        assert cloud.find("ports", made["id"])["binding:vif_type"] == "other"
        inside = in_namespace(lab.layout.host_namespace("bm"), "ping", "-nc1", "-i0.1", "-w20", machine.nic.address)
        assert not subprocess.run(inside, capture_output=True, check=False).returncode
        nowhere = profile | {"local_link_information": [link | {"port_id": "h-gone"}]}
        cloud.update("ports", made["id"], {"binding:profile": nowhere})
        said = "switch:tor1: there is no port h-gone on bridge switch1"
        until(lambda: cloud.find("ports", made["id"])["status_detail"] == said, "its switch's words")
        assert cloud.find("ports", made["id"])["status"] == "DOWN"
        until(lambda: racks.vsctl("get", "Port", "h-bm", "tag") == "[]", "the access VLAN gone")
        unknown = profile | {"local_link_information": [link | {"switch_info": "tor9"}]}
        refused = cloud.update("ports", made["id"], {"binding:profile": unknown})
        assert (refused["binding:vif_type"], "tor9" in refused["status_detail"]) == ("binding_failed", True)
        cloud.delete("ports", made["id"])


def test_what_is_not_ours_stays_and_a_plan_says_what_is_missing(lab: Lab, racks: Racks) -> None:
    racks.vsctl("set", "Port", "hv1-1", "trunks=77,142,4095")
    network = lab.network("10.22.0.0/24", **vlan(142))
    machine = lab.add_vm("hv1", network)
    until(lambda: racks.carries(142, "up1"), "142 on the way up")
    other = lab.add_vm("hv1", lab.network("10.23.0.0/24", **vlan(143)))
    until(lambda: racks.carries(143, "hv1-1"), "143 beside them")
    lab.remove_vm(machine)
    lab.remove_vm(other)
    until(lambda: not racks.carries(142, "up1") and not racks.carries(143, "hv1-1"), "both gone")
    assert racks.carries(77, "hv1-1")
    assert racks.carries(142, "hv1-1")  # it was there before there was a port
    racks.close("hv1-1")


def test_a_switch_that_is_away_delays_no_other_and_says_so_on_its_ports(lab: Lab, racks: Racks) -> None:
    remote = database(lab.layout.fabric)
    text = lab.layout.switches_file.read_text()
    first, _, second = text.partition("[genericswitch:tor2]")
    lab.layout.switches_file.write_text(f"{first}[genericswitch:tor2]{second.replace(remote, 'tcp:127.0.0.1:1')}")
    network = lab.network("10.24.0.0/24", **vlan(144))
    one, other = (lab.add_vm(node, network) for node in RACKS)
    until(lambda: racks.carries(144, "hv1-1"), "tor1 goes on")
    until(lambda: lab.port(other)["status_detail"].startswith("switch:tor2: tcp:127.0.0.1:1: "), "told")
    assert lab.port(other)["status"] == "ACTIVE"
    assert lab.port(one)["status_detail"] == ""
    lab.layout.switches_file.write_text(text)
    until(lambda: racks.carries(144, "hv2-1"), "right by itself")
    until(lambda: lab.port(other)["status_detail"] == "", "nothing to be told any more")
    assert racks.plan("switch:tor2") == ""
    with lab.away("server"):
        racks.close("hv2-1")
    until(lambda: racks.carries(144, "hv2-1"), "drift while no server ran")


@contextmanager
def sshd(folder: Path, ovs: Path) -> Iterator[tuple[int, Path]]:
    """Debian's own, for root on this machine, and for one Open vSwitch: its port, and the key that it lets in."""
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "PidFile": "none",
        "UsePAM": "no",
        "AuthorizedKeysFile": folder / "user.pub",
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
        "SetEnv": f"OVS_RUNDIR={ovs}",
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # where it confines itself
    words = ("/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config"))
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            yield port, folder / "user"
        finally:
            process.terminate()


def test_a_switch_is_configured_by_a_real_sshd(lab: Lab, racks: Racks, tmp_path: Path) -> None:
    text = lab.layout.switches_file.read_text()
    with sshd(tmp_path, lab.layout.fabric.ovs) as (port, key):
        _, _, second = text.partition("[genericswitch:tor2]")
        login = f"ip = 127.0.0.1\nport = {port}\nusername = root\nkey_file = {key}\n"
        first = f"device_type = netmiko_ovs_linux\nnetweft_hosts = hv1:hv1-1\nngs_trunk_ports = up1\n{login}"
        lab.layout.switches_file.write_text(f"[genericswitch:tor1]\n{first}[genericswitch:tor2]{second}")
        network = lab.network("10.25.0.0/24", **vlan(145))
        one, other = (lab.add_vm(node, network) for node in RACKS)
        assert lab.ping(one, other.nic.address)
        until(lambda: racks.plan("switch:tor1") == "", "all is there")

        def missing() -> str:
            racks.close("hv1-1")  # each time: it may be right again already, it is looked at now and then
            return racks.plan("switch:tor1", "--commands")

        until(lambda: "ovs-vsctl add port hv1-1 trunks 145\n" in missing(), "a plan says the very commands")
        lab.remove_vm(other)
        lab.remove_vm(one)
        until(lambda: not racks.carries(145, "up1"), "gone with the last one")
    lab.layout.switches_file.write_text(text)
