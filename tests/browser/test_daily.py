"""What users do daily, each by its form: groups and rules, routers, floating IPs and forwardings, trunks, QoS, sharing,
tags, quotas."""

import re
import time
from contextlib import ExitStack
from typing import Any

import pytest
from tests.browser.conftest import Cloud, Dashboard
from tests.browser.hypervisor import Hypervisor


@pytest.fixture(scope="module")
def place(cloud: Cloud) -> dict[str, Any]:
    """An external network, and blue's: two networks with subnets and a port, a router with a gateway, in `other`."""
    flat = {"router:external": True, "provider:network_type": "flat", "provider:physical_network": "physnet1"}
    outside = cloud.make("networks", "network", name="public", **flat)
    cloud.make("subnets", "subnet", network_id=outside["id"], ip_version=4, cidr="203.0.113.0/24")
    made: dict[str, Any] = {"outside": outside}
    blue = {"project_id": cloud.blue}
    made["router"] = cloud.make(
        "routers", "router", name="r", external_gateway_info={"network_id": outside["id"]}, **blue
    )
    for at, name in enumerate(("inner", "other")):
        network = made[name] = cloud.make("networks", "network", name=name, **blue)
        subnet = {"network_id": network["id"], "ip_version": 4, "cidr": f"10.{at}.0.0/24", "name": name}
        made[f"{name}-subnet"] = cloud.make("subnets", "subnet", **subnet, **blue)
        made[f"{name}-port"] = cloud.make("ports", "port", network_id=network["id"], name=f"{name}-port", **blue)
    joined = {"subnet_id": made["other-subnet"]["id"]}
    cloud("PUT", f"/v2.0/routers/{made['router']['id']}/add_router_interface", joined)
    return made


def inline(dashboard: Dashboard, title: str, **values: str) -> None:
    """A small form of an object's page, by the text that is chosen or written."""
    page = dashboard.page
    page.get_by_role("button", name=title).click()
    form = page.locator("form.inline")
    for name, value in values.items():
        _write(form, name, value)
    form.get_by_role("button", name=title).click()
    form.wait_for(state="detached")


def _write(form: Any, name: str, value: str) -> None:
    field = form.locator(f"#field-{name.replace('_', '-') if ':' in name else name}")
    field.wait_for()
    if field.evaluate("field => field.tagName") == "SELECT":
        option = field.locator("option", has_text=re.compile(rf"^{re.escape(value)}(\s|$)"))
        option.first.wait_for(state="attached")
        field.select_option(option.first.evaluate("option => option.value"))
    else:
        field.fill(value)


def test_a_group_with_rules_that_read_as_sentences(alices: Dashboard) -> None:
    page = alices.at("security_groups/new").page
    page.fill("#field-name", "web")
    page.get_by_role("button", name="Make the security group").click()
    page.locator("h1", has_text="web").wait_for()
    page.click("text=Add a rule")
    form = page.locator("form")
    _write(form, "protocol", "tcp")
    page.fill("#field-port_range_min", "443")
    page.fill("#field-port_range_max", "443")
    assert "let in TCP 443 from everywhere" in page.inner_text(".preview")
    page.fill("#field-remote_ip_prefix", "10.0.0.0/33")
    page.get_by_role("button", name="Make the rule").click()
    alices.see("not a valid")
    page.fill("#field-remote_ip_prefix", "10.0.0.0/8")
    page.get_by_role("button", name="Make the rule").click()
    page.locator("h1", has_text="web").wait_for()
    rule = page.locator(".plainlist li", has_text="TCP 443")
    rule.wait_for()
    assert "let in TCP 443 from 10.0.0.0/8" in rule.inner_text()
    page.locator(".explained", has_text="No port has the group").wait_for()
    assert alices.violations() == []
    rule.get_by_role("button").click()
    rule.wait_for(state="detached")


