"""What a real Neutron wrote, and an OVN of one, becomes ours by `netweft import`, and its VMs' packets pass on
hypervisors that are wired from it: by the ids, MACs, addresses, VNIs and VLANs that it had."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.netns.harness import Lab, lab_of_its_own, needs_our_agent, until
from tests.netns.l3.test_gateways import pings
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE, next_hop

from netweft.lab import hypervisor, vm
from netweft.lab.commands import clean_environment
from netweft.lab.vm import Vm

pytestmark = [pytest.mark.timeout(400), needs_our_agent]
RECORDED = Path(__file__).parents[1] / "importing"
KINDS = ("networks", "subnets", "ports", "routers", "floatingips", "security_groups", "trunks")
FLOATING = "203.0.113.50"
PLACES = {"vm1": "hv1", "inside": "hv1", "parent": "hv2", "open": "hv2"}


@contextmanager
def neutron(folder: Path) -> Iterator[tuple[str, str]]:
    """Its hypervisor is called as ours is."""
    file = folder / "neutron.db"
    with sqlite3.connect(file) as database:
        database.executescript((RECORDED / "neutron.sql").read_text())
        database.execute("UPDATE ml2_port_bindings SET host = 'hv1' WHERE host = 'node1'")
    yield "--neutron-db", f"sqlite:///{file}"


@contextmanager
def northbound(folder: Path) -> Iterator[tuple[str, str]]:
    shutil.copy(RECORDED / "northbound.db", folder / "nb.db")
    words = ("ovsdb-server", folder / "nb.db", f"--remote=punix:{folder}/sock", f"--unixctl={folder}/ctl")
    with subprocess.Popen((*words, "-vconsole:off")) as server:
        try:
            until((folder / "sock").exists, "the northbound answers")
            yield "--ovn-nb", f"unix:{folder}/sock"
        finally:
            server.kill()


def imported(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    command = (str(hypervisor.NETWEFT), "import", *words, "-v", "--config", f"{lab.layout.server_folder}/netweft.toml")
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())


def everything(lab: Lab) -> dict[str, Any]:
    with lab.cloud() as cloud:
        return {kind: {one["id"]: one for one in cloud.list(kind.replace("_", "-"))} for kind in KINDS}


def states(said: str) -> set[str]:
    """Of single objects: a line each, before the table."""
    words = {line.split()[0] for line in said.splitlines() if line.strip()}
    return words & {"new", "there", "refused"}


@pytest.mark.parametrize(("source", "written"), [(neutron, "neutron.json"), (northbound, "northbound.json")])
def test_what_comes_in_passes_packets(source: Any, written: str, tmp_path: Path) -> None:
    recorded = json.loads((RECORDED / written).read_text())
    with lab_of_its_own() as lab, source(tmp_path) as where:
        before = everything(lab)
        tried = imported(lab, *where, "--dry-run")
        assert tried.returncode == 0, tried.stdout + tried.stderr
        assert "new" in states(tried.stdout) <= {"new", "there"}  # there: of what is shared with everybody already
        assert everything(lab) == before
        done = imported(lab, *where)
        assert (done.returncode, done.stdout) == (0, tried.stdout), done.stderr
        lab.kill("server")
        until(lambda: all(map(lab.agent_alive, ("hv1", "hv2"))), "nodes are back at the server")
        known = everything(lab)
        again = imported(lab, *where)
        assert again.returncode == 0
        assert everything(lab) == known  # and whatever was there stays
        assert "refused" not in states(again.stdout)
        with next_hop_of(lab):
            _packets_pass(lab, recorded)


@contextmanager
def next_hop_of(lab: Lab) -> Iterator[None]:
    next_hop(lab)
    yield  # it goes with the lab


def _packets_pass(lab: Lab, recorded: dict[str, Any]) -> None:
    theirs = {one["name"]: one for one in recorded["ports"] if one.get("name")}
    networks = {one["id"]: one for one in recorded["networks"]}
    machines = {name: _plugged(lab, name, node, theirs[name]["id"]) for name, node in PLACES.items()}
    for name, machine in machines.items():
        addresses = {one["ip_address"] for one in theirs[name]["fixed_ips"]}
        assert machine.nic.mac == theirs[name]["mac_address"]
        assert {one.partition("/")[0] for one in machine.nic.addresses} == addresses
    inside, parent, vm1, plain = (machines[name] for name in ("inside", "parent", "vm1", "open"))
    for version in (4, 6):  # over the tunnel, by the group that they share
        until(lambda version=version: lab.ping(inside, address(parent, version), seconds=2), "over the tunnel")  # type: ignore[misc]
    segment = networks[theirs["inside"]["network_id"]]
    if segment["provider:network_type"] == "vxlan":  # a northbound does not have it
        key = segment["provider:segmentation_id"]
        assert f"tun_id=0x{key:x}" in lab.ofctl("hv1", "dump-flows", "br-tun")
        assert f"vni=0x{key:x}" in lab.appctl("hv1", "dpctl/dump-flows", "-m", "netdev@ovs-netdev")
    assert not lab.ping(inside, address(vm1), seconds=1)  # whose group lets in TCP to two ports
    assert _tcp(lab, lab.layout.vm_namespace(inside.name), vm1, address(vm1), 80)
    outside = lab.layout.host_namespace("outside")
    until(lambda: lab.ping(inside, OUTSIDE, seconds=2), "by SNAT")
    until(lambda: lab.ping(vm1, OUTSIDE, seconds=2), "by its floating IP")
    assert _tcp(lab, outside, vm1, FLOATING, 80)
    assert not pings(outside, FLOATING, seconds=1)
    vlan = next(one for one in recorded["networks"] if one["name"] == "wire")["provider:segmentation_id"]
    assert f"set_field:{0x1000 | vlan}->vlan_vid" in lab.ofctl("hv2", "dump-flows", "br-eth1")
    assert lab.port(plain)["status"] == "ACTIVE"


def _tcp(lab: Lab, frm: str, machine: Vm, to: str, port: int) -> bool:
    feed = ("feed", to, str(port), str(2**18))
    with lab.inside(machine, "serve", str(port)) as server, lab.inside_namespace(frm, *feed) as client:
        sent, got = client.finish()[0].split()[0], server.finish()[0]
    return bool(sent == got)


def _plugged(lab: Lab, name: str, node: str, port: str) -> Vm:
    with lab.cloud() as cloud:
        described = vm.describe(cloud, lab.layout, name=name, node=node, kind="netns", port=port, network="", dhcp=None)
        return vm.create(cloud, lab.layout, described)
