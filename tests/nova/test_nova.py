"""`make test-nova`: VMs that a real Nova has made, beside their ports in the dashboard, to whom they are."""

import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.browser.conftest import ALICE, BOB, Cloud, Dashboard
from tests.nova.cloud import HOST, Compute, ready

BUDGET_SECONDS = 2.0  # for Nova, of a page's request


def token(cloud: Cloud, user: str, password: str, project: str) -> str:
    who = {"name": user, "domain": {"id": "default"}, "password": password}
    auth = {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": {"project": {"id": project}}}
    answer = httpx.post(f"{cloud.url}/identity/v3/auth/tokens", json={"auth": auth}, timeout=60.0)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"]


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> Any:
    network = cloud.make("networks", "network", name="net", shared=True)
    cloud.make("subnets", "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    return network


def boot(cloud: Cloud, compute: Compute, network: Any, who: str, name: str) -> Any:
    """A VM of alice's or bob's, once Nova has it ACTIVE; its port."""
    password, project = {"alice": (ALICE, cloud.blue), "bob": (BOB, cloud.green)}[who]
    theirs = token(cloud, who, password, project)
    headers = {"X-Auth-Token": theirs}
    wanted = {"network_id": network["id"], "name": f"port-of-{who}"}
    answer = httpx.post(f"{cloud.url}/v2.0/ports", json={"port": wanted}, headers=headers, timeout=60.0)
    port = answer.json()["port"]
    vm = compute.server(theirs, name, port["id"])
    ready(name, lambda: compute.status(theirs, vm) == "ACTIVE", lambda: compute.log("nova-compute"))
    return cloud("GET", f"/v2.0/ports/{port['id']}")["port"]


@pytest.fixture(scope="module")
def ports(cloud: Cloud, compute: Compute, network: Any) -> dict[str, Any]:
    return {who: boot(cloud, compute, network, who, f"{who}s-vm") for who in ("alice", "bob")}


def test_nova_binds_the_port_and_hears_of_it(cloud: Cloud, compute: Compute, ports: dict[str, Any]) -> None:
    port = ports["alice"]
    assert (port["binding:host_id"], port["binding:vif_type"], port["device_owner"][:8]) == (HOST, "ovs", "compute:")

    def told() -> bool:
        return f"event network-vif-plugged:{port['id']}" in compute.log("nova-api")

    def active() -> bool:
        return bool(cloud("GET", f"/v2.0/ports/{port['id']}")["port"]["status"] == "ACTIVE")

    ready("the port", active)
    ready("the event", told)
    followers = cloud("GET", "/netweft/v1/followers")["followers"]
    assert [(one["name"], one["status"]) for one in followers] == [("nova", "RUNNING")], followers


def test_the_vm_is_beside_its_port(alices: Dashboard, ports: dict[str, Any]) -> None:
    page = alices.at("ports").page
    row = alices.row("alices-vm")
    row.wait_for()
    assert "ACTIVE" in row.inner_text() and HOST not in row.inner_text()
    assert "bobs-vm" not in page.inner_text("body")
    alices.at(f"ports/{ports['alice']['id']}").page.locator("section", has_text="alices-vm").first.wait_for()


def test_an_admin_sees_all_of_them_and_where_they_are(admins: Dashboard, ports: dict[str, Any]) -> None:
    admins.at("ports").row("bobs-vm").wait_for()
    admins.row("alices-vm").wait_for()
    admins.at(f"ports/{ports['bob']['id']}").page.locator(".part", has_text="bobs-vm").get_by_text(
        HOST
    ).first.wait_for()


def test_what_nova_does_with_it_is_seen(
    alices: Dashboard, cloud: Cloud, compute: Compute, ports: dict[str, Any]
) -> None:
    theirs = token(cloud, "alice", ALICE, cloud.blue)
    alices.at("ports").row("alices-vm").get_by_text("ACTIVE").first.wait_for()
    compute.as_user(theirs, "POST", f"/servers/{ports['alice']['device_id']}/action", {"os-stop": None})
    alices.row("alices-vm").get_by_text("SHUTOFF").first.wait_for()  # asked for each 10 s


def answered(page: Dashboard) -> float:
    """How long a page waits for its ports, whatever Nova does."""
    began = time.monotonic()
    page.at("ports").row("port-of-alice").first.wait_for()
    return time.monotonic() - began


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "is gone"])
def test_pages_do_not_wait_for_a_nova_that(
    opened: Callable[..., Dashboard], cloud: Cloud, compute: Compute, ports: dict[str, Any], how: signal.Signals
) -> None:
    """What a page shows is there before Nova's time is over; without it the port says whose it is."""
    name = f"late-{how.name.lower()}"
    cloud.user(name, "a password of its own", cloud.blue)
    its = opened(name, "a password of its own")
    usual = min(answered(its) for _ in range(3))
    compute.stop("nova-api", how)
    try:
        without = min(answered(its) for _ in range(3))
        print(f"a list of ports: {usual * 1e3:.0f} ms, while Nova {how.name}: {without * 1e3:.0f} ms")
        assert without < usual + BUDGET_SECONDS / 2
        its.at(f"ports/{ports['alice']['id']}").see("Nova")
    finally:
        if how is signal.SIGSTOP:
            compute.stop("nova-api", signal.SIGCONT)
        else:
            compute.processes["nova-api"].wait()
            compute.start_api()