def test_a_router_with_its_interfaces_and_routes(alices: Dashboard, place: dict[str, Any], cloud: Cloud) -> None:
    page = alices.at(f"routers/{place['router']['id']}").page
    inline(alices, "Add an interface", subnet_id="inner")
    line = page.locator(".plainlist li", has_text="10.0.0.1")
    line.wait_for()
    page.click("main >> text=Change")
    page.fill("#field-routes", "192.0.2.0/24 via 10.0.0.77")
    page.get_by_role("button", name="Save").click()
    alices.see("192.0.2.0/24")
    shown = cloud("GET", f"/v2.0/routers/{place['router']['id']}")["router"]
    assert shown["routes"] == [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.77"}]
    assert shown["external_gateway_info"]["network_id"] == place["outside"]["id"]
    line.get_by_role("button").click()
    alices.see("required by one or more routes")  # in the API's words


def test_a_floating_ip_and_its_forwardings(alices: Dashboard, place: dict[str, Any]) -> None:
    page = alices.at("floatingips/new").page
    form = page.locator("form")
    _write(form, "floating_network_id", "public")
    page.get_by_role("button", name="Make the floating IP").click()
    page.locator("h1", has_text="203.0.113.").wait_for()
    inline(alices, "Forward a port", external_port="8080", internal_port_id="other-port", internal_port="80",
           internal_ip_address=place["other-port"]["fixed_ips"][0]["ip_address"])  # fmt: skip
    forwarding = page.locator(".plainlist li", has_text=":8080")
    forwarding.wait_for()
    assert alices.violations() == []
    forwarding.get_by_role("button").click()
    forwarding.wait_for(state="detached")
    page.click("main >> text=Change")
    _write(form, "port_id", "other-port")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Disassociate").click()
    page.get_by_role("button", name="Disassociate").wait_for(state="detached")


def test_a_trunk_and_its_subports(alices: Dashboard, place: dict[str, Any]) -> None:
    page = alices.at("trunks/new").page
    page.fill("#field-name", "trunk")
    _write(page.locator("form"), "port_id", "inner-port")
    page.get_by_role("button", name="Make the trunk").click()
    page.locator("h1", has_text="trunk").wait_for()
    page.locator(".explained", has_text="on no hypervisor").wait_for()
    inline(alices, "Add a subport", port_id="other-port", segmentation_id="101")
    page.locator(".plainlist li", has_text="vlan 101").get_by_role("button").click()
    page.locator(".plainlist li", has_text="vlan 101").wait_for(state="detached")


def test_a_port_with_addresses_and_pairs_and_tags(alices: Dashboard, place: dict[str, Any], cloud: Cloud) -> None:
    page = alices.at(f"ports/new?network_id={place['other']['id']}").page
    page.fill("#field-name", "vrrp")
    page.fill("#field-fixed_ips", "10.1.0.50")
    page.fill("#field-allowed_address_pairs", "10.1.0.100\n10.1.0.101 fa:16:3e:00:00:01")
    page.fill("#field-extra_dhcp_opts", "mtu=1400")
    page.get_by_role("button", name="Make the port").click()
    page.locator("h1", has_text="vrrp").wait_for()
    page.fill("[aria-label='New tag']", "edge")
    page.press("[aria-label='New tag']", "Enter")
    page.get_by_label("Remove tag edge").wait_for()
    (port,) = cloud("GET", "/v2.0/ports?name=vrrp&tags=edge")["ports"]
    assert [one["ip_address"] for one in port["fixed_ips"]] == ["10.1.0.50"]
    assert {one["ip_address"] for one in port["allowed_address_pairs"]} == {"10.1.0.100", "10.1.0.101"}
    assert port["extra_dhcp_opts"][0]["opt_value"] == "1400" and port["port_security_enabled"]
    page.click("main >> text=Change")
    page.fill("#field-description", "both")
    page.get_by_role("button", name="Save").click()
    alices.see("both")
    after = cloud("GET", f"/v2.0/ports/{port['id']}")["port"]
    same = ("fixed_ips", "allowed_address_pairs", "extra_dhcp_opts", "security_groups", "mac_address")
    assert {name: after[name] for name in same} == {name: port[name] for name in same}


def test_pools_groups_of_addresses_and_sharing(alices: Dashboard, place: dict[str, Any], cloud: Cloud) -> None:
    page = alices.at("subnetpools/new").page
    page.fill("#field-name", "pool")
    page.fill("#field-prefixes", "10.64.0.0/10")
    page.fill("#field-default_prefixlen", "26")
    page.get_by_role("button", name="Make the subnet pool").click()
    page.locator("h1", has_text="pool").wait_for()
    pooled = cloud.make("networks", "network", name="pooled", project_id=cloud.blue)["id"]
    alices.at(f"subnets/new?network_id={pooled}")
    page.fill("#field-name", "from the pool")
    _write(page.locator("form"), "subnetpool_id", "pool")
    page.get_by_role("button", name="Make the subnet").click()
    page.locator("h1", has_text="from the pool").wait_for()
    alices.see("/26")
    alices.at("address_groups/new")
    page.fill("#field-name", "offices")
    page.fill("#field-addresses", "192.0.2.0/24\n198.51.100.7/32")
    page.get_by_role("button", name="Make the address group").click()
    page.locator(".plainlist li", has_text="198.51.100.7").get_by_role("button").click()
    page.locator(".plainlist li", has_text="198.51.100.7").wait_for(state="detached")
    inline(alices, "Add addresses", addresses="203.0.113.9/32")
    alices.see("203.0.113.9/32")
    alices.at(f"rbac_policies/new?object_id={place['other']['id']}")
    page.fill("#field-target_tenant", cloud.green)
    page.get_by_role("button", name="Make the RBAC policy").click()
    alices.see("access_as_shared")
    alices.at("rbac_policies").row("network").wait_for()


def test_an_admins_policy_and_quota(admins: Dashboard, cloud: Cloud) -> None:
    page = admins.at("policies/new").page
    page.fill("#field-name", "gold")
    page.get_by_role("button", name="Make the QoS policy").click()
    page.locator("h1", has_text="gold").wait_for()
    inline(admins, "Add a rule", amount="20000")
    admins.see("at most 20000 kbit/s")
    inline(admins, "Add a rule", type="dscp_marking", dscp_mark="46")
    admins.see("DSCP 46")
    admins.at(f"quotas/{cloud.green}")
    page.get_by_label("Limit of Routers").fill("33")
    page.get_by_label("Limit of Routers").press("Enter")
    page.locator("text=/ 33").wait_for()
    assert cloud("GET", f"/v2.0/quotas/{cloud.green}")["quota"]["router"] == 33
    admins.at("activity").row("gold").first.wait_for()
    assert admins.row("gold").first.inner_text().split("\t")[1] == "admin"


def test_several_gateways_and_helpers(alices: Dashboard, place: dict[str, Any], cloud: Cloud) -> None:
    flat = {"router:external": True, "provider:network_type": "flat", "provider:physical_network": "physnet2"}
    second = cloud.make("networks", "network", name="second", **flat)
    cloud.make("subnets", "subnet", network_id=second["id"], ip_version=4, cidr="198.51.100.0/24")
    router = cloud.make("routers", "router", name="several", project_id=cloud.blue)
    page = alices.at(f"routers/{router['id']}").page
    inline(alices, "Add a gateway", network_id="public")
    page.locator(".plainlist li", has_text="203.0.113.").wait_for()
    inline(alices, "Add a gateway", network_id="second")
    page.locator(".plainlist li", has_text="198.51.100.").wait_for()
    inline(alices, "Add a helper", helper="ftp", port="2121")
    page.locator(".plainlist li", has_text="tcp 2121").wait_for()
    assert alices.violations() == []
    shown = cloud("GET", f"/v2.0/routers/{router['id']}")["router"]
    assert [one["network_id"] for one in shown["external_gateways"]] == [place["outside"]["id"], second["id"]]
    assert shown["conntrack_helpers"] == [{"protocol": "tcp", "helper": "ftp", "port": 2121}]
    for text in ("tcp 2121", "198.51.100."):
        line = page.locator(".plainlist li", has_text=text)
        line.get_by_role("button").click()
        line.wait_for(state="detached")
    shown = cloud("GET", f"/v2.0/routers/{router['id']}")["router"]
    assert len(shown["external_gateways"]) == 1 and not shown["conntrack_helpers"]


def test_a_network_of_several_segments(admins: Dashboard, cloud: Cloud) -> None:
    page = admins.at("networks/new").page
    page.fill("#field-name", "segments")
    page.fill("#field-segments", "flat physnet3\nvxlan 5000")
    page.get_by_role("button", name="Make the network").click()
    page.locator("h1", has_text="segments").wait_for()
    (made,) = cloud("GET", "/v2.0/networks?name=segments")["networks"]
    names = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
    told = [tuple(one[name] for name in names) for one in made["segments"]]
    assert told == [("flat", "physnet3", None), ("vxlan", None, 5000)]


def test_a_ports_bindings(admins: Dashboard, place: dict[str, Any], cloud: Cloud) -> None:
    with ExitStack() as stack:
        for host in ("hv-old", "hv-new"):
            token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": host}})["node"]["token"]
            stack.enter_context(Hypervisor(cloud.url, host, token))
        _until_there(cloud, {"hv-old", "hv-new"})
        port = cloud.make("ports", "port", network_id=place["other"]["id"], **{"binding:host_id": "hv-old"})
        page = admins.at(f"ports/{port['id']}").page
        inline(admins, "Add a binding", host="hv-new")
        second = page.locator(".plainlist li", has_text="hv-new")
        second.get_by_role("button", name="Activate").click()
        second.locator(".state", has_text=re.compile("^ACTIVE$")).wait_for()
        first = page.locator(".plainlist li", has_text="hv-old")
        first.get_by_role("button", name="Remove").click()
        first.wait_for(state="detached")
    assert cloud("GET", f"/v2.0/ports/{port['id']}")["port"]["binding:host_id"] == "hv-new"


def _until_there(cloud: Cloud, hosts: set[str]) -> None:
    deadline = time.monotonic() + 60
    while not hosts <= {agent["host"] for agent in cloud("GET", "/v2.0/agents")["agents"]}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_check_is_saved_and_seen_to_be_run(alices: Dashboard, place: dict[str, Any]) -> None:
    """The follower runs it: nobody has asked, and the page has heard of it."""
    page = alices.at("checks/new").page
    for name, value in {"name": "nobody is there", "from": "no such port", "to": "nor this"}.items():
        page.fill(f"#field-{name}", value)
    page.get_by_role("button", name="Make the check").click()
    page.locator("h1", has_text="nobody is there").wait_for()
    page.locator(".state.bad", has_text="FAILING").first.wait_for()
    alices.see("check-cannot-be-made")
    alices.at("checks")
    page.locator("tr", has_text="nobody is there").locator(".state.bad").wait_for()
    alices.at("overview")
    page.get_by_label("Checks that fail").locator("tr", has_text="nobody is there").wait_for()


def test_in_a_narrow_window_the_page_comes_before_the_menu(alices: Dashboard) -> None:
    page = alices.at("networks").page
    page.set_viewport_size({"width": 390, "height": 760})
    menu = page.locator(".menu")
    menu.wait_for(state="hidden")
    page.get_by_role("button", name="Menu").click()
    assert alices.violations() == []
    menu.get_by_role("link", name="Routers").click()
    page.locator("h1", has_text="Routers").wait_for()
    menu.wait_for(state="hidden")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
