"""Load balancers in the dashboard: made in one form, seen to be ACTIVE, members added, drained and removed, deleted."""

import re

import pytest
from tests.browser.conftest import Cloud, Dashboard
from tests.certificates import Certificate, authority, signed

LBAAS = "/load-balancer/v2/lbaas"


@pytest.fixture(scope="module")
def subnet(cloud: Cloud) -> str:
    network = cloud.make("networks", "network", name="shop", project_id=cloud.blue)["id"]
    values = {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24", "name": "shop"}
    id: str = cloud.make("subnets", "subnet", project_id=cloud.blue, **values)["id"]
    return id


def test_one_is_made_in_one_form_and_its_members_come_and_go(alices: Dashboard, cloud: Cloud, subnet: str) -> None:
    page = alices.at("loadbalancers/new").page
    page.fill("#field-name", "front")
    page.locator(f"#field-vip_subnet_id option[value='{subnet}']").wait_for(state="attached")
    page.select_option("#field-vip_subnet_id", subnet)
    page.fill("#field-protocol_port", "443")
    page.fill("#field-members", "10.9.0.300:80\n10.9.0.12:80 5")
    page.select_option("#field-type", "HTTP")
    page.get_by_role("button", name="Make the load balancer").click()
    page.locator("#field-members-problem").wait_for()  # in the API's words, where it is wrong
    page.fill("#field-members", "10.9.0.11:80\n10.9.0.12:80 5")
    page.get_by_role("button", name="Make the load balancer").click()
    page.locator("h1", has_text="front").locator(".state.good", has_text=re.compile("^ACTIVE$")).wait_for()
    tree = page.get_by_label("Status tree")
    tree.get_by_text("10.9.0.12:80").wait_for()
    page.locator(".explained h2").wait_for()
    alices.shot("load-balancer")
    assert alices.violations() == []
    (made,) = cloud("GET", f"{LBAAS}/loadbalancers?name=front")["loadbalancers"]
    (pool,) = cloud("GET", f"{LBAAS}/pools?loadbalancer_id={made['id']}")["pools"]
    assert (made["vip_subnet_id"], made["project_id"], pool["lb_algorithm"]) == (subnet, cloud.blue, "ROUND_ROBIN")

    tree.locator(f"a[href='#/pools/{pool['id']}']").first.click()
    members = page.get_by_label("Members", exact=True)
    members.locator("li", has_text="10.9.0.12:80").get_by_text("weight 5").wait_for()
    members.get_by_label("Drain 10.9.0.12:80").click()
    members.get_by_text("weight 0").wait_for()
    page.get_by_role("button", name="Add a member").click()
    page.fill("form.inline #field-address", "10.9.0.13:8080")
    page.locator("form.inline").get_by_role("button", name="Add a member").click()
    members.get_by_label("Remove 10.9.0.13:8080").click()
    members.get_by_text("10.9.0.13:8080").wait_for(state="detached")
    assert alices.violations() == []
    kept = cloud("GET", f"{LBAAS}/pools/{pool['id']}/members")["members"]
    assert {one["address"]: one["weight"] for one in kept} == {"10.9.0.11": 1, "10.9.0.12": 0}

    members.get_by_label("Change 10.9.0.11:80").click()
    page.fill("form.inline #field-weight", "7")
    page.locator("form.inline").get_by_role("button", name="Change").click()
    members.get_by_text("weight 7").wait_for()

    _ends_tls_with_a_certificate(alices, cloud, made["id"])
    alices.at(f"pools/{pool['id']}/edit")
    page.fill("#field-session_persistence", "SOURCE_IP")
    page.get_by_role("button", name="Save").click()
    alices.see("type: SOURCE_IP")

    alices.at(f"healthmonitors/{pool['healthmonitor_id']}/edit")
    page.fill("#field-url_path", "/well")  # there since it asks by HTTP, which is not changed itself
    page.get_by_role("button", name="Save").click()
    alices.see("/well")
    page.locator(".explained", has_text="no fault known").wait_for()

    # what others do is seen as it happens; what is deleted goes with all below it
    alices.at("loadbalancers").row("front").locator(".state", has_text=re.compile("^ACTIVE$")).wait_for()
    cloud("PUT", f"{LBAAS}/loadbalancers/{made['id']}", {"loadbalancer": {"name": "renamed"}})
    alices.row("renamed").wait_for()
    places = ("listeners", "pools", "healthmonitors", "l7policies", "loadbalancers/new", "listeners/new", "quotas")
    for place in places:
        alices.at(place)
    assert alices.violations() == []
    alices.at(f"loadbalancers/{made['id']}")
    page.get_by_role("button", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.locator("h1", has_text="Load balancers").wait_for()
    assert cloud("GET", f"{LBAAS}/listeners?loadbalancer_id={made['id']}")["listeners"] == []


def _stores_files(alices: Dashboard, www: Certificate) -> None:
    """PKCS #12, and PEM whose key has a passphrase: that is a container, which is deleted with its secrets."""
    page, form = alices.page, alices.page.locator("form.inline")
    files = {"bundle": www.pkcs12(), "locked": (www.pem + www.locked_key(b"pass")).encode()}
    for name, content in files.items():
        page.get_by_role("button", name="Store a certificate").click()
        page.fill("form.inline #field-name", name)
        page.set_input_files("form.inline #field-file", {"name": name, "mimeType": "", "buffer": content})
        form.get_by_role("button", name="Store a certificate").click()
        if name == "locked":
            page.locator("#field-passphrase-problem").wait_for()
            page.fill("form.inline #field-passphrase", "pass")
            form.get_by_role("button", name="Store a certificate").click()
        page.locator("tbody tr", has_text=name).wait_for()
    assert page.locator("tbody tr").count() == 3
    page.locator("tbody tr", has_text="locked").get_by_role("button").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.locator("tbody tr", has_text="locked").wait_for(state="detached")
    assert page.locator("tbody tr").count() == 2


def _ends_tls_with_a_certificate(alices: Dashboard, cloud: Cloud, balancer: str) -> None:
    """Stored, chosen by its name, and never told again."""
    page, www = alices.page, signed(authority(), "www.example")
    alices.at("certificates")
    page.get_by_role("button", name="Store a certificate").click()
    page.fill("form.inline #field-name", "www")
    page.fill("form.inline #field-pem", "no certificate")
    page.locator("form.inline").get_by_role("button", name="Store a certificate").click()
    page.locator("#field-pem-problem").wait_for()
    page.fill("form.inline #field-pem", www.pem + www.key_pem)
    page.locator("form.inline").get_by_role("button", name="Store a certificate").click()
    page.locator("tbody tr", has_text="www").wait_for()
    _stores_files(alices, www)
    assert alices.violations() == []
    alices.at(f"listeners/new?loadbalancer_id={balancer}")
    page.select_option("#field-protocol", "TERMINATED_HTTPS")
    page.fill("#field-protocol_port", "8443")
    for field in ("default_tls_container_ref", "sni_container_refs"):
        page.locator(f"#field-{field} option", has_text="www").wait_for(state="attached")
        page.select_option(f"#field-{field}", label="www")
    page.get_by_role("button", name="Make the listener").click()
    alices.see("TERMINATED_HTTPS")
    (secure,) = cloud("GET", f"{LBAAS}/listeners?protocol=TERMINATED_HTTPS")["listeners"]
    assert secure["sni_container_refs"] == [secure["default_tls_container_ref"]]
