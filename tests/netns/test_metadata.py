"""What VMs are told of themselves, asked with curl from inside them."""

import subprocess

import pytest
from tests.netns.harness import Lab, until

from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

SERVER, SERVER_6 = "169.254.169.254", "fe80::a9fe:a9fe"
HOSTNAME = "/latest/meta-data/hostname"


@pytest.fixture(scope="module")
def nodes() -> int:
    return 1


def curl(lab: Lab, machine: Vm, path: str, *options: str, server: str = SERVER) -> str:
    """Empty where nothing is heard."""
    host = f"[{server}%25eth0]" if ":" in server else server
    command = ("curl", "-s", "-f", "-m", "5", *options, f"http://{host}{path}")
    namespace = lab.layout.vm_namespace(machine.name)
    return subprocess.run(in_namespace(namespace, *command), capture_output=True, check=False, text=True).stdout


def on_link(lab: Lab, machine: Vm) -> Vm:
    """It finds the server on its network, as DHCP tells."""
    namespace = lab.layout.vm_namespace(machine.name)
    run("ip", "-n", namespace, "route", "replace", f"{SERVER}/32", "dev", "eth0")
    return machine


@pytest.fixture(scope="module")
def isolated(lab: Lab) -> str:
    return lab.network("10.60.0.0/24")


def test_a_vm_on_an_isolated_network_hears_its_name(lab: Lab, isolated: str) -> None:
    machine = on_link(lab, lab.add_vm("hv1", isolated))
    assert curl(lab, machine, HOSTNAME) == machine.name


def test_a_vm_without_ipv4_hears_its_name(lab: Lab) -> None:
    machine = lab.add_vm("hv1", lab.network("fd00:61::/64"))
    until(lambda: curl(lab, machine, HOSTNAME, server=SERVER_6) == machine.name, "it is told")
