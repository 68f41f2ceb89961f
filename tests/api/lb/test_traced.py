"""A trace to a VIP, with nobody to ask but the rows: through the tree to members, and for who does not see the tree
nothing of it."""

import json
from typing import Any

import pytest
from tests.api.lb.conftest import Lb


@pytest.fixture
def there(lb: Lb) -> dict[str, Any]:
    """alice's balancer on a network that all share, with a member on it; VMs of alice and bob there."""
    network = lb.net.make("admin", "network", shared=True)["id"]
    subnet = lb.net.make("admin", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")["id"]
    made = {name: lb.net.make(who, "port", network_id=network, name=name) for who, name in OWNERS.items()}
    member = lb.net.make("alice", "port", network_id=network, name="serving")
    address = member["fixed_ips"][0]["ip_address"]
    balancer = lb.balancer(vip_subnet_id=subnet)
    listener = lb.make("/listeners", loadbalancer_id=balancer["id"], protocol="TCP", protocol_port=80)
    pool = {"listener_id": listener["id"], "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}
    pool_id = lb.make("/pools", **pool)["id"]
    lb.make(f"/pools/{pool_id}/members", address=address, protocol_port=8080, subnet_id=subnet)
    return {**made, "vip": balancer["vip_address"], "listener": listener["id"], "pool": pool_id, "balancer": balancer}


OWNERS = {"alice": "alices", "bob": "bobs"}


def traced(lb: Lb, who: str, vip: str, port: int = 80) -> Any:
    asked = {"from": OWNERS[who], "to": vip, "protocol": "tcp", "port": port}
    answer = lb.net(who, "POST", "/netweft/trace", {"trace": asked})
    assert answer.status_code == 200, answer.text
    return answer.json()["trace"]


def test_its_owner_sees_how_it_goes_on(lb: Lb, there: dict[str, Any]) -> None:
    told = traced(lb, "alice", there["vip"])
    assert [one["type"] for one in told["forward"]["steps"]][2:6] == ["loadbalancer", "listener", "pool", "member"]
    assert told["forward"]["translations"][0]["loadbalancer_id"] == there["balancer"]["id"]
    found = traced(lb, "alice", there["vip"], 81)["findings"]
    (nobody,) = (one for one in found if one["code"] == "loadbalancer-does-not-listen")
    assert nobody["object"]["id"] == there["balancer"]["id"]
    lb.put(f"/listeners/{there['listener']}", allowed_cidrs=["192.0.2.0/24"])
    found = traced(lb, "alice", there["vip"])["findings"]
    (refused,) = (one for one in found if one["code"] == "listener-refuses-client")
    assert "--allowed-cidr 10.0.0." in refused["fix"]


def test_another_project_learns_nothing_of_it(lb: Lb, there: dict[str, Any]) -> None:
    for port in (80, 81):
        said = json.dumps(traced(lb, "bob", there["vip"], port))
        for id in (there["balancer"]["id"], there["listener"], there["pool"]):
            assert id not in said
        assert "loadbalancer" not in said and "serving" not in said


def test_an_end_may_be_a_load_balancer(lb: Lb, there: dict[str, Any]) -> None:
    lb.put(f"/loadbalancers/{there['balancer']['id']}", name="shop")
    by_address = traced(lb, "alice", there["vip"])
    for name in ("shop", there["balancer"]["id"]):
        assert traced(lb, "alice", name)["forward"]["steps"] == by_address["forward"]["steps"]
    asked = {"from": "bobs", "to": "shop", "protocol": "tcp", "port": 80}
    assert lb.net("bob", "POST", "/netweft/trace", {"trace": asked}).status_code == 404
