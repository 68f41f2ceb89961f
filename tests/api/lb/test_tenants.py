"""Two projects against each other over every verb; and what each role may do."""

from typing import Any

import pytest
from tests.api.lb.conftest import Lb

P: dict[str, Any] = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}


def tree(lb: Lb, who: str = "alice") -> dict[str, str]:
    """Paths of one of each kind."""
    balancer = lb.balancer(who)["id"]
    listener = lb.make("/listeners", who, loadbalancer_id=balancer, protocol="HTTP", protocol_port=80)["id"]
    pool = lb.make("/pools", who, listener_id=listener, **P)["id"]
    member = lb.make(f"/pools/{pool}/members", who, address="10.0.0.9", protocol_port=80)["id"]
    monitor = lb.make("/healthmonitors", who, pool_id=pool, type="TCP", delay=1, timeout=1, max_retries=1)["id"]
    policy = lb.make("/l7policies", who, listener_id=listener, action="REJECT")["id"]
    rule = lb.make(f"/l7policies/{policy}/rules", who, type="PATH", compare_type="EQUAL_TO", value="/")["id"]
    return {
        "loadbalancer": f"/loadbalancers/{balancer}",
        "listener": f"/listeners/{listener}",
        "pool": f"/pools/{pool}",
        "member": f"/pools/{pool}/members/{member}",
        "healthmonitor": f"/healthmonitors/{monitor}",
        "l7policy": f"/l7policies/{policy}",
        "rule": f"/l7policies/{policy}/rules/{rule}",
    }


