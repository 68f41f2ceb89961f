"""What OVN's hosts go through: parts of OVN away, and changes faster than it takes them."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import address
from tests.netns.ovn.ovn_networks import PATIENCE, nbctl, until_reached

from netweft.lab import build
from netweft.lab.layout import LabError
from netweft.lab.vm import Vm

pytestmark = pytest.mark.ovs
ODD = '"; drop; next; /* $x @y {z} \\'


@pytest.fixture(scope="module")
def plan() -> build.Plan:
    return build.Plan(ovn=True)


@pytest.fixture(scope="module")
def network(lab: Lab) -> str:
    return lab.network("10.60.0.0/24")


@pytest.fixture(scope="module")
def vms(lab: Lab, network: str) -> Iterator[tuple[Vm, Vm]]:
    lab.let_strangers_in()
    yield lab.add_vm("hv1", network), lab.add_vm("hv2", network)


def test_what_is_done_while_northd_is_away_is_there_when_it_is_back(lab: Lab, network: str, vms: tuple[Vm, Vm]) -> None:
    with lab.away("ovn-northd"), lab.cloud() as cloud:
        port = cloud.create("ports", network_id=network)
        until(lambda: port["id"] in nbctl(lab, "show"), "it is written", seconds=PATIENCE)
        until_reached(lab, vms[0], address(vms[1]))
        cloud.delete("ports", port["id"])
    late = lab.add_vm("hv1", network)
    until_reached(lab, late, address(vms[1]))
    lab.remove_vm(late)


def test_what_is_done_while_the_northbound_is_away_is_there_when_it_is_back(lab: Lab, network: str) -> None:
    with lab.cloud() as cloud:
        with lab.away("ovn-nb"):
            port = cloud.create("ports", network_id=network)

        def is_written() -> bool:
            with suppress(LabError):  # ovsdb-server is on its way
                return port["id"] in nbctl(lab, "show")
            return False

        until(is_written, "it is written", seconds=PATIENCE)
        cloud.delete("ports", port["id"])


def test_odd_words_are_words(lab: Lab, network: str, vms: tuple[Vm, Vm]) -> None:
    """Where tenants write them they end up in OVN's flows: the port has its lease all the same."""
    options = [{"opt_name": name, "opt_value": ODD} for name in ("bootfile-name", "domain-name", "tftp-server", "wpad")]
    with lab.cloud() as cloud:
        group = cloud.create("security-groups", name=ODD, description="ü\u2028🐧" * 20)["id"]
        cloud.update("networks", network, {"name": ODD, "description": ODD})
        machine = lab.add_vm("hv1", network, dhcp=True, extra_dhcp_opts=options, security_groups=[group])
        until_reached(lab, machine, address(vms[1]))
        cloud.update("networks", network, {"name": "net"})
    lab.remove_vm(machine)


def test_networks_that_go_while_they_are_written(lab: Lab, vms: tuple[Vm, Vm]) -> None:
    """Nothing is left of them, and those that stay are reached."""

    def churn(seed: int) -> list[str]:
        chance, made = random.Random(seed), list[str]()
        with lab.cloud() as cloud:
            for turn in range(6):
                id = cloud.create("networks", name=f"churn-{seed}-{turn}")["id"]
                made.append(id)
                subnet = cloud.create("subnets", network_id=id, ip_version=4, cidr="10.70.0.0/24")["id"]
                router = cloud.create("routers", name=f"churn-{seed}-{turn}")["id"]
                cloud.act("routers", router, "add_router_interface", {"subnet_id": subnet})
                ports = [cloud.create("ports", network_id=id)["id"] for _ in range(4)]
                chance.shuffle(ports)
                for port in ports:
                    cloud.delete("ports", port)
                cloud.act("routers", router, "remove_router_interface", {"subnet_id": subnet})
                cloud.delete("routers", router)
                with suppress(LabError):
                    cloud.delete("networks", id)
        return made

    with ThreadPoolExecutor(3) as pool:
        gone = [id for made in pool.map(churn, range(3)) for id in made]
    assert len(gone) == 18

    def left() -> list[str]:
        shown = nbctl(lab, "show")
        return [id for id in gone if id in shown]

    until(lambda: not left(), "nothing is left of them", seconds=PATIENCE)
    until_reached(lab, vms[0], address(vms[1]))
