"""Physical switches of the lab's fabric follow the networks: real frames pass only because Netweft configured them."""

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.netns.harness import REAL_MACHINES, Lab, until
from tests.netns.switches.netconf_switch import Carrier, edit, netconf_switch
from tests.netns.switches.switches import RACKS, Racks, sshd, vlan

from netweft.lab import host
from netweft.lab.commands import in_namespace

SLOWLY = 120.0  # netconfd, and a connection that is made anew


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


@contextmanager
def described(racks: Racks, **other: Mapping[str, object]) -> Iterator[None]:
    """While the block lasts."""
    racks.describe(**other)
    try:
        yield
    finally:
        racks.describe()


def test_two_racks_talk_through_switches_that_netweft_configured(lab: Lab, racks: Racks) -> None:
    network = lab.network("10.20.0.0/24", **vlan(140))
    one, other = (lab.add_vm(node, network) for node in RACKS)
    until(lambda: lab.ping(one, other.nic.address), "they talk")
    assert racks.carries(140, "hv1-1", "up1", "up2", "hv2-1")
    racks.wipe()
    until(lambda: lab.ping(one, other.nic.address), "they talk again")
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
        found = cloud.find("ports", made["id"])
        assert found["binding:vif_type"] == "other"
        assert found["status_detail"] == "switch:tor1: security groups are not in force there"
        inside = in_namespace(lab.layout.host_namespace("bm"), "ping", "-nc1", "-w2", machine.nic.address)
        until(lambda: not subprocess.run(inside, capture_output=True, check=False).returncode, "the machine talks")
        nowhere = profile | {"local_link_information": [link | {"port_id": "h-gone"}]}
        cloud.update("ports", made["id"], {"binding:profile": nowhere})
        said = "switch:tor1: there is no port h-gone on bridge switch1; "
        until(lambda: cloud.find("ports", made["id"])["status_detail"].startswith(said), "its switch's words")
        assert cloud.find("ports", made["id"])["status"] == "DOWN"
        until(lambda: racks.vsctl("get", "Port", "h-bm", "tag") == "[]", "the access VLAN gone")
        unknown = profile | {"local_link_information": [link | {"switch_info": "tor9"}]}
        refused = cloud.update("ports", made["id"], {"binding:profile": unknown})
        assert (refused["binding:vif_type"], "tor9" in refused["status_detail"]) == ("binding_failed", True)
        cloud.delete("ports", made["id"])


def test_what_is_not_ours_stays_and_a_plan_says_what_is_missing(lab: Lab, racks: Racks) -> None:
    racks.vsctl("set", "Port", "hv1-1", "trunks=77,142,4095")
    network = lab.network("10.22.0.0/24", **vlan(142))
    other = lab.add_vm("hv1", lab.network("10.23.0.0/24", **vlan(143)))
    until(lambda: racks.carries(143, "hv1-1"), "143 beside them: by now the driver has seen what was there")
    machine = lab.add_vm("hv1", network)
    until(lambda: racks.carries(142, "up1"), "142 on the way up")
    lab.remove_vm(machine)
    lab.remove_vm(other)
    until(lambda: not racks.carries(142, "up1") and not racks.carries(143, "hv1-1"), "both gone")
    assert racks.carries(77, "hv1-1")
    assert racks.carries(142, "hv1-1")  # it was there before there was a port
    racks.close("hv1-1")


def test_a_switch_that_is_away_delays_no_other_and_says_so_on_its_ports(lab: Lab, racks: Racks) -> None:
    with described(racks, tor2={"device_type": "ovsdb", "netweft_remote": "tcp:127.0.0.1:1"}):
        network = lab.network("10.24.0.0/24", **vlan(144))
        one, other = (lab.add_vm(node, network) for node in RACKS)
        until(lambda: racks.carries(144, "hv1-1"), "tor1 goes on")
        until(lambda: lab.port(other)["status_detail"].startswith("switch:tor2: tcp:127.0.0.1:1: "), "told")
        assert lab.port(other)["status"] == "ACTIVE"
        until(lambda: lab.port(one)["status_detail"] == "", "nothing is said of tor1's")
    until(lambda: racks.carries(144, "hv2-1"), "right by itself")
    until(lambda: lab.port(other)["status_detail"] == "", "nothing to be told any more")
    until(lambda: racks.plan("switch:tor2") == "", "nothing to be done any more")
    with lab.away("server"):
        racks.close("hv2-1")
    until(lambda: racks.carries(144, "hv2-1"), "drift while no server ran")


def test_a_switch_is_configured_by_a_real_sshd(lab: Lab, racks: Racks, tmp_path: Path) -> None:
    with sshd(tmp_path, lab.layout.fabric.ovs) as login, described(racks, tor1=login):
        network = lab.network("10.25.0.0/24", **vlan(145))
        one, other = (lab.add_vm(node, network) for node in RACKS)
        until(lambda: lab.ping(one, other.nic.address), "they talk")
        until(lambda: racks.plan("switch:tor1") == "", "all is there")

        def missing() -> str:
            racks.close("hv1-1")  # each time: it may be right again already, it is looked at now and then
            return racks.plan("switch:tor1", "--commands")

        until(lambda: "ovs-vsctl add port hv1-1 trunks 145\n" in missing(), "a plan says the very commands")
        lab.remove_vm(other)
        lab.remove_vm(one)
        until(lambda: not racks.carries(145, "up1"), "gone with the last one")


@pytest.mark.skipif(not REAL_MACHINES, reason="the guests of make test-kernel have no netconfd")
@pytest.mark.timeout(600)
def test_a_switch_is_configured_by_netconf(lab: Lab, racks: Racks, tmp_path: Path) -> None:
    """By Debian's netconfd, whose running configuration is on the fabric's ports."""
    with netconf_switch(tmp_path, lab.layout.fabric.ovs, ("hv1-1", "up1")) as device:
        carrier = Carrier(device, racks.carry)
        carrier.start()
        try:
            with described(racks, tor1=device.login):
                network = lab.network("10.26.0.0/24", **vlan(146))
                one, other = (lab.add_vm(node, network) for node in RACKS)
                until(lambda: lab.ping(one, other.nic.address), "they talk", SLOWLY)
                asyncio.run(device.by_hand(edit("hv1-1", "interface-mode", "ACCESS")))
                until(lambda: racks.carries(146, "hv1-1"), "put right as soon as it is changed by hand", SLOWLY)
                device.stop()
                device.start(("hv1-1", "up1"))
                until(lambda: racks.carries(146, "hv1-1", "up1"), "there again on one that had kept nothing", SLOWLY)
                until(lambda: lab.ping(one, other.nic.address), "they talk again", SLOWLY)
                lab.remove_vm(other)
                lab.remove_vm(one)
                until(lambda: not racks.carries(146, "up1"), "gone with the last", SLOWLY)
                until(lambda: not racks.carries(146, "hv1-1"), "gone with the last", SLOWLY)
        finally:
            carrier.stop()
