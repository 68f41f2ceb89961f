"""What a person does with the dashboard, in a real Chromium."""

import re
from collections.abc import Callable

import httpx
from tests.browser.conftest import ALICE, BOB, Cloud, Dashboard
from tests.browser.hypervisor import Hypervisor

LIVE_MS = 5_000  # on a busy machine; bench/dashboard.py measures
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


def test_a_wrong_password_is_an_error_on_the_page(opened: Callable[..., Dashboard]) -> None:
    dashboard = opened().log_in("alice", "wrong")
    dashboard.see("is not right")
    assert dashboard.page.input_value("#password") == ""
    assert dashboard.violations() == []
    dashboard.log_in("alice", ALICE).see("Overview")
    dashboard.page.reload()
    dashboard.see("Overview")
    dashboard.page.click("text=Log out")
    dashboard.page.wait_for_selector("#user")
    assert dashboard.page.context.cookies() == []


def test_a_network_is_built_and_its_port_comes_to_life(alices: Dashboard, cloud: Cloud) -> None:
    token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": "hv1"}})["node"]["token"]
    page = alices.at("build").page
    page.fill("#field-name", "shop")
    page.fill("#field-cidr", "10.77.0.0/33")
    page.click("text=Build >> nth=-1")
    alices.see("not a valid")
    alices.page.click("text=Take back what was made")
    alices.until("!document.querySelector('.plainlist')")
    page.fill("#field-cidr", "10.77.0.0/24")
    page.click("footer >> text=Build")
    alices.see("built")
    page.click("ul >> text=shop-vm")
    alices.see("DOWN")
    port = page.url.rpartition("/")[2]
    with Hypervisor(cloud.url, "hv1", token):
        cloud("PUT", f"/v2.0/ports/{port}", {"port": {"binding:host_id": "hv1"}})
        page.locator("h1 >> text=ACTIVE").wait_for()
        alices.see("no fault known")
    alices.shot("port")
    assert alices.violations() == []


def test_changes_are_seen_as_they_happen(alices: Dashboard, cloud: Cloud) -> None:
    alices.at("networks")
    alices.see("live")
    made = cloud.make("networks", "network", name="from elsewhere", project_id=cloud.blue)["id"]
    alices.row("from elsewhere").wait_for(timeout=LIVE_MS)
    cloud("PUT", f"/v2.0/networks/{made}", {"network": {"name": "renamed"}})
    alices.row("renamed").wait_for(timeout=LIVE_MS)
    cloud("DELETE", f"/v2.0/networks/{made}")
    alices.row("renamed").wait_for(state="detached", timeout=LIVE_MS)


def test_another_tenant_sees_nothing(alices: Dashboard, opened: Callable[..., Dashboard], cloud: Cloud) -> None:
    network = cloud.make("networks", "network", name="alice's secret", project_id=cloud.blue)["id"]
    alices.at("networks").row("alice's secret").wait_for()
    assert not {"Agents", "Packet logs"} & set(alices.page.locator(".menu a").all_inner_texts())
    assert not alices.at("policies").page.get_by_text("New QoS policy").count(), "a manager makes them"
    bobs = opened("bob", BOB)
    bobs.at("networks")
    assert "secret" not in bobs.page.inner_text("body")
    bobs.at(f"networks/{network}").see("could not be found")
    bobs.at(f"networks/{network}/edit").see("could not be found")
    assert "Agents" not in bobs.page.inner_text(".menu")
    bobs.at("agents")
    assert bobs.page.locator("tbody tr").count() == 0
    cloud("DELETE", f"/v2.0/networks/{network}")


def test_a_session_in_several_tabs(opened: Callable[..., Dashboard], cloud: Cloud) -> None:
    """One project in all of them; who is logged out in one, or by an admin, is in none."""
    cloud.make("networks", "network", name="green's", project_id=cloud.green)
    carol = cloud.user("carol", "carol's own", cloud.blue, cloud.green)
    first = opened("carol", "carol's own").at("networks")
    second = Dashboard(first.page.context.new_page(), cloud).at("networks")
    assert "green's" not in first.page.inner_text("main")
    first.page.select_option("header select", label="green")
    for tab in (first, second):
        tab.row("green's").wait_for()
        tab.until("document.querySelector('header select').selectedOptions[0].textContent === 'green'")
    cloud.make("networks", "network", name="and one more", project_id=cloud.green)
    second.row("and one more").wait_for()
    cloud("PATCH", f"/identity/v3/users/{carol}", {"user": {"enabled": False}})
    for tab in (first, second):
        tab.page.wait_for_selector("#user")
        assert "green's" not in tab.page.inner_text("body")
    assert not second.faults


