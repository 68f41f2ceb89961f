"""The trace page in a real Chromium: a drop is traced to the rule that is missing, the rule is added, it passes."""

import re

from playwright.sync_api import expect
from tests.browser.conftest import Cloud, Dashboard
from tests.browser.hypervisor import Hypervisor

from netweft.wire.queries import Answer, Ask, Exit, Hop, Interface


def test_a_drop_to_its_rule_and_the_rule_lets_it_pass(alices: Dashboard, cloud: Cloud) -> None:
    project = {"project_id": cloud.blue}
    network = cloud.make("networks", "network", name="traced", **project)["id"]
    cloud.make("subnets", "subnet", network_id=network, ip_version=4, cidr="10.44.0.0/24", **project)
    group = cloud.make("security-groups", "security_group", name="closed", **project)["id"]
    token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": "hv9"}})["node"]["token"]
    with Hypervisor(cloud.url, "hv9", token):
        bound = {"network_id": network, "binding:host_id": "hv9", "device_owner": "compute:nova", **project}
        cloud.make("ports", "port", name="asking", **bound)
        cloud.make("ports", "port", name="asked", security_groups=[group], **bound)
        page = alices.at("trace").page
        page.fill("#trace-from", "asking")
        page.fill("[name=to]", "asked")
        page.fill("[name=protocol]", "tcp")
        page.fill("[name=port]", "443")
        page.click("text=Trace >> nth=-1")
        alices.see("it does not pass")
        alices.see("no-rule-lets-it-in")
        assert re.search("from=asking.*port=443", page.url)
        expect(page.locator(".hop.stops")).to_contain_text("asked")
        expect(page.locator("svg.picture .row.lit")).to_have_count(2)
        expect(page.locator("svg.picture .row.stops")).to_contain_text("asked")
        assert alices.violations() == []
        alices.shot("trace")
        rule = {
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_range_min": 443,
            "port_range_max": 443,
        }
        cloud.make("security-group-rules", "security_group_rule", security_group_id=group, **rule, **project)
        expect(page.locator(".facts").first).to_contain_text("there: passes", timeout=30_000)
        expect(page.locator(".hop.stops, .row.stops")).to_have_count(0)
        expect(page.locator(".findings .blocks")).to_have_count(0)
        _a_firewall_decides(alices, cloud)


