"""Three nodes, VMs, a router and the outside, between which packets are traced; and what the server says of one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.netns.harness import MOST_BETWEEN, Lab
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import external_network, next_hop
from tests.waiting import PATIENCE

from netweft.lab import host
from netweft.lab.vm import Vm

HTTP: dict[str, Any] = {"protocol": "tcp", "port": 80}
VLAN: dict[str, object] = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}


class Stage(NamedTuple):
    """vms: by name, as their ports are called: blue ones on hv1, hv2; a red one on hv3; on a VLAN on hv1, hv2."""

    vms: dict[str, Vm]
    floating: str
    router: str


@contextmanager
def staged(lab: Lab) -> Iterator[Stage]:
    blue, red, vlan = (
        lab.network("10.40.0.0/24", "fd00:40::/64"),
        lab.network("10.41.0.0/24"),
        lab.network("10.42.0.0/24", **VLAN),
    )
    external, outside = external_network(lab), next_hop(lab)
    router = make_router(lab, blue, red, vlan, external_gateway_info={"network_id": external})
    places = (
        ("one", "hv1", blue),
        ("two", "hv2", blue),
        ("red", "hv3", red),
        ("tag", "hv1", vlan),
        ("tog", "hv2", vlan),
    )
    vms = {name: lab.add_vm(node, network, name=name) for name, node, network in places}
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=external, port_id=vms["two"].port_id)
        for group in cloud.list("security-groups", name="default"):
            rule = {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", **rule)
    yield Stage(vms, made["floating_ip_address"], router["id"])
    host.remove(lab.layout, outside)


def trace(lab: Lab, frm: str, to: str, **more: Any) -> dict[str, Any]:
    with lab.cloud() as cloud:
        found: dict[str, Any] = cloud.request("POST", "netweft/trace", {"trace": {"from": frm, "to": to, **more}})
    told: dict[str, Any] = found["trace"]
    return told


def codes(told: dict[str, Any]) -> list[str]:
    return [one["code"] for one in told["findings"]]


def is_healthy(told: dict[str, Any]) -> bool:
    return (told["passes"], told["findings"], told["unseen"]) == (True, [], [])


def nothing_is_said(lab: Lab, frm: str, to: str, **more: Any) -> dict[str, Any]:
    """Before long: a node needs a moment for what has just become ACTIVE elsewhere."""
    return until_told(is_healthy, lab, frm, to, **more)


def until_told(is_so: Callable[[dict[str, Any]], bool], lab: Lab, frm: str, to: str, **more: Any) -> dict[str, Any]:
    """Nodes are not asked more often than they answer."""
    end = time.monotonic() + PATIENCE
    while not is_so(told := trace(lab, frm, to, **more)):
        assert time.monotonic() < end, (frm, to, told["passes"], told["findings"], told["unseen"])
        time.sleep(MOST_BETWEEN)
    return told
