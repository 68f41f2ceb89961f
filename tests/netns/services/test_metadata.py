"""What VMs are told of themselves, asked with curl from inside them: on networks of every form, under attack, and
while what answers them is killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, group_of, until
from tests.netns.l2.layer2 import provider
from tests.netns.l3.test_routing import make_router
from tests.waiting import PATIENCE

from netweft.agent.metadata.guests import EACH
from netweft.lab import hypervisor, move, vm
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm
from netweft.services.fields import Reason, cookie
from netweft.services.metadata import ends

HOSTILE = Path(__file__).with_name("hostile_client.py")
SERVER, SERVER_6 = "169.254.169.254", "fe80::a9fe:a9fe"
HOSTNAME = "/latest/meta-data/hostname"
FREE: dict[str, Any] = {"port_security_enabled": False, "security_groups": []}
SLOW = 2.0  # seconds; far more than an answer takes, far less than what one who is slow may take


def curl(lab: Lab, machine: Vm, path: str = HOSTNAME, *options: str, server: str = SERVER, nic: str = "eth0") -> str:
    """Empty where nothing is heard."""
    host = f"[{server}%25{nic}]" if ":" in server else server
    words = ("-s", "-f", "-m", f"{PATIENCE:.0f}", *options, f"http://{host}{path}")
    return in_vm(lab, machine, "curl", *words)


def in_vm(lab: Lab, machine: Vm, *command: str) -> str:
    namespace = lab.layout.vm_namespace(machine.name)
    return subprocess.run(in_namespace(namespace, *command), capture_output=True, check=False, text=True).stdout


def on_link(lab: Lab, machine: Vm, nic: str = "eth0") -> Vm:
    """It takes the server to be on its network."""
    run("ip", "-n", lab.layout.vm_namespace(machine.name), "route", "replace", f"{SERVER}/32", "dev", nic)
    return machine


@pytest.fixture(scope="module")
def network(lab: Lab) -> str:
    """Nothing leads anywhere."""
    return lab.network("10.60.0.0/24", "fd00:60::/64")


@pytest.fixture(scope="module")
def asker(lab: Lab, network: str) -> Vm:
    return on_link(lab, lab.add_vm("hv1", network))


# networks of every form


@pytest.mark.parametrize("server", [SERVER, SERVER_6])
def test_on_an_isolated_network(lab: Lab, asker: Vm, server: str) -> None:
    until(lambda: curl(lab, asker, server=server) == asker.name, "it is told")


def test_by_the_route_from_dhcp(lab: Lab, network: str) -> None:
    machine = lab.add_vm("hv2", network, dhcp=True)
    assert curl(lab, machine) == machine.name
    lab.remove_vm(machine)


def test_by_a_router(lab: Lab) -> None:
    """Where it has no other route than the default one."""
    routed = lab.network("10.61.0.0/24")
    make_router(lab, routed)
    machine = lab.add_vm("hv1", routed)
    until(lambda: curl(lab, machine) == machine.name, "it is told")
    assert f"{SERVER} via 10.61.0.1" in in_vm(lab, machine, "ip", "route", "get", SERVER)


def test_without_ipv4(lab: Lab) -> None:
    machine = lab.add_vm("hv2", lab.network("fd00:62::/64"))
    until(lambda: curl(lab, machine, server=SERVER_6) == machine.name, "it is told")


def test_on_a_vlan_network(lab: Lab) -> None:
    machine = on_link(lab, lab.add_vm("hv1", lab.network("10.63.0.0/24", **provider("vlan"))))
    assert curl(lab, machine) == machine.name


@pytest.mark.parametrize("kind", ["internal", "hybrid"])
def test_however_it_is_plugged_in(lab: Lab, network: str, kind: Any) -> None:
    machine = on_link(lab, lab.add_vm("hv1", network, kind=kind))
    assert curl(lab, machine) == machine.name
    lab.remove_vm(machine)


@pytest.mark.parametrize("server", [SERVER, SERVER_6])
def test_twins_of_two_tenants_are_told_apart(lab: Lab, server: str) -> None:
    """Same address, same MAC, same port of TCP, at the same time."""
    same: dict[str, Any] = {"fixed_ips": [{"ip_address": "10.64.0.7"}, {"ip_address": "fd00:64::7"}]}
    same["mac_address"] = "fa:16:3e:64:00:07"
    twins = [on_link(lab, lab.add_vm("hv1", lab.network("10.64.0.0/24", "fd00:64::/64"), **same)) for _ in range(2)]
    until(lambda: all(curl(lab, one, server=server) for one in twins), "both are answered")
    asking = [lab.layout.vm_namespace(one.name) for one in twins]
    url = f"http://[{SERVER_6}%25eth0]" if ":" in server else f"http://{SERVER}"
    words = ("curl", "-s", "-m", "10", "--local-port", "5000")
    many = tuple(f"{url}{HOSTNAME}?{number}" for number in range(20))
    running = [subprocess.Popen(in_namespace(one, *words, *many), stdout=subprocess.PIPE, text=True) for one in asking]
    said = [one.communicate(timeout=2 * PATIENCE)[0] for one in running]
    assert said == [twins[0].name * 20, twins[1].name * 20]
    for one in twins:
        lab.remove_vm(one)


@pytest.mark.parametrize("address", ["10.60.0.1", "192.0.2.1"])
def test_an_address_that_is_the_nodes_own_is_a_vms_as_well(lab: Lab, address: str) -> None:
    node = lab.node("hv1").namespace
    run("ip", "-n", node, "address", "add", f"{address}/32", "dev", "lo")
    try:
        cidr = f"{address.rpartition('.')[0]}.0/24"
        with lab.cloud() as cloud:
            net = cloud.create("networks", name="own")["id"]
            cloud.create("subnets", network_id=net, cidr=cidr, ip_version=4, gateway_ip=None)
        machine = on_link(lab, lab.add_vm("hv1", net, fixed_ips=[{"ip_address": address}]))
        assert curl(lab, machine) == machine.name
    finally:
        run("ip", "-n", node, "address", "del", f"{address}/32", "dev", "lo")


def test_a_trunks_sub_port(lab: Lab, network: str) -> None:
    """On a network of its own, with a tag; its parent asks too."""
    below = lab.network("10.65.0.0/24")
    with lab.cloud() as cloud:
        sub = cloud.create("ports", network_id=below)
    wanted = lab.describe_vm("hv1", network)
    tagged = {"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": 7}
    with lab.cloud() as cloud:
        cloud.create("trunks", port_id=wanted.port_id, sub_ports=[tagged])
        machine = on_link(lab, vm.create(cloud, lab.layout, wanted))
    address = f"{sub['fixed_ips'][0]['ip_address']}/24"
    with lab.inside(machine, "vlan", "7", sub["mac_address"], address, "1400"):
        until(lambda: lab.port(machine)["status"] == "ACTIVE" and _status(lab, sub) == "ACTIVE", "it is wired")
        assert curl(lab, machine) == machine.name
        on_link(lab, machine, "vlan7")
        until(lambda: curl(lab, machine) == machine.name, "its sub-port is told")


def _status(lab: Lab, port: dict[str, Any]) -> str:
    with lab.cloud() as cloud:
        return str(cloud.find("ports", port["id"])["status"])


def test_what_is_given_on_the_command_line(lab: Lab, network: str, tmp_path: Path) -> None:
    key, data = "ssh-ed25519 AAAAC3 me@home", os.urandom(60_000)
    (tmp_path / "key").write_text(f"{key}\n")
    (tmp_path / "data").write_bytes(data)
    words = ("lab", "vm", "add", "given", "--node", "hv1", "--network", network, "--dhcp")
    files = ("--user-data", str(tmp_path / "data"), "--key", str(tmp_path / "key"))
    run(str(hypervisor.NETWEFT), *words, *files, "--name", lab.layout.lab)
    machine = vm.records(lab.layout).get("given")
    told = json.loads(curl(lab, machine, "/openstack/latest/meta_data.json"))
    assert (told["hostname"], told["public_keys"]) == ("given", {"me@home": key})
    in_vm(lab, machine, "curl", "-s", "-o", str(tmp_path / "heard"), f"http://{SERVER}/openstack/latest/user_data")
    assert (tmp_path / "heard").read_bytes() == data
    assert curl(lab, machine, "/latest/meta-data/public-keys/0/openssh-key") == key


def test_it_is_there_before_the_vms_request(lab: Lab, network: str) -> None:
    """Who asks as soon as he is plugged in, and not again, is answered."""
    wanted = lab.describe_vm("hv2", network)
    with lab.cloud() as cloud:
        bound = {"binding:host_id": "hv2", "device_id": wanted.uuid, "device_owner": "compute:lab"}
        cloud.update("ports", wanted.port_id, bound)
    vm.add(lab.layout, wanted)
    on_link(lab, wanted)
    assert curl(lab, wanted, "/latest/meta-data/instance-id")
    lab.remove_vm(wanted)


def test_it_goes_on_where_the_vm_moves_to(lab: Lab, network: str) -> None:
    machine = on_link(lab, lab.add_vm("hv1", network))
    assert curl(lab, machine) == machine.name
    with lab.cloud() as cloud:
        move.move(cloud, lab.layout, vm.records(lab.layout).get(machine.name), "hv2")
    on_link(lab, machine)
    until(lambda: curl(lab, machine) == machine.name, "it is told there")


# who must not hear it


@pytest.fixture(scope="module")
def unguarded(lab: Lab, network: str) -> Vm:
    return on_link(lab, lab.add_vm("hv1", network, **FREE))


def test_a_vm_with_anothers_address_is_not_taken_for_it(lab: Lab, asker: Vm, unguarded: Vm) -> None:
    """Without port security he may send from it, and hears what he is himself; with it he hears nothing."""
    name = lab.layout.vm_namespace(unguarded.name)
    stolen = asker.nic.address
    guarded = on_link(lab, lab.add_vm("hv1", asker.network_id))
    for one, told in ((unguarded, unguarded.name), (guarded, "")):
        name = lab.layout.vm_namespace(one.name)
        run("ip", "-n", name, "address", "add", f"{stolen}/32", "dev", "eth0")
        assert curl(lab, one, HOSTNAME, "--interface", stolen, "-m", "2") == told
        run("ip", "-n", name, "address", "del", f"{stolen}/32", "dev", "eth0")
    lab.remove_vm(guarded)


def test_what_is_said_to_one_is_seen_by_nobody_else(lab: Lab, asker: Vm, unguarded: Vm) -> None:
    last = frames.fence(asker.nic, unguarded.nic)
    with lab.inside(unguarded, "capture") as capture:
        assert curl(lab, asker) == asker.name
        lab.send_frames(asker, last)
        seen = capture.frames_until(last)
    assert not [frame for frame in seen if asker.name.encode() in frame or b"HTTP" in frame]


def test_the_firewall_is_open_to_nothing_else(lab: Lab, network: str) -> None:
    with lab.cloud() as cloud:
        nothing = group_of(cloud, "nothing", [])
    machine = on_link(lab, lab.add_vm("hv1", network, security_groups=[nothing]))
    assert curl(lab, machine) == machine.name
    for port in (22, 443, 9696, ends.PORT):
        assert in_vm(lab, machine, "curl", "-s", "-m", "1", "-w", "%{http_code}", f"http://{SERVER}:{port}/") == "000"
    lab.remove_vm(machine)


def test_nobody_comes_to_the_agent_by_another_interface(lab: Lab) -> None:
    """The underlay is not trusted with who asks."""
    words = ("curl", "-s", "-m", "1", "-w", "%{http_code}")
    for address in ("240.0.255.5", lab.node("hv1").tunnel_ip, "127.0.0.1"):
        url = f"http://{address}:{ends.PORT}/"
        found = subprocess.run(in_namespace(lab.node("hv1").namespace, *words, url), capture_output=True, check=False)
        assert found.stdout == b"000"


# under attack, and while things are killed


def held(lab: Lab, machine: Vm) -> int:
    """How many connections of its the agent has."""
    ofport = lab.vsctl(machine.node, "get", "Interface", machine.vif, "ofport")
    address = ip_address(ends.ASKERS_4 | int(ofport))
    words = ("ss", "-Htn", "state", "established", "dst", str(address))
    return len(run(*in_namespace(lab.node(machine.node).namespace, *words)).splitlines())


@contextmanager
def attack(lab: Lab, machine: Vm, kind: str) -> Iterator[None]:
    command = in_namespace(lab.layout.vm_namespace(machine.name), sys.executable, str(HOSTILE), kind, SERVER)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout and running.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            running.kill()


@pytest.mark.parametrize("kind", ["connections", "slow", "never reads", "floods", "reconnects"])
def test_one_who_is_hostile_disturbs_no_other(lab: Lab, network: str, asker: Vm, kind: str) -> None:
    hostile = on_link(lab, lab.add_vm("hv1", network))
    with attack(lab, hostile, kind):
        for _ in range(20):
            told = in_vm(lab, asker, "curl", "-s", "-m", "10", "-w", " %{time_total}", f"http://{SERVER}{HOSTNAME}")
            name, seconds = told.split()
            assert name == asker.name and float(seconds) < SLOW
        until(lambda: held(lab, hostile) <= EACH, "it has no more than its own")
    until(lambda: curl(lab, hostile) == hostile.name, "it is listened to again", 3 * PATIENCE)
    lab.remove_vm(hostile)


def ours(lab: Lab, node: str) -> set[str]:
    """The flows that all of it rests on."""
    return {flow for flow in lab.flows(node, "br-int") if f"cookie={cookie(Reason.METADATA):#x}" in flow}


def test_an_agent_that_is_killed_is_missed_only_while_it_is_away(lab: Lab, asker: Vm) -> None:
    before = ours(lab, "hv1")
    with lab.away("agent", "hv1"):
        assert curl(lab, asker, HOSTNAME, "-m", "2") == ""
        assert ours(lab, "hv1") == before != set()
    until(lambda: curl(lab, asker) == asker.name, "it is told again")
    assert curl(lab, asker, server=SERVER_6) == asker.name


def test_after_vswitchd_the_interface_is_as_it_was(lab: Lab, asker: Vm) -> None:
    lab.kill("ovs-vswitchd", "hv1")
    until(lambda: curl(lab, asker) == asker.name, "it is told again")
    until(lambda: curl(lab, asker, server=SERVER_6) == asker.name, "in IPv6 as well")


def test_without_a_server_there_is_an_answer_that_says_so(lab: Lab, asker: Vm) -> None:
    with lab.away("server"):
        words = ("curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", f"http://{SERVER}/")
        assert in_vm(lab, asker, *words) == "503"
    until(lambda: curl(lab, asker) == asker.name, "it is told again")


def test_a_node_that_does_not_answer_them_has_no_such_interface(lab: Lab) -> None:
    lab.configure_agent("hv2", metadata=False, dns=False)
    assert ends.INTERFACE not in lab.vsctl("hv2", "list-ports", "br-int").split()
    assert not ours(lab, "hv2")
    lab.configure_agent("hv2", metadata=True, dns=True)
    until(lambda: ends.INTERFACE in lab.vsctl("hv2", "list-ports", "br-int").split(), "it is there again")
