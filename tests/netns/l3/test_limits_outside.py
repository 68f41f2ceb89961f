"""QoS policies of floating IPs and of gateways, with packets: a limit holds for what has the address, and only that."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.netns.harness import Inside, Lab, until
from tests.netns.l3.test_gateways import Stage, stage
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE

from netweft.lab.cloud import Cloud

__all__ = ["stage"]
LOAD = Path(__file__).parents[1] / "load.py"
PORT, SIZE = 7000, 1200
OUT, IN = 2000, 3000  # kbit/s
WARM, WINDOW = 1.5, 2.0
TOLERANCE = 0.15


def load(namespace: str, *words: object) -> Inside:
    return Inside.script(namespace, LOAD, *words)


def tell(running: Inside, line: object) -> dict[str, float]:
    running.say(str(line))
    answer: dict[str, float] = json.loads(running.line(30))
    return answer


def arrives(frm: str, to: str, address: str, kbps: int) -> float:
    """At eth0 there, in kbit/s, once the burst is used up."""
    with load(to, "sink", PORT) as sink, load(frm, "flood", address, PORT, kbps, SIZE):
        tell(sink, WARM)
        return tell(sink, WINDOW)["kbps"]


@contextmanager
def policy(cloud: Cloud) -> Iterator[str]:
    made: str = cloud.request("POST", "qos/policies", {"policy": {"name": "outside"}})["policy"]["id"]
    for direction, kbps in (("egress", OUT), ("ingress", IN)):
        rule = {"bandwidth_limit_rule": {"max_kbps": kbps, "direction": direction}}
        cloud.request("POST", f"qos/policies/{made}/bandwidth_limit_rules", rule)
    yield made
    cloud.request("DELETE", f"qos/policies/{made}")


def meters(lab: Lab) -> int:
    """Of QoS policies outside: without those of what routers hand up (decision 0431)."""
    said = "".join(lab.ofctl(node, "dump-meters", "br-int") for node in ("hv1", "hv2"))
    return sum(bool(int(number) & 1 << 30) for number in re.findall(r"meter=(\d+)", said))


def close(measured: float, asked: int) -> bool:
    return abs(measured - asked) <= TOLERANCE * asked


@pytest.fixture
def let_in(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            rules = cloud.list("security-group-rules", security_group_id=group["id"], protocol="udp")
            if not rules:
                values: dict[str, Any] = {"direction": "ingress", "protocol": "udp"}
                cloud.create("security-group-rules", security_group_id=group["id"], **values)


def test_a_floating_ip(lab: Lab, stage: Stage, let_in: None) -> None:
    vm, other = (lab.layout.vm_namespace(one.name) for one in (stage.two, stage.one))
    there = lab.layout.host_namespace("outside")
    with lab.cloud() as cloud, policy(cloud) as limits:
        made = cloud.create(
            "floatingips", floating_network_id=stage.external, port_id=stage.two.port_id, qos_policy_id=limits
        )
        until(lambda: meters(lab) == 2, "a meter for each direction")
        assert close(arrives(vm, there, OUTSIDE, 3 * OUT), OUT)
        assert close(arrives(there, vm, made["floating_ip_address"], 3 * IN), IN)
        assert arrives(other, there, OUTSIDE, 3 * OUT) > 2 * OUT, "who has no floating IP is not limited"
        cloud.update("floatingips", made["id"], {"qos_policy_id": None})
        until(lambda: meters(lab) == 0, "no meter")
        assert arrives(vm, there, OUTSIDE, 3 * OUT) > 2 * OUT
        cloud.update("floatingips", made["id"], {"port_id": None, "qos_policy_id": limits})
        leads = {"protocol": "udp", "internal_port_id": stage.two.port_id, "internal_ip_address": address(stage.two)}
        ports = leads | {"internal_port": PORT, "external_port": PORT}
        path = f"floatingips/{made['id']}/port_forwardings"
        cloud.request("POST", path, {"port_forwarding": ports})
        until(lambda: meters(lab) == 2, "one with forwardings only is limited the same")
        assert close(arrives(there, vm, made["floating_ip_address"], 3 * IN), IN)
        (one,) = cloud.request("GET", path)["port_forwardings"]
        cloud.request("DELETE", f"{path}/{one['id']}")
        cloud.delete("floatingips", made["id"])


def test_a_gateway(lab: Lab, stage: Stage, let_in: None) -> None:
    one, two = (lab.layout.vm_namespace(vm.name) for vm in (stage.one, stage.two))
    there = lab.layout.host_namespace("outside")
    with lab.cloud() as cloud, policy(cloud) as limits:
        info = {"network_id": stage.external}
        cloud.update("routers", stage.router["id"], {"external_gateway_info": info | {"qos_policy_id": limits}})
        until(lambda: meters(lab) == 2, "a meter for each direction")
        with load(one, "flood", OUTSIDE, PORT, 3 * OUT, SIZE):
            assert close(arrives(two, there, OUTSIDE, 3 * OUT), OUT), "both together"
        cloud.update("routers", stage.router["id"], {"external_gateway_info": info | {"qos_policy_id": None}})
        until(lambda: meters(lab) == 0, "no meter")
        assert arrives(one, there, OUTSIDE, 3 * OUT) > 2 * OUT
