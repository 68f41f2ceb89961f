"""The lab's fabric as two top-of-rack switches that Netweft manages; with a real sshd, too."""

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.netns.harness import Lab

from netweft.lab import hypervisor
from netweft.lab.cloud import credentials
from netweft.lab.commands import clean_environment, run, vsctl
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

    def describe(self, **other: Mapping[str, object]) -> None:
        """other: keys of a switch, by its name, that are not those of OVSDB."""
        usual = {"device_type": "ovsdb", "netweft_remote": database(self.lab.layout.fabric)}
        text = ""
        for name, bridge, node, uplink in (("tor1", "switch1", "hv1", "up1"), ("tor2", "tor2", "hv2", "up2")):
            keys = {
                **(other.get(name) or usual | {"netweft_bridge": bridge}),
                "netweft_hosts": f"{node}:{node}-1",
                "ngs_trunk_ports": uplink,
                "ngs_physical_networks": "physnet1",
            }
            text += f"[genericswitch:{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        self.lab.layout.switches_file.write_text(text)

    def plan(self, name: str, *words: str) -> str:
        """By the command, as an operator asks."""
        environment = clean_environment() | credentials(self.lab.layout)
        return run(str(hypervisor.NETWEFT), "follower", "plan", name, *words, env=environment)

    def carry(self, found: Mapping[str, tuple[str, str, Sequence[str]]]) -> None:
        """What a switch of another kind has for its ports: name -> mode, VLAN of untagged frames, others."""
        words: list[str] = []
        for port, (mode, own, trunks) in found.items():
            words += ["--", "clear", "Port", port, "tag", "--", "set", "Port", port]
            if mode == "ACCESS" and own:
                words += ["vlan_mode=access", f"tag={own}"]
            elif mode == "TRUNK" and not trunks:
                words += ["vlan_mode=trunk", "trunks=[]"]
            else:
                words += ["vlan_mode=trunk", f"trunks={','.join((*trunks, '4095'))}"]
        self.vsctl(*words[1:])

    def close(self, *ports: str) -> None:
        for port in ports:
            self.vsctl("clear", "Port", port, "tag", "--", "set", "Port", port, "vlan_mode=trunk", "trunks=4095")


@contextmanager
def sshd(folder: Path, ovs: Path, subsystem: str = "") -> Iterator[dict[str, object]]:
    """Debian's own, for root on this machine, and for one Open vSwitch: how to get in, as keys of a switch.

    subsystem: its name and the command, in which {port} is this server's."""
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
        **({"Subsystem": subsystem.format(port=port)} if subsystem else {}),
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # where it confines itself
    words = ("/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config"))
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            login = {"ip": "127.0.0.1", "port": port, "username": "root", "key_file": folder / "user"}
            yield {"device_type": "netmiko_ovs_linux"} | login
        finally:
            process.terminate()
