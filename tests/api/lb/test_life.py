"""Balancers and all that they have: made, shown, changed and deleted, as Octavia does it."""

from typing import Any

from tests.api.lb.conftest import Lb, refused

from netweft.store import Object

HTTP_POOL: Object = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MEMBERS: list[dict[str, Any]] = [{"address": f"10.0.0.{n}", "protocol_port": 80} for n in range(10, 13)]


def test_a_balancer_and_its_port(lb: Lb) -> None:
    subnet = lb.network()
    made = lb.balancer(name="web", vip_subnet_id=subnet["id"], tags=["a"])
    assert (made["provisioning_status"], made["operating_status"]) == ("PENDING_CREATE", "OFFLINE")
    shown = lb.get(f"/loadbalancers/{made['id']}")
    assert (shown["provisioning_status"], shown["operating_status"]) == ("ACTIVE", "ONLINE")
    assert (shown["name"], shown["provider"], shown["tags"]) == ("web", "netweft", ["a"])
    assert (shown["project_id"], shown["tenant_id"]) == ("red", "red")
    assert shown["vip_network_id"] == subnet["network_id"]
    port = lb.net.get("alice", f"/ports/{shown['vip_port_id']}")["port"]
    assert (port["device_owner"], port["device_id"]) == ("Octavia", f"lb-{made['id']}")
    assert [one["ip_address"] for one in port["fixed_ips"]] == [shown["vip_address"]]
    lb.delete(f"/loadbalancers/{made['id']}")
    assert lb("alice", "GET", f"/loadbalancers/{made['id']}").status_code == 404
    assert lb.net("alice", "GET", f"/ports/{shown['vip_port_id']}").status_code == 404


def test_all_kinds(lb: Lb) -> None:
    balancer = lb.balancer()
    listener = lb.make("/listeners", loadbalancer_id=balancer["id"], protocol="HTTP", protocol_port=80)
    assert listener["provisioning_status"] == "PENDING_CREATE"
    pool = lb.make("/pools", listener_id=listener["id"], **HTTP_POOL)
    assert lb.get(f"/listeners/{listener['id']}")["default_pool_id"] == pool["id"]
    members = [lb.make(f"/pools/{pool['id']}/members", **one) for one in MEMBERS]
    assert {one["operating_status"] for one in members} == {"NO_MONITOR"}
    monitor = lb.make("/healthmonitors", pool_id=pool["id"], type="HTTP", delay=1, timeout=1, max_retries=2)
    assert (monitor["url_path"], monitor["expected_codes"], monitor["http_method"]) == ("/", "200", "GET")
    policy = lb.make("/l7policies", listener_id=listener["id"], action="REDIRECT_TO_POOL", redirect_pool_id=pool["id"])
    rule = lb.make(
        f"/l7policies/{policy['id']}/rules", type="PATH", compare_type="STARTS_WITH", value="/api", invert=True
    )
    shown = lb.get(f"/pools/{pool['id']}")
    assert shown["healthmonitor_id"] == monitor["id"]
    assert shown["listeners"] == [{"id": listener["id"]}]
    assert shown["loadbalancers"] == [{"id": balancer["id"]}]
    assert {one["id"] for one in shown["members"]} == {one["id"] for one in members}
    status = lb.get(f"/pools/{pool['id']}/members/{members[0]['id']}")["operating_status"]
    assert status == "OFFLINE"  # until it has answered
    tree = lb.get(f"/loadbalancers/{balancer['id']}/status")["loadbalancer"]
    (of_listener,) = tree["listeners"]
    (of_pool,) = of_listener["pools"]
    assert of_pool["health_monitor"]["type"] == "HTTP"
    assert {one["address"] for one in of_pool["members"]} == {one["address"] for one in MEMBERS}
    assert lb.get(f"/loadbalancers/{balancer['id']}/stats")["bytes_in"] == 0
    assert lb.get(f"/listeners/{listener['id']}/stats")["total_connections"] == 0
    updates: list[tuple[str, dict[str, Any]]] = [
        (f"/listeners/{listener['id']}", {"connection_limit": 5, "name": "l"}),
        (f"/pools/{pool['id']}", {"lb_algorithm": "SOURCE_IP"}),
        (f"/pools/{pool['id']}/members/{members[0]['id']}", {"weight": 0}),
        (f"/healthmonitors/{monitor['id']}", {"delay": 9}),
        (f"/l7policies/{policy['id']}", {"description": "d"}),
        (f"/l7policies/{policy['id']}/rules/{rule['id']}", {"value": "/v2"}),
        (f"/loadbalancers/{balancer['id']}", {"description": "d"}),
    ]
    for path, changes in updates:
        updated = lb.put(path, **changes)
        assert updated["provisioning_status"] == "PENDING_UPDATE"
        now = lb.get(path)
        assert now["provisioning_status"] == "ACTIVE"
        assert {name: now[name] for name in changes} == changes
    for path, _ in reversed(updates[:-1]):
        if path.startswith("/listeners"):
            continue
        lb.delete(path)
        assert lb("alice", "GET", path).status_code == 404
    assert lb.get(f"/listeners/{listener['id']}")["default_pool_id"] is None
    assert refused(lb("alice", "DELETE", f"/loadbalancers/{balancer['id']}"))[0] == 400
    lb.delete(f"/loadbalancers/{balancer['id']}?cascade=true")
    assert lb("alice", "GET", f"/listeners/{listener['id']}").status_code == 404


