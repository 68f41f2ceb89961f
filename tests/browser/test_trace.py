"""The trace page in a real Chromium: a drop is traced to the rule that is missing, the rule is added, it passes."""

import re

from playwright.sync_api import expect
from tests.browser.conftest import Cloud, Dashboard
from tests.browser.hypervisor import Hypervisor

from netweft.wire.questions import Answer, Ask, Exit, Hop, Interface


def test_a_drop_to_its_rule_and_the_rule_lets_it_pass(alices: Dashboard, cloud: Cloud) -> None:
    project = {"project_id": cloud.blue}
    network = cloud.make("networks", "network", name="traced", **project)["id"]
    cloud.make("subnets", "subnet", network_id=network, ip_version=4, cidr="10.44.0.0/24", **project)
    group = cloud.make("security-groups", "security_group", name="closed", **project)["id"]
    token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": "hv9"}})["node"]["token"]
    with Hypervisor(cloud.url, "hv9", token):
        bound = {"network_id": network, "binding:host_id": "hv9", **project}
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
        expect(page.locator(".hop.stops")).to_have_count(0)
        expect(page.locator(".findings .blocks")).to_have_count(0)


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


def test_what_cannot_be_asked_is_said_in_the_apis_words(alices: Dashboard) -> None:
    alices.at("trace?from=nobody&to=10.1.2.3").see("nobody")
    assert alices.page.locator(".refusal").count() == 1
    alices.faults.clear()