def test_another_site_changes_nothing(alices: Dashboard, cloud: Cloud) -> None:
    """With the very cookie, which a browser would not even send."""
    (cookie,) = alices.at("overview").page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["path"] == "/dashboard"
    assert alices.page.evaluate("document.cookie") == ""
    forged = httpx.post(
        f"{cloud.url}/dashboard/api/v2.0/networks",
        json={"network": {"name": "forged"}},
        headers={"cookie": f"{cookie['name']}={cookie['value']}", "origin": "http://evil.example"},
    )
    assert forged.status_code == 403
    assert not [secret for secret in (cookie["value"], ALICE, cloud.password) if secret in cloud.log()]
    assert alices.page.evaluate("fetch('api/v2.0/networks').then((answer) => answer.status)") == 403


def test_names_are_text_whatever_is_in_them(alices: Dashboard, cloud: Cloud) -> None:
    network = cloud.make("networks", "network", name=HOSTILE, description="javascript:alert(1)", project_id=cloud.blue)[
        "id"
    ]
    cloud("PUT", f"/v2.0/networks/{network}/tags", {"tags": ["&lt;b&gt;"]})
    cloud.make("subnets", "subnet", network_id=network, ip_version=4, cidr="10.9.0.0/24", name=HOSTILE)
    for place in (
        "networks",
        f"networks/{network}",
        f"networks/{network}/edit",
        "subnets",
        "ports/new",
        "subnets?name=<img src=x>",
    ):
        alices.at(place)
        alices.page.wait_for_timeout(100)
        assert "taken" not in alices.page.title()
        assert alices.page.locator("main img, main script, main b").count() == 0
    assert alices.page.locator("a[href^='javascript:']").count() == 0
    cloud("DELETE", f"/v2.0/networks/{network}")


def test_errors_stand_beside_the_field_in_the_apis_words(alices: Dashboard) -> None:
    page = alices.at("networks/new").page
    page.fill("#field-name", "n" * 300)
    page.click("text=Make the network")
    problem = page.locator("#field-name-problem")
    problem.wait_for()
    assert "exceeds maximum length of 255" in problem.inner_text()
    assert page.get_attribute("#field-name", "aria-invalid") == "true"
    assert alices.violations() == []


def test_the_keyboard_is_enough(alices: Dashboard, cloud: Cloud) -> None:
    for name in ("key-a", "key-b", "key-c"):
        cloud.make("networks", "network", name=name, project_id=cloud.blue)
    page = alices.at("networks").page
    page.keyboard.press("?")
    alices.see("new network")
    assert alices.violations() == []
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("key-")
    alices.until("location.hash.includes('find=key-')")
    page.keyboard.press("Escape")
    for key in "jjkx":
        page.keyboard.press(key)
    assert page.locator("tr.here").inner_text().strip().startswith("key-a")
    page.keyboard.press("#")
    page.locator("dialog >> text=Delete this network?").wait_for()
    page.keyboard.press("Enter")
    alices.row("key-a").wait_for(state="detached")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    alices.until(r"/^#\/networks\/[0-9a-f-]{36}$/.test(location.hash)")
    page.locator("main >> text=Change").first.wait_for()
    page.keyboard.press("e")
    alices.until("location.hash.endsWith('/edit')")
    page.get_by_role("button", name="Save").wait_for()  # the object's page has a form, too: its tags
    page.keyboard.press("Escape")
    page.locator("main dl").first.wait_for()
    page.keyboard.press("u")
    page.locator("main table").wait_for()
    page.keyboard.press("n")
    alices.until("location.hash === '#/networks/new'")


def test_tab_goes_on_in_the_page_that_was_opened(alices: Dashboard) -> None:
    page = alices.at("networks").page
    page.locator("main >> text=New network").first.wait_for()
    page.keyboard.press("m")
    alices.until("document.activeElement.textContent.trim() === 'Networks'")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    alices.until("location.hash === '#/subnets'")
    page.locator("main >> text=New subnet").first.wait_for()
    page.keyboard.press("Tab")
    alices.until("document.querySelector('#main :focus') !== null")


