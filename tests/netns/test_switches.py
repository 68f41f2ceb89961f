"""Physical switches of the lab's fabric follow the networks: real frames pass only because Netweft configured them."""

from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab, until

from netweft.lab.commands import vsctl
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
        for port in ("hv1-1", "hv2-1", "up1", "up2"):
            self.vsctl("clear", "Port", port, "tag", "--", "set", "Port", port, "vlan_mode=trunk", "trunks=4095")

    def take_down(self) -> None:
        self.vsctl("--if-exists", "del-br", "tor2", "--", "--if-exists", "del-port", "switch1", "up1")
        self.vsctl("--if-exists", "del-port", "hv2-1", "--", "add-port", "switch1", "hv2-1")
        self.vsctl("clear", "Port", "hv1-1", "trunks", "vlan_mode")

    def carries(self, port: str) -> str:
        return self.vsctl("get", "Port", port, "trunks")

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

    def follower(self, name: str) -> dict[str, object]:
        with self.lab.cloud() as cloud:
            found: dict[str, object] = cloud.request("GET", f"/netweft/v1/followers/{name}")["follower"]
        return found


@pytest.fixture(scope="module")
def racks(lab: Lab) -> Iterator[Racks]:
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
    lab.let_strangers_in()
    one, other = (lab.add_vm(node, network) for node in RACKS)
    assert lab.ping(one, other.nic.address)
    assert [racks.carries(port) for port in ("hv1-1", "up1", "up2", "hv2-1")] == ["[140, 4095]"] * 4
    racks.wipe()
    assert lab.ping(one, other.nic.address)
    lab.remove_vm(other)
    until(lambda: racks.carries("hv2-1") == "[4095]", "the VLAN leaves with the last port")
    assert racks.carries("hv1-1") == "[140, 4095]"
