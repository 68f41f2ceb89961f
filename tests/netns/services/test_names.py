"""VMs find each other by name: over nodes, by UDP and TCP, in their own network only, while the server is away."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.netns.harness import Lab, needs_a_running_clock, until
from tests.netns.services.test_metadata import SERVER, SERVER_6, in_vm, on_link

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

QUERY = Path(__file__).with_name("dns_query.py")


def ask(lab: Lab, machine: Vm, name: str, kind: str = "A", *, server: str = SERVER, spoken: str = "udp") -> list[str]:
    """The code, and what it is told."""
    where = f"{server}%eth0" if ":" in server else server
    return in_vm(lab, machine, sys.executable, str(QUERY), where, name, kind, spoken).split()


@pytest.fixture(scope="module")
def network(lab: Lab) -> str:
    return lab.network("10.69.0.0/24", "fd00:69::/64", dns_domain="corp.test.")


@pytest.fixture(scope="module")
def asker(lab: Lab, network: str) -> Vm:
    return on_link(lab, lab.add_vm("hv1", network))


@pytest.fixture(scope="module")
def web(lab: Lab, network: str) -> Vm:
    fixed = [{"ip_address": "10.69.0.80"}, {"ip_address": "fd00:69::80"}]
    return lab.add_vm("hv2", network, dns_name="Web", fixed_ips=fixed)


@pytest.mark.parametrize("spoken", ["udp", "tcp"])
@pytest.mark.parametrize("server", [SERVER, SERVER_6])
def test_another_nodes_vm_by_its_name(lab: Lab, asker: Vm, web: Vm, server: str, spoken: str) -> None:
    assert lab.port(web)["dns_assignment"][0]["fqdn"] == "web.corp.test."

    def told(kind: str) -> list[str]:
        return ask(lab, asker, "web.corp.test.", kind, server=server, spoken=spoken)

    until(lambda: told("A") == ["NOERROR", "10.69.0.80"], "its address is told")
    assert told("AAAA") == ["NOERROR", "fd00:69::80"]


def test_by_its_address(lab: Lab, asker: Vm, web: Vm) -> None:
    reverse = "80.0.69.10.in-addr.arpa."
    until(lambda: ask(lab, asker, reverse, "PTR") == ["NOERROR", "web.corp.test."], "its name is told")
    own = lab.port(asker)["dns_assignment"][0]
    assert own["hostname"].startswith("host-10-69-0-")
    assert ask(lab, asker, own["fqdn"]) == ["NOERROR", own["ip_address"]]


def test_of_no_other_network(lab: Lab, web: Vm) -> None:
    """Though its domain is the same."""
    stranger = on_link(lab, lab.add_vm("hv2", lab.network("10.68.0.0/24", dns_domain="corp.test.")))
    until(lambda: ask(lab, stranger, "web.corp.test.") == ["NXDOMAIN"], "there is none of that name")
    assert ask(lab, stranger, "example.org.") == ["REFUSED"]


def test_of_an_address_that_is_bound_nowhere(lab: Lab, network: str, asker: Vm) -> None:
    """As a load balancer's VIP, or one that VMs share."""
    with lab.cloud() as cloud:
        shared = {"network_id": network, "fixed_ips": [{"ip_address": "10.69.0.99"}]}
        port = cloud.create("ports", dns_name="shared", **shared)
        until(lambda: ask(lab, asker, "shared.corp.test.") == ["NOERROR", "10.69.0.99"], "its address is told")
        cloud.delete("ports", port["id"])
    until(lambda: ask(lab, asker, "shared.corp.test.") == ["NXDOMAIN"], "its name goes with it")


def test_by_the_route_from_dhcp(lab: Lab, network: str, asker: Vm, web: Vm) -> None:
    machine = lab.add_vm("hv1", network, dns_name="client", dhcp=True)
    until(lambda: ask(lab, machine, "web.corp.test.") == ["NOERROR", "10.69.0.80"], "it is told")
    lab.remove_vm(machine)
    until(lambda: ask(lab, asker, "client.corp.test.") == ["NXDOMAIN"], "its name goes with it")


def test_another_name_while_it_runs_and_with_the_server_away(lab: Lab, network: str, asker: Vm) -> None:
    machine = lab.add_vm("hv2", network, dns_name="before")
    address = lab.port(machine)["fixed_ips"][0]["ip_address"]
    until(lambda: ask(lab, asker, "before.corp.test.") == ["NOERROR", address], "its name is told")
    with lab.cloud() as cloud:
        cloud.update("ports", machine.port_id, {"dns_name": "after"})
    until(lambda: ask(lab, asker, "after.corp.test.") == ["NOERROR", address], "its new name is told")
    with lab.away("server"):
        assert ask(lab, asker, "before.corp.test.") == ["NXDOMAIN"]
        until(lambda: ask(lab, asker, "after.corp.test.") == ["NOERROR", address], "it is told without a server")
    lab.remove_vm(machine)


FLOOD = """
import socket, sys
ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    ask.sendto(bytes.fromhex("000101000001000000000000") + b"\\3www\\4corp\\4test\\0\\0\\1\\0\\1", (sys.argv[1], 53))
"""


@needs_a_running_clock
def test_one_that_floods_keeps_no_other_from_an_answer(lab: Lab, network: str, asker: Vm) -> None:
    greedy = on_link(lab, lab.add_vm("hv1", network))
    namespace = lab.layout.vm_namespace(greedy.name)
    with subprocess.Popen(in_namespace(namespace, sys.executable, "-c", FLOOD, SERVER)) as flood:
        try:
            for _ in range(3):
                until(lambda: ask(lab, asker, "none.corp.test.") == ["NXDOMAIN"], "another is answered")
        finally:
            flood.kill()
    lab.remove_vm(greedy)
