"""A port's VM beside it, as Nova tells the user; and the pages without it when Nova does not."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.api.dashboard.nova import Nova
from tests.browser.conftest import Cloud, Dashboard

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


@pytest.fixture(scope="module")
def catalogued(cloud: Cloud) -> Iterator[Nova]:
    """In the catalogue; it asks the identity whose a token is, as the real one."""

    http = httpx.Client(base_url=cloud.url)

    def who(token: str) -> tuple[str, bool] | None:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        answer = http.get("/identity/v3/auth/tokens", headers=headers)
        if answer.status_code != 200:
            return None
        told = answer.json()["token"]
        return told["project"]["id"], any(role["name"] == "admin" for role in told["roles"])

    nova = Nova(who)
    service = cloud("POST", "/identity/v3/services", {"service": {"type": "compute", "name": "nova"}})["service"]["id"]
    endpoint = {"service_id": service, "interface": "public", "region_id": "RegionOne", "url": nova.url}
    cloud("POST", "/identity/v3/endpoints", {"endpoint": endpoint})
    yield nova
    nova.close()
    http.close()


@pytest.fixture
def nova(catalogued: Nova) -> Nova:
    """As it works."""
    catalogued.says = None
    return catalogued


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> Any:
    return cloud.make("networks", "network", name="net", project_id=cloud.blue)


def port(cloud: Cloud, network: Any, server: str, **values: Any) -> Any:
    its = {"device_owner": "compute:nova", "device_id": server, "project_id": cloud.blue}
    return cloud.make("ports", "port", network_id=network["id"], **its, **values)


def test_the_vm_is_beside_its_port(alices: Dashboard, cloud: Cloud, nova: Nova, network: Any) -> None:
    its = port(cloud, network, nova.add(cloud.blue, "web-1"))
    foreign = port(cloud, network, nova.add(cloud.green, "secret of green"), name="foreign")
    page = alices.at("ports").page
    row = alices.row("web-1")
    row.wait_for()
    assert "ACTIVE" in row.inner_text() and "hv-of-nova" not in row.inner_text()
    page.fill("input[type=search]", "web-1")  # what is shown is found
    alices.row("foreign").wait_for(state="detached")
    assert row.count() == 1
    assert alices.violations() == []
    alices.at(f"ports/{its['id']}").page.locator("section", has_text="web-1").first.wait_for()
    alices.at(f"topology?at={network['id']}").page.locator("svg", has_text="web-1").wait_for()
    alices.at(f"ports/{foreign['id']}")
    assert "secret of green" not in page.inner_text("body")


def test_an_admin_sees_its_host(admins: Dashboard, cloud: Cloud, nova: Nova, network: Any) -> None:
    its = port(cloud, network, nova.add(cloud.blue, "db-1"))
    page = admins.at(f"ports/{its['id']}").page
    page.locator(".part", has_text="db-1").get_by_text("hv-of-nova").wait_for()


def test_its_name_is_only_text(alices: Dashboard, cloud: Cloud, nova: Nova, network: Any) -> None:
    its = port(cloud, network, nova.add(cloud.blue, HOSTILE))
    for place in ("ports", f"ports/{its['id']}", f"topology?at={network['id']}", f"wiring/{its['id']}"):
        alices.at(place).until("document.getElementById('main').textContent.includes('<img src=x')")
        assert alices.page.title() != "taken over" and not alices.page.locator("img").count()


@pytest.mark.parametrize("says", ["hang", "html"])
def test_pages_are_there_without_it(
    opened: Callable[..., Dashboard], cloud: Cloud, nova: Nova, network: Any, says: str
) -> None:
    """To a user of its own: for a while after that Nova is let alone."""
    cloud.user(f"carol-{says}", "carol's own password", cloud.blue)
    its = port(cloud, network, str(uuid.uuid4()), name=f"waits-{says}")
    nova.says = says
    carols = opened(f"carol-{says}", "carol's own password")
    carols.at("ports").row(its["name"]).get_by_text("compute:nova").wait_for()
    carols.at(f"ports/{its['id']}").see("Nova")