def test_another_tenant_gets_nowhere(lb: Lb) -> None:
    paths = tree(lb)
    ids = {name: path.rpartition("/")[2] for name, path in paths.items()}
    before = {name: lb.get(path) for name, path in paths.items()}
    for name, path in paths.items():
        assert lb("bob", "GET", path).status_code == 403
        assert lb("bob", "PUT", path, {name: {"tags": ["mine"]}}).status_code == 403
        assert lb("bob", "DELETE", f"{path}?cascade=true").status_code == 403
    for path in ("status", "stats", "failover"):
        method = "PUT" if path == "failover" else "GET"
        assert lb("bob", method, f"{paths['loadbalancer']}/{path}").status_code == 403
    posts: list[tuple[str, str, dict[str, Any]]] = [
        ("/listeners", "listener", {"loadbalancer_id": ids["loadbalancer"], "protocol": "TCP", "protocol_port": 9}),
        ("/pools", "pool", P | {"loadbalancer_id": ids["loadbalancer"]}),
        ("/pools", "pool", P | {"listener_id": ids["listener"]}),
        (f"{paths['pool']}/members", "member", {"address": "10.0.0.1", "protocol_port": 1}),
        ("/healthmonitors", "healthmonitor",
         {"pool_id": ids["pool"], "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}),
        ("/l7policies", "l7policy", {"listener_id": ids["listener"], "action": "REJECT"}),
        (f"{paths['l7policy']}/rules", "rule", {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}),
    ]  # fmt: skip
    for path, name, body in posts:
        assert lb("bob", "POST", path, {name: body}).status_code == 403, path
    assert lb("bob", "PUT", f"{paths['pool']}/members", {"members": []}).status_code == 403
    for kind in ("loadbalancers", "listeners", "pools", "healthmonitors", "l7policies"):
        assert lb.get(f"/{kind}", "bob") == []
        assert lb("bob", "GET", f"/{kind}?project_id=red").status_code == 403
    assert lb("bob", "GET", f"{paths['pool']}/members").status_code == 403
    assert lb("bob", "GET", f"{paths['l7policy']}/rules").status_code == 403
    assert lb("bob", "GET", "/quotas/red").status_code == 403
    assert {name: lb.get(path) for name, path in paths.items()} == before


def test_a_gateways_address_is_no_vip(lb: Lb) -> None:
    """Else who may use an external or a shared network takes what all of it sends outside."""
    network = lb.net.make("admin", "network", shared=True)["id"]
    for version, cidr, gateway in ((4, "10.9.0.0/24", "10.9.0.1"), (6, "fd09::/64", "fd09::1")):
        subnet = lb.net.make("admin", "subnet", network_id=network, ip_version=version, cidr=cidr)
        assert subnet["gateway_ip"] == gateway
        written = "fd09:0:0::1" if version == 6 else gateway
        for wanted in (
            {"vip_subnet_id": subnet["id"], "vip_address": written},
            {"vip_network_id": network, "vip_address": written},
        ):
            assert lb("bob", "POST", "/loadbalancers", {"loadbalancer": wanted}).status_code == 400
        free = {"vip_subnet_id": subnet["id"], "vip_address": f"{gateway[:-1]}7"}
        assert lb("bob", "POST", "/loadbalancers", {"loadbalancer": free}).status_code == 201


def test_another_tenants_is_no_marker(lb: Lb) -> None:
    """With sort_key it would tell where the other's stands, and so its name letter by letter."""
    theirs, own = tree(lb), tree(lb, "bob")
    for name, path in own.items():
        collection, marker = path.rpartition("/")[0], theirs[name].rpartition("/")[2]
        for query in (f"marker={marker}", f"marker={marker}&sort_key=name", f"marker={marker}&page_reverse=true"):
            assert lb("bob", "GET", f"{collection}?{query}").status_code == 400, query
        assert lb("bob", "GET", f"{collection}?marker={path.rpartition('/')[2]}").status_code == 200
        assert lb("admin", "GET", f"{collection}?marker={path.rpartition('/')[2]}").status_code == 200


def test_what_is_anothers_is_not_named(lb: Lb) -> None:
    """Their subnet, port, pool, listener: as if there were none."""
    subnet = lb.network("bob")
    port = lb.net.make("bob", "port", network_id=subnet["network_id"])
    for values in (
        {"vip_subnet_id": subnet["id"]},
        {"vip_network_id": subnet["network_id"]},
        {"vip_port_id": port["id"]},
    ):
        assert lb("alice", "POST", "/loadbalancers", {"loadbalancer": values}).status_code == 400
    theirs, ours = tree(lb, "bob"), tree(lb)
    pool = theirs["pool"].rpartition("/")[2]
    assert lb("alice", "PUT", ours["listener"], {"listener": {"default_pool_id": pool}}).status_code == 404
    body = {"address": "10.0.0.77", "protocol_port": 1, "subnet_id": subnet["id"]}
    assert lb("alice", "POST", f"{ours['pool']}/members", {"member": body}).status_code == 400
    single = {"vip_subnet_id": lb.network()["id"], "pools": [P | {"name": "p", "members": [body]}]}
    assert lb("alice", "POST", "/loadbalancers", {"loadbalancer": single}).status_code == 400
    elsewhere = {"project_id": "red", "vip_subnet_id": subnet["id"]}
    assert lb("bob", "POST", "/loadbalancers", {"loadbalancer": elsewhere}).status_code == 403


@pytest.mark.parametrize(
    ("who", "reads", "writes", "fails_over"),
    [
        ("alice", True, True, False),
        ("max", True, True, False),
        ("adam", True, False, False),
        ("olga", True, False, False),
        ("alf", False, False, False),
        ("gus", True, False, False),
        ("lisa", True, True, True),
        ("admin", True, True, True),
        ("quinn", False, False, False),
    ],
)
def test_roles(lb: Lb, who: str, *, reads: bool, writes: bool, fails_over: bool) -> None:
    path = tree(lb)["loadbalancer"]
    assert (lb(who, "GET", path).status_code == 200) == reads
    assert (lb(who, "GET", f"{path}/status").status_code == 200) == reads
    listed = lb(who, "GET", "/loadbalancers")
    assert (listed.status_code == 200 and len(listed.json()["loadbalancers"]) == 1) == reads
    assert (lb(who, "PUT", path, {"loadbalancer": {"name": "x"}}).status_code == 200) == writes
    assert (lb(who, "PUT", f"{path}/failover").status_code == 202) == fails_over
    quotas = {"quinn": 202, "admin": 202, "lisa": 202}
    assert lb(who, "PUT", "/quotas/red", {"quota": {"pool": 9}}).status_code == quotas.get(who, 403)
    assert (lb(who, "DELETE", f"{path}?cascade=true").status_code == 204) == writes


def test_without_a_token(lb: Lb) -> None:
    assert lb("nobody", "GET", "/loadbalancers").status_code == 401
    answer = lb.net.client.request("GET", "/load-balancer/")
    versions = answer.json()["versions"]
    assert (versions[-1]["id"], versions[-1]["status"]) == ("v2.30", "CURRENT")


def test_activity_shows_it_to_its_project(lb: Lb) -> None:
    """All kinds, while they are there and when they are deleted; a balancer is called by its name."""
    paths = tree(lb)
    lb.put(paths["loadbalancer"], name="front")
    kinds = {*paths}

    def told(who: str) -> list[tuple[str, str, str]]:
        found = lb.net.get(who, "/netweft/activity")["activity"]
        return [(one["operation"], one["type"], one["name"]) for one in found if one["type"] in kinds]

    assert kinds == {type for operation, type, _ in told("ann") if operation == "insert"}
    assert ("update", "loadbalancer", "front") in told("ann")
    assert told("bob") == told("nick") == []
    lb.delete(f"{paths['loadbalancer']}?cascade=true")
    assert {type for operation, type, _ in told("ann") if operation == "delete"} >= {"loadbalancer", "listener", "pool"}
    assert told("bob") == told("nick") == []