def test_many_are_deleted_at_once_and_what_is_kept_says_why(alices: Dashboard, cloud: Cloud) -> None:
    made = [cloud.make("networks", "network", name=f"bulk-{at}", project_id=cloud.blue)["id"] for at in range(4)]
    cloud.make("subnets", "subnet", network_id=made[0], ip_version=4, cidr="10.8.0.0/24")
    port = cloud.make("ports", "port", network_id=made[0], project_id=cloud.blue)["id"]
    page = alices.at("networks?find=bulk-").page
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Admin down").click()
    alices.until("document.querySelectorAll('tbody .note').length === 4")
    assert {cloud("GET", f"/v2.0/networks/{id}")["network"]["admin_state_up"] for id in made} == {False}
    page.click("text=Delete 4")
    page.click("dialog >> text=Delete >> nth=-1")
    page.locator(".refusal").wait_for()
    assert "in use" in page.inner_text(".refusal")
    alices.until("document.querySelectorAll('tbody tr').length === 1")
    cloud("DELETE", f"/v2.0/ports/{port}")


def test_long_lists_are_pages_with_addresses(alices: Dashboard, cloud: Cloud) -> None:
    network = cloud.make("networks", "network", name="crowded", project_id=cloud.blue)["id"]
    for batch in range(2):
        wanted = [{"name": f"p-{batch}{at:02}", "network_id": network, "project_id": cloud.blue} for at in range(60)]
        cloud("POST", "/v2.0/ports", {"ports": wanted})
    page = alices.at(f"ports?network_id={network}").page
    assert page.locator("tbody tr").count() == 100
    page.click("text=Next page")
    alices.until("document.querySelectorAll('tbody tr').length === 20")
    assert page.locator("tbody tr").first.inner_text().strip().startswith("p-140")
    page.reload()
    alices.until("document.querySelectorAll('tbody tr').length === 20")
    page.click("text=Page before")
    alices.until("document.querySelectorAll('tbody tr').length === 100")
    assert page.locator("tbody tr").first.inner_text().strip().startswith("p-000")


def test_every_page_is_for_everybody_and_no_script_fails(admins: Dashboard, cloud: Cloud) -> None:
    """axe finds nothing on any page, dark and light."""
    external = cloud.make(
        "networks", "network", name="public", **{"router:external": True, "provider:network_type": "flat",
        "provider:physical_network": "physnet1"},
    )  # fmt: skip
    cloud.make("subnets", "subnet", network_id=external["id"], ip_version=4, cidr="203.0.113.0/24", name="public")
    router = cloud.make("routers", "router", name="edge", external_gateway_info={"network_id": external["id"]})
    group = cloud.make("security-groups", "security_group", name="web")
    cloud.make(
        "security-group-rules", "security_group_rule", security_group_id=group["id"], direction="ingress",
        protocol="tcp", port_range_min=443, port_range_max=443,
    )  # fmt: skip
    floating = cloud.make("floatingips", "floatingip", floating_network_id=external["id"])
    policy = cloud.make("qos/policies", "policy", name="gold")
    menu = admins.page.locator(".menu a").evaluate_all("links => links.map((link) => link.hash.slice(2))")
    more = [
        f"networks/{external['id']}", f"routers/{router['id']}", f"security_groups/{group['id']}", "ports/new",
        f"floatingips/{floating['id']}", f"policies/{policy['id']}", "nothing/here", f"routers/{router['id']}/edit",
    ]  # fmt: skip
    for place in [*menu, *more]:
        admins.at(place)
        assert admins.violations() == [], place
    admins.at(f"security_groups/{group['id']}")
    assert re.search(r"let in\s+TCP 443\s+from\s+everywhere", admins.page.inner_text("main"))
    admins.shot("security-group")
    admins.at("overview").page.locator("meter").first.wait_for()
    admins.shot("overview")
    admins.page.emulate_media(color_scheme="dark")
    for place in ("overview", "networks", f"routers/{router['id']}"):
        admins.at(place)
        assert admins.violations() == [], place