def test_all_at_once(lb: Lb) -> None:
    subnet = lb.network()
    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1}
    rules = [{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/x"}]
    other = {"name": "other", "members": MEMBERS[:1]} | HTTP_POOL
    made = lb.balancer(
        vip_subnet_id=subnet["id"],
        listeners=[
            {
                "name": "l",
                "protocol": "HTTP",
                "protocol_port": 80,
                "default_pool": {"name": "p", "members": MEMBERS, "healthmonitor": monitor} | HTTP_POOL,
                "l7policies": [
                    {"action": "REDIRECT_TO_POOL", "redirect_pool": {"name": "other"}, "rules": rules},
                    {"action": "REJECT", "position": 1},
                ],
            }
        ],
        pools=[other],
    )
    (listener,) = made["listeners"]
    assert {pool["name"]: len(pool["members"]) for pool in made["pools"]} == {"p": 3, "other": 1}
    by_name = {pool["name"]: pool for pool in made["pools"]}
    assert by_name["p"]["healthmonitor"]["type"] == "HTTP"
    assert listener["default_pool_id"] == by_name["p"]["id"]
    in_order = sorted(listener["l7policies"], key=lambda one: one["position"])
    assert [one["action"] for one in in_order] == ["REJECT", "REDIRECT_TO_POOL"]
    assert in_order[1]["redirect_pool_id"] == by_name["other"]["id"]
    assert in_order[1]["rules"][0]["value"] == "/x"
    for kind in ("listeners", "pools", "healthmonitors", "l7policies"):
        assert {one["provisioning_status"] for one in lb.get(f"/{kind}")} == {"ACTIVE"}


def test_nothing_is_half_done(lb: Lb) -> None:
    subnet = lb.network()
    pool = {"name": "p", "members": [*MEMBERS, MEMBERS[0]]} | HTTP_POOL
    answer = lb(
        "alice",
        "POST",
        "/loadbalancers",
        {"loadbalancer": {"vip_subnet_id": subnet["id"], "pools": [pool]}},
    )
    assert refused(answer) == (
        409, "Another member on this pool is already using ip 10.0.0.10 on protocol_port 80",
    )  # fmt: skip
    assert lb.get("/loadbalancers") == []
    assert lb.get("/pools") == []
    assert lb.net.get("alice", "/ports")["ports"] == []


def test_all_members_of_a_pool(lb: Lb) -> None:
    balancer = lb.balancer()
    pool = lb.make("/pools", loadbalancer_id=balancer["id"], **HTTP_POOL)
    path = f"/pools/{pool['id']}/members"
    first = lb.make(path, **MEMBERS[0], name="kept")

    def put(members: list[Object], query: str = "") -> None:
        assert lb("alice", "PUT", f"{path}{query}", {"members": members}).status_code == 202

    put([MEMBERS[0] | {"weight": 7}, MEMBERS[1]])
    there = {one["address"]: one for one in lb.get(path)}
    assert there.keys() == {"10.0.0.10", "10.0.0.11"}
    assert there["10.0.0.10"]["id"] == first["id"]
    assert (there["10.0.0.10"]["weight"], there["10.0.0.10"]["name"]) == (7, "kept")
    put([MEMBERS[2]], "?additive_only=true")
    assert len(lb.get(path)) == 3
    put([])
    assert lb.get(path) == []
    assert refused(lb("alice", "PUT", path, {"members": [MEMBERS[0], MEMBERS[0]]}))[0] == 400


def test_l7_policies_keep_their_order(lb: Lb) -> None:
    balancer = lb.balancer()
    listener = lb.make("/listeners", loadbalancer_id=balancer["id"], protocol="HTTP", protocol_port=80)
    made = [lb.make("/l7policies", listener_id=listener["id"], action="REJECT", name=name) for name in "abc"]
    lb.make("/l7policies", listener_id=listener["id"], action="REJECT", name="first", position=1)

    def order() -> str:
        found = lb.get("/l7policies")
        assert sorted(one["position"] for one in found) == list(range(1, len(found) + 1))
        return ",".join(one["name"] for one in sorted(found, key=lambda one: one["position"]))

    assert order() == "first,a,b,c"
    lb.put(f"/l7policies/{made[2]['id']}", position=1)
    assert order() == "c,first,a,b"
    lb.delete(f"/l7policies/{made[0]['id']}")
    assert order() == "c,first,b"


def test_what_a_balancer_shows_of_disabled_ones(lb: Lb) -> None:
    balancer = lb.balancer()
    pool = lb.make("/pools", loadbalancer_id=balancer["id"], **HTTP_POOL)
    member = lb.make(f"/pools/{pool['id']}/members", **MEMBERS[0])
    path = f"/pools/{pool['id']}/members/{member['id']}"
    assert lb.get(path)["operating_status"] == "NO_MONITOR"
    lb.put(f"/loadbalancers/{balancer['id']}", admin_state_up=False)
    assert lb.get(f"/loadbalancers/{balancer['id']}")["operating_status"] == "OFFLINE"
    assert lb.get(f"/pools/{pool['id']}")["operating_status"] == "OFFLINE"
    assert lb.get(path)["operating_status"] == "OFFLINE"
    assert [one["id"] for one in lb.get(f"/pools/{pool['id']}/members?operating_status=OFFLINE")] == [member["id"]]
    assert lb.get(f"/pools/{pool['id']}/members?operating_status=ONLINE") == []
