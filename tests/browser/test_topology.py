"""The topology in a real Chromium: what is drawn, for whom, and that it is drawn again when something changes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, Route, expect
from tests.browser.conftest import BOB, Cloud, Dashboard

LIVE_MS = 5_000  # on a busy machine; bench/dashboard.py measures


class Shop(NamedTuple):
    """Alice's: web behind edge, and a port in a network that she shares with Bob; his port is there, too."""

    outside: str
    web: str
    edge: str
    shared: str
    ports: list[str]


@pytest.fixture(scope="module")
def shop(cloud: Cloud) -> Shop:
    blue, green = cloud.blue, cloud.green
    public = cloud.make("networks", "network", name="outside", **{"router:external": True})["id"]
    cloud.make("subnets", "subnet", network_id=public, ip_version=4, cidr="198.51.100.0/24", enable_dhcp=False)
    shared = cloud.make("networks", "network", name="common", shared=True)["id"]
    cloud.make("subnets", "subnet", network_id=shared, ip_version=4, cidr="172.20.0.0/24", enable_dhcp=False)
    cloud.make("ports", "port", network_id=shared, name="bobs-secret-vm", project_id=green)
    cloud.make("ports", "port", network_id=shared, name="alices-nas", project_id=blue)
    hidden = cloud.make("networks", "network", name="bobs-hidden-net", project_id=green)["id"]
    subnet = cloud.make("subnets", "subnet", network_id=hidden, ip_version=4, cidr="10.66.0.0/24", project_id=green)
    router = cloud.make(
        "routers", "router", name="bobs-hidden-router", project_id=green, external_gateway_info={"network_id": public}
    )
    cloud("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    web = cloud.make("networks", "network", name="web", project_id=blue)["id"]
    mine = cloud.make("subnets", "subnet", network_id=web, ip_version=4, cidr="10.5.0.0/24", project_id=blue)
    edge = cloud.make("routers", "router", name="edge", project_id=blue, external_gateway_info={"network_id": public})
    cloud("PUT", f"/v2.0/routers/{edge['id']}/add_router_interface", {"subnet_id": mine["id"]})
    wanted = [
        {"network_id": web, "name": f"vm{at}", "project_id": blue, "device_owner": "compute:nova"} for at in range(12)
    ]
    ports = [port["id"] for port in cloud("POST", "/v2.0/ports", {"ports": wanted})["ports"]]
    cloud.make("floatingips", "floatingip", floating_network_id=public, port_id=ports[0], project_id=blue)
    return Shop(public, web, edge["id"], shared, ports)


def drawn(page: Page) -> str:
    """All text of the picture, with what it says when pointed at."""
    return str(page.locator("svg.picture").evaluate("picture => picture.textContent"))


def box(page: Page, text: str) -> Any:
    return page.locator("g.box", has_text=re.compile(rf"^{text}")).first


def test_what_a_project_has_from_the_outside_to_its_ports(alices: Dashboard, cloud: Cloud, shop: Shop) -> None:
    page = alices.at("topology").page
    box(page, "web").wait_for()
    left = [box(page, name).bounding_box()["x"] for name in ("outside", "edge", "web", "12 ports")]
    assert left == sorted(left) and len(set(left)) == 4
    assert re.search(r"198\.51\.100\.\d+ ⇄ 10\.5\.0\.\d+", box(page, "edge").text_content() or "")
    assert "vm3" not in drawn(page), "more than ten are one box"
    assert alices.violations() == []
    alices.shot("topology")
    box(page, "12 ports").locator("a").first.click()
    expect(page.locator("g.box.ports a", has_text=re.compile("vm[0-9]+ DOWN"))).to_have_count(12)
    assert f"open={shop.web}" in page.url
    newcomer = cloud.make("ports", "port", network_id=shop.web, name="newcomer", project_id=cloud.blue)["id"]
    page.locator("g.box.ports a", has_text="newcomer").wait_for(timeout=LIVE_MS)
    cloud("PUT", f"/v2.0/ports/{shop.ports[5]}", {"port": {"name": "renamed"}})
    page.locator("g.box.ports a", has_text="renamed").click(timeout=LIVE_MS)
    expect(page).to_have_url(re.compile(f"#/ports/{shop.ports[5]}"))
    page.locator("main").get_by_role("link", name="Topology").click()
    alices.see("2 hops")
    page.keyboard.press("w")
    alices.see("3 hops")
    box(page, "outside").wait_for()
    cloud("DELETE", f"/v2.0/ports/{newcomer}")


def test_the_same_as_a_table_by_the_keyboard(alices: Dashboard, shop: Shop) -> None:
    page = alices.at("topology").page
    box(page, "web").locator("a[data-layer]").focus()
    page.keyboard.press("ArrowLeft")
    assert "edge" in str(page.evaluate("document.activeElement.textContent"))
    page.keyboard.press("t")
    page.locator("tbody tr", has_text="edge").first.wait_for()
    page.fill(".filter input", "vm7")
    page.press(".filter input", "Enter")
    alices.see("around vm7")
    assert "view=table" in page.url
    assert alices.violations() == []


def test_another_tenants_objects_are_in_no_picture(
    alices: Dashboard, opened: Callable[..., Dashboard], shop: Shop
) -> None:
    page = alices.at(f"topology?at={shop.shared}&hops=6").page
    box(page, "common").wait_for()
    whole = drawn(page) + drawn(alices.at("topology").page)
    assert "alices-nas" in whole and "bob" not in whole and "10.66.0" not in whole
    bobs = opened("bob", BOB)
    page = bobs.at("topology").page
    box(page, "common").wait_for()
    seen = drawn(page)
    assert "bobs-secret-vm" in seen and "alices-nas" not in seen and "10.5.0" not in seen and "edge" not in seen
    for foreign in (shop.web, shop.edge, shop.ports[0]):
        bobs.at(f"topology?at={foreign}&hops=6").see("It is not there, or not yours")


def test_from_the_outside_a_tenant_finds_its_own_routers(alices: Dashboard, shop: Shop) -> None:
    page = alices.at(f"topology?at={shop.outside}&hops=2").page
    box(page, "web").wait_for()
    assert "10.5.0.1" in (box(page, "edge").text_content() or "") and "bob" not in drawn(page)


def test_the_picture_as_a_file_is_light_and_whole(alices: Dashboard, shop: Shop) -> None:
    alices.page.emulate_media(color_scheme="dark")
    page = alices.at("topology").page
    box(page, "web").wait_for()
    with page.expect_download() as saving:
        page.click("text=Save as SVG")
    text = Path(saving.value.path()).read_text()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg") and root.get("viewBox") and "edge" in text and "--text: #1b1f24" in text
    assert "href" not in text and "script" not in text


def test_in_the_dark(admins: Dashboard, cloud: Cloud, shop: Shop) -> None:
    admins.page.emulate_media(color_scheme="dark")
    page = admins.at("topology?all=1").page
    box(page, "bobs-hidden-router").wait_for()
    assert admins.violations() == []
    cloud.make("networks", "network", name="another-of-bobs", project_id=cloud.green)
    box(page, "another-of-bobs").wait_for(timeout=LIVE_MS)


def test_an_admins_project_holds_no_others_changes(admins: Dashboard, cloud: Cloud, shop: Shop) -> None:
    cloud.make("networks", "network", name="admins-own")
    page = admins.at("topology").page
    box(page, "admins-own").wait_for()
    others = cloud.make("ports", "port", network_id=shop.web, name="alices-new", project_id=cloud.blue)["id"]
    cloud.make("networks", "network", name="alices-net", project_id=cloud.blue)
    cloud.make("networks", "network", name="admins-second")
    box(page, "admins-second").wait_for(timeout=LIVE_MS)
    assert "alice" not in drawn(page) and "bob" not in drawn(page)
    cloud("DELETE", f"/v2.0/ports/{others}")  # whoever comes next counts them


@pytest.mark.parametrize("view", ["topology", "networks"])
def test_a_request_to_a_busy_server_is_sent_again(alices: Dashboard, shop: Shop, view: str) -> None:
    """Nothing has changed meanwhile that would tell the page to look."""
    asked = 0

    def busy(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked <= 2:
            route.fulfill(status=503, json={"NeutronError": {"type": "Busy", "message": "not now", "detail": ""}})
        else:
            route.continue_()

    alices.page.route("**/api/v2.0/networks?*", busy)
    page = alices.at(view).page
    shown = box(page, "web") if view == "topology" else page.locator("tbody tr", has_text="web").first
    shown.wait_for(timeout=4 * LIVE_MS)
    assert asked > 2
    alices.faults = [fault for fault in alices.faults if "503" not in fault]
