"""Wiring and fabric in a real Chromium; the node is a stand-in that answers what it is asked."""

import re
from collections.abc import Callable
from itertools import count
from typing import Final

from playwright.sync_api import expect
from tests.browser.conftest import ALICE, Cloud, Dashboard
from tests.browser.hypervisor import Hypervisor

from netweft.wire.queries import Answer, Ask, Seen
from netweft.wire.wiring import Counts, Far, Station, Wiring

TAG, KEY, NODE, OTHER = 4007, 76543, "hv-underlay", "hv-watched"
_SENT: Final = count(1)


async def answer(question: Ask) -> Answer:
    if question.tunnels:
        return Answer(id=question.id, watched=(Seen(host=OTHER, state="gone"),))
    sent = Counts(rx_packets=100 * next(_SENT), rx_bytes=10_000)
    found = Wiring(
        vif=Station(name="tap-one", bridge="br-int", ofport=12, link="up", mtu=1450, counts=sent),
        port_id=question.port_id,
        tag=TAG,
        network_type="vxlan",
        key=KEY,
        link=(Station(name="patch-tun", bridge="br-int"), Station(name="patch-int", bridge="br-tun")),
        out=(Station(name="vxlan-overlay", bridge="br-tun"),),
        tunnel_ip="192.0.2.1",
        far=(Far(host="hv-far", address="192.0.2.9"),),
    )
    return Answer(id=question.id, revision=1, wiring=found if question.wiring else None)


def test_a_port_from_its_tap_to_the_wire_and_only_for_who_may_see_it(
    admins: Dashboard, opened: Callable[..., Dashboard], cloud: Cloud
) -> None:
    project = {"project_id": cloud.blue}
    network = cloud.make("networks", "network", name="wired", **project)["id"]
    cloud.make("subnets", "subnet", network_id=network, ip_version=4, cidr="10.45.0.0/24", **project)
    token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": NODE}})["node"]["token"]
    other = cloud("POST", "/netweft/v1/nodes", {"node": {"name": OTHER}})["node"]["token"]
    with Hypervisor(cloud.url, NODE, token, answer), Hypervisor(cloud.url, OTHER, other, None, "192.0.2.2"):
        bound = {"network_id": network, "binding:host_id": NODE, **project}
        port = cloud.make("ports", "port", name="seen-vm", **bound)["id"]
        page = admins.at(f"ports/{port}").page
        page.get_by_role("link", name="Wiring").last.click()
        page.locator(".tagged", has_text=str(TAG)).first.wait_for()
        shown = page.inner_text("main")
        for word in ("tap-one", "br-int", "patch-tun", "br-tun", f"VNI {KEY}", "vxlan-overlay", "hv-far", "192.0.2.9"):
            assert word in shown, word
        before = page.locator(".counts").first.inner_text()
        expect(page.locator(".counts").first).not_to_have_text(before, timeout=30_000)
        page.locator(".moves").first.wait_for()
        assert admins.violations() == []
        admins.shot("wiring")
        admins.at("fabric").row(NODE).first.wait_for()
        assert re.search(rf"{NODE}\s+alive\s+up to date\s+192\.0\.2\.1", admins.page.inner_text("main"))
        admins.page.locator("table.matrix td", has_text="BFD down").wait_for()
        admins.see(f"Not known what they see: {OTHER}")
        assert admins.violations() == []

        alices = opened("alice", ALICE)
        alices.at(f"wiring/{port}").see("a hypervisor")
        alices.see("from the VM")
        told = alices.page.content()
        for word in (NODE, "tap-one", "br-int", str(TAG), str(KEY), "192.0.2"):
            assert word not in told, word
        alices.at("fabric")
        assert NODE not in alices.page.content()
        alices.faults.clear()
