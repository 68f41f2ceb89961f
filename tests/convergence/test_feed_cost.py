"""A floating IP that leads somewhere, a router's interface more: what that costs the feed does not grow with the
routers that its nodes have.  Counted in lines of ours that run."""

from typing import Any

import pytest
from tests.convergence.feed_events import Put
from tests.convergence.feed_world import Region
from tests.convergence.test_cost_of_one_more import Counter

from netweft.control.l3.associations import LEADING
from netweft.feed.interest import Interest
from netweft.model.router import GATEWAY_HOSTS, NETWORKS

FEW, MANY = 5, 60
HOSTS = ["hv1", "hv2"]


def port(id: str, network: str, **more: Any) -> Put:
    row = {"id": id, "network_id": network, "mac_address": "fa:16:3e:00:00:01", "status": "ACTIVE", "device_owner": ""}
    fixed = [{"subnet_id": "s1", "ip_address": "10.0.0.9"}]
    return Put("ports", {**row, "fixed_ips": fixed, "binding:host_id": "", "device_id": None, **more})


def router(number: str, networks: list[str]) -> list[Put]:
    interfaces = [
        port(
            f"i{number}{net}", net, device_owner="network:router_interface", device_id=f"r{number}", admin_state_up=True
        )
        for net in networks
    ]
    row = {"id": f"r{number}", "name": "", "admin_state_up": True, "routes": [], "external_gateway_info": None}
    out = {"device_owner": "network:router_gateway", "device_id": f"r{number}", GATEWAY_HOSTS: HOSTS}
    gateway = port(f"g{number}", "ext", **{**out, "binding:host_id": HOSTS[0]})
    return [*interfaces, gateway, Put("routers", {**row, NETWORKS: networks})]


def network(id: str) -> Put:
    return Put("networks", {"id": id, "name": id, "mtu": 1450, "provider:network_type": "vxlan", "status": "ACTIVE"})


def floating(number: str, router: str | None, of: str) -> Put:
    row = {"id": f"f{number}", "floating_network_id": "ext", "floating_ip_address": "203.0.113.9"}
    led = {"router_id": router, "port_id": of if router else None, "fixed_ip_address": "10.0.0.9" if router else None}
    return Put("floatingips", {**row, **led, "qos_policy_id": None})


def built(size: int) -> tuple[Region, Interest]:
    region = Region()
    puts = [network("ext"), network("n"), network("red"), floating("", None, "p"), *router("", ["n"])]
    puts += [port("p", "n", **{"binding:host_id": "hv1"}), port("q", "red", **{"binding:host_id": "hv1"})]
    for number in map(str, range(size)):
        puts += [network(f"n{number}"), *router(number, [f"n{number}"]), floating(number, f"r{number}", f"p{number}")]
        puts.append(port(f"p{number}", f"n{number}", **{"binding:host_id": "hv1", LEADING: [f"f{number}"]}))
    for put in puts:
        region.write(put)
    interest = Interest()
    interest.follow(region, HOSTS)
    return region, interest


FLOATING_IP = [floating("", "r", "p"), port("p", "n", **{"binding:host_id": "hv1", LEADING: ["f"]})]
INTERFACE = [puts for puts in router("", ["n", "red"]) if puts.row["id"] in ("ired", "r")]


@pytest.mark.parametrize("change", [FLOATING_IP, INTERFACE])
def test_one_more_costs_the_same(change: list[Put]) -> None:
    lines = []
    for size in (FEW, MANY):
        region, interest = built(size)
        for put in change:
            region.write(put)
        rows = {(put.kind, put.row["id"]) for put in change}
        with Counter() as counter:
            updates = interest.advance(region, rows)
        assert set(updates) == set(HOSTS), "else nothing is shown"
        lines.append(counter.lines)
    assert lines[1] <= 1.02 * lines[0], f"{lines} lines"
