"""Six things are broken in a lab, and `netweft explain` names each of them, for what suffers from it."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NamedTuple

import pytest
from tests.netns.harness import Lab, until

from netweft.cli.main import main
from netweft.lab import vm
from netweft.lab.cloud import Cloud, credentials
from netweft.lab.commands import run
from netweft.lab.vm import Vm


class Stage(NamedTuple):
    """A VM on each node, and a router that their network's gateway is."""

    one: Vm
    two: Vm
    network: str
    router: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    network = lab.network("10.9.0.0/24")
    with lab.cloud() as cloud:
        router = cloud.create("routers", name="r")["id"]
        (subnet,) = cloud.list("subnets", network_id=network)
        cloud.act("routers", router, "add_router_interface", {"subnet_id": subnet["id"]})
    yield Stage(lab.add_vm("hv1", network), lab.add_vm("hv2", network), network, router)


def explain(lab: Lab, object: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `netweft explain`, and what it says in JSON.  It is asked often: no process each time."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), pytest.raises(SystemExit) as ended:
        for name, value in credentials(lab.layout).items():
            patch.setenv(name, value)
        main(["explain", object, "--json"])
    assert ended.value.code in (0, 1), out.getvalue()
    told: dict[str, Any] = json.loads(out.getvalue())
    return int(ended.value.code), told


def blockers(lab: Lab, object: str) -> set[str]:
    code, told = explain(lab, object)
    found = {finding["code"] for finding in told["findings"] if finding["blocks"]}
    assert code == (1 if found else 0)
    return found


def set_up(cloud: Cloud, collection: str, id: str, *, up: bool) -> None:
    cloud.update(collection, id, {"admin_state_up": up})


@contextmanager
def link_down(namespace: str, nic: str) -> Iterator[None]:
    run("ip", "-n", namespace, "link", "set", nic, "down")
    try:
        yield
    finally:
        run("ip", "-n", namespace, "link", "set", nic, "up")


def test_each_of_six_is_named_and_gone_when_it_is_mended(lab: Lab, stage: Stage) -> None:
    objects = {
        "port": stage.one.port_id,
        "other": stage.two.port_id,
        "network": stage.network,
        "router": "r",
        "node": "hv2",
    }
    until(lambda: all(not blockers(lab, one) for one in objects.values()), "all works")
    _, told = explain(lab, stage.one.port_id)
    (node,) = told["nodes"]
    assert (node["host"], node["alive"], node["feed"]["connected"], node["feed"]["objects"]) == ("hv1", True, True, 0)
    vm.remove(lab.layout, stage.one)
    until(lambda: blockers(lab, stage.one.port_id) == {"port-not-plugged"}, "1: it is not plugged in")
    with lab.cloud() as cloud:
        set_up(cloud, "routers", stage.router, up=False)
        assert blockers(lab, "r") == {"router-admin-down"}
        assert blockers(lab, stage.one.port_id) == {"port-not-plugged", "router-admin-down"}, "2: and the router is off"
        set_up(cloud, "networks", stage.network, up=False)
        until(lambda: "network-admin-down" in blockers(lab, stage.two.port_id), "3: and the network")
        set_up(cloud, "networks", stage.network, up=True)
        set_up(cloud, "routers", stage.router, up=True)
        apart = cloud.create("ports", network_id=stage.network, **{"binding:host_id": "hv9"})
    assert blockers(lab, apart["id"]) == {"port-host-unknown"}, "4: nobody has heard of that host"
    vm.add(lab.layout, stage.one)
    with lab.away("agent", "hv2"):
        with lab.cloud() as cloud:
            cloud.update("ports", stage.two.port_id, {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]})
        until(lambda: blockers(lab, stage.two.port_id) == {"port-host-behind"}, "5: its agent is away")
        assert blockers(lab, "hv2") == {"agent-behind"}
    with link_down(lab.layout.fabric.namespace, "hv1-0"):  # itself it is switched on again, where it has the address
        until(
            lambda: blockers(lab, stage.one.port_id) == {"uplink-link-down"}, "6: the NIC of its tunnels has no carrier"
        )
    until(lambda: all(not blockers(lab, one) for one in objects.values()), "all works again")