def _a_firewall_decides(alices: Dashboard, cloud: Cloud) -> None:
    """A policy that refuses is made, its port put behind it, traced; then a rule that allows it is put before."""
    page = alices.at("firewall_policies/new").page
    page.fill("#field-name", "edge")
    page.get_by_role("button", name="Make the firewall policy").click()
    rules = page.get_by_label("Rules", exact=True)
    _add_rule(alices, name="no web", action="deny", protocol="tcp", destination_port="1:1000")
    rules.locator("li", has_text="deny TCP 1 to 1000 from anybody to anybody").wait_for()
    _add_rule(alices, name="rest", action="allow")
    rules.locator("li", has_text="allow any IPv4").wait_for()
    rules.get_by_label("Up rest").click()
    expect(rules.locator("li").first).to_contain_text("allow any IPv4")
    rules.get_by_label("Down rest").click()
    expect(rules.locator("li").first).to_contain_text("deny TCP")
    assert alices.violations() == []

    page = alices.at("firewall_groups/new").page
    page.fill("#field-name", "wall")
    for way in ("ingress", "egress"):
        page.locator(f"#field-{way}_firewall_policy_id option", has_text="edge").wait_for(state="attached")
        page.select_option(f"#field-{way}_firewall_policy_id", label="edge")
    page.get_by_role("button", name="Make the firewall group").click()
    page.locator("h1", has_text="wall").locator(".state", has_text=re.compile("^INACTIVE$")).wait_for()
    page.get_by_role("button", name="Add a port").click()
    choice = page.locator("form.inline #field-port_id")
    choice.locator("option", has_text="asked").wait_for(state="attached")
    choice.select_option(choice.locator("option", has_text="asked").get_attribute("value"))
    page.locator("form.inline").get_by_role("button", name="Add a port").click()
    page.locator("form.inline").wait_for(state="detached")
    page.get_by_label("Ports", exact=True).locator("li", has_text="asked").wait_for()
    page.get_by_label("What comes in", exact=True).locator("li", has_text="deny TCP").get_by_text("0 hits").wait_for()
    page.locator("h1", has_text="wall").locator(".state.good", has_text=re.compile("^ACTIVE$")).wait_for()
    page.locator(".explained h2").wait_for()
    alices.shot("firewall-group")
    assert alices.violations() == []

    traced = "trace?from=asking&to=asked&protocol=tcp&port=443"
    page = alices.at(traced).page
    alices.see("firewall-refuses")
    expect(page.locator(".hop.stops")).to_contain_text("asked")
    (policy,) = cloud("GET", "/v2.0/fwaas/firewall_policies?name=edge")["firewall_policies"]
    page = alices.at(f"firewall_policies/{policy['id']}").page
    _add_rule(alices, name="web", action="allow", protocol="tcp", destination_port="443", place="1")
    expect(page.get_by_label("Rules", exact=True).locator("li").first).to_contain_text("allow TCP 443")
    page = alices.at(traced).page
    expect(page.locator(".facts").first).to_contain_text("there: passes", timeout=30_000)
    for place in ("firewall_groups", "firewall_policies", "firewall_rules", "firewall_rules/new"):
        alices.at(place)
    assert alices.violations() == []


def _add_rule(alices: Dashboard, **values: str) -> None:
    page = alices.page
    page.get_by_role("button", name="Add a rule").click()
    form = page.locator("form.inline")
    for name, value in values.items():
        field = form.locator(f"#field-{name}")
        if name in ("action", "protocol"):
            field.select_option(value)
        else:
            field.fill(value)
    form.get_by_role("button", name="Add a rule").click()
    form.wait_for(state="detached")


async def delivered(question: Ask) -> Answer:
    """What the node's Open vSwitch does with the packet: it gets to the other end."""
    there = next(id for id in question.also if id != question.port_id)
    hop = Hop(bridge="br-int", table="deliver", flow="reg1=0x5", actions="output:7", reason="deliver")
    here = tuple(Interface(name=f"tap{at}", port_id=id, link="up", ofport=7) for at, id in enumerate(question.also))
    out = Exit(kind="port", port_id=there, interface="tap-of-it")
    return Answer(id=question.id, revision=9, hops=(hop,), exits=(out,), interfaces=here)


def test_what_each_node_does_with_it_is_shown_to_admins(admins: Dashboard, cloud: Cloud) -> None:
    network = cloud.make("networks", "network", name="looked-into")["id"]
    cloud.make("subnets", "subnet", network_id=network, ip_version=4, cidr="10.46.0.0/24")
    token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": "hv8"}})["node"]["token"]
    with Hypervisor(cloud.url, "hv8", token, delivered):
        for name in ("here", "there"):
            cloud.make("ports", "port", network_id=network, name=name, **{"binding:host_id": "hv8"})
        page = admins.at("trace?from=here&to=there&reply=1").page
        expect(page.locator(".verdict")).to_contain_text("it passes", timeout=30_000)
        node = page.locator(".hop.node").first
        expect(node).to_contain_text("hv8")
        expect(node).to_contain_text("to the port at tap-of-it")
        node.locator("summary").click()
        expect(node).to_contain_text("br-int deliver: reg1=0x5")
        assert admins.violations() == []


def test_a_bad_request_is_shown_in_the_apis_words(alices: Dashboard) -> None:
    alices.at("trace?from=nobody&to=10.1.2.3").see("nobody")
    assert alices.page.locator(".refusal").count() == 1
    alices.faults.clear()
