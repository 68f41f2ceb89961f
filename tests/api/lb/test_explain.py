"""`netweft explain` of balancers, pools and members: what keeps them from working, and who is told."""

from typing import Any

import pytest
from tests.api.lb.conftest import Lb
from tests.api.lb.test_health import Stage

from netweft.control.l2 import binding
from netweft.model import PortState, PortStatus
from netweft.store import Store


@pytest.fixture
def stage(lb: Lb, store: Store) -> Stage:
    """Both members' VMs run."""
    made = Stage(lb, store)
    for node in ("hv1", "hv2"):
        ports = lb.net.get("admin", f"/ports?binding:host_id={node}")["ports"]
        with store.write() as tx:
            statuses = [PortStatus(one["id"], PortState.UP) for one in ports]
            binding.report_ports(tx, node, statuses, complete=False)
    return made


def told(stage: Stage, id: str, who: str = "alice") -> Any:
    return stage.lb.net.get(who, f"/netweft/explain/{id}")["explanation"]


def blocking(stage: Stage, id: str) -> set[str]:
    return {one["code"] for one in told(stage, id)["findings"] if one["blocks"]}


def all_(stage: Stage) -> list[str]:
    return [stage.balancer["id"], stage.pool, *stage.ids]


def test_what_works_and_what_has_failed(stage: Stage) -> None:
    one, two = stage.ids
    assert blocking(stage, one) == {"member-not-answered-yet", "member-refuses-monitor"}, "by its default group"
    assert blocking(stage, stage.balancer["id"]) == {"pool-no-member-well"}
    stage.says("hv1", (one, "ONLINE", ""))
    stage.says("hv2", (two, "ONLINE", ""))
    assert all(told(stage, id)["works"] for id in all_(stage))
    stage.says("hv1", (one, "ERROR", "HTTP status 503"))
    assert blocking(stage, one) == {"member-failed", "member-refuses-monitor"}
    assert told(stage, one)["findings"][0]["code"] == "member-refuses-monitor", "the cause is first"
    fix = next(each["fix"] for each in told(stage, one)["findings"] if each["code"] == "member-failed")
    assert "HTTP status 503" in fix and ":80" in fix
    assert told(stage, stage.pool)["works"] and told(stage, stage.balancer["id"])["works"]
    assert told(stage, one)["is"]["operating_status"] == "ERROR"
    stage.says("hv2", (two, "ERROR", "connection refused"))
    assert blocking(stage, stage.pool) == blocking(stage, stage.balancer["id"]) == {"pool-no-member-well"}


def test_what_users_can_do_wrong(stage: Stage) -> None:
    lb, pool = stage.lb, stage.pool
    for id in stage.ids:
        lb.put(f"/pools/{pool}/members/{id}", admin_state_up=False)
    assert blocking(stage, stage.ids[0]) == {"member-admin-down"}
    member = lb.make(f"/pools/{pool}/members", address="10.0.0.250", protocol_port=80)
    assert blocking(stage, member["id"]) == {"member-address-nobody"}
    lb.put(f"/pools/{pool}", admin_state_up=False)
    assert "pool-admin-down" in blocking(stage, member["id"])
    listener = lb.get("/listeners")[0]["id"]
    lb.put(f"/listeners/{listener}", admin_state_up=False)
    lb.put(f"/loadbalancers/{stage.balancer['id']}", admin_state_up=False)
    assert blocking(stage, stage.balancer["id"]) == {"loadbalancer-admin-down", "loadbalancer-no-listener"}
    lb.put(f"/pools/{pool}/members/{member['id']}", weight=0)
    assert "member-drained" in {one["code"] for one in told(stage, member["id"])["findings"]}
    empty = lb.make("/pools", loadbalancer_id=stage.balancer["id"], protocol="TCP", lb_algorithm="ROUND_ROBIN")
    assert {"pool-no-member", "pool-unused"} <= {one["code"] for one in told(stage, empty["id"])["findings"]}


def test_no_one_else_sees_it_and_no_user_sees_nodes(stage: Stage) -> None:
    stage.gone("hv1")
    for id in all_(stage):
        assert stage.lb.net("bob", "GET", f"/netweft/explain/{id}").status_code == 404
        assert "hv1" not in stage.lb.net("alice", "GET", f"/netweft/explain/{id}").text
    found = stage.lb.net.get("alice", f"/netweft/explain?name={stage.pool}")["objects"]
    assert [one["type"] for one in found] == ["pool"]
    assert stage.lb.net.get("bob", f"/netweft/explain?name={stage.pool}")["objects"] == []


def test_a_monitor_that_a_group_lets_in_is_not_the_cause(stage: Stage) -> None:
    """By the address of the VIP; by the group of the VIP's port, which has none, it is not."""
    one = stage.ids[0]
    refusal = next(each for each in told(stage, one)["findings"] if each["code"] == "member-refuses-monitor")
    assert f"--protocol tcp --dst-port=80 --remote-ip {stage.balancer['vip_address']}/32" in refusal["fix"]
    port = stage.lb.net.get("admin", "/ports?binding:host_id=hv1")["ports"][0]
    rule = {"security_group_id": port["security_groups"][0], "direction": "ingress", "protocol": "tcp"}
    stage.lb.net.make("admin", "security_group_rule", **rule, remote_ip_prefix=stage.balancer["vip_address"])
    assert blocking(stage, one) == {"member-not-answered-yet"}


def test_parts_of_a_balancer_are_explained_by_name_and_id(stage: Stage) -> None:
    lb = stage.lb
    listener = lb.get("/listeners")[0]
    lb.put(f"/listeners/{listener['id']}", name="front", admin_state_up=False)
    assert {"listener-admin-down"} <= blocking(stage, listener["id"])
    (found,) = lb.net.get("alice", "/netweft/explain?name=front")["objects"]
    assert (found["type"], found["id"]) == ("listener", listener["id"])
    monitor = lb.get("/healthmonitors")[0]
    assert told(stage, monitor["id"])["works"]
    lb.put(f"/healthmonitors/{monitor['id']}", admin_state_up=False)
    assert blocking(stage, monitor["id"]) == {"health-monitor-admin-down"}
    for id in (listener["id"], monitor["id"]):
        assert lb.net("bob", "GET", f"/netweft/explain/{id}").status_code == 404
    assert lb.net.get("bob", "/netweft/explain?name=front")["objects"] == []


def test_l7_policies_and_rules_are_explained(stage: Stage) -> None:
    lb = stage.lb
    web = lb.make("/listeners", loadbalancer_id=stage.balancer["id"], protocol="HTTP", protocol_port=8080)
    policy = lb.make("/l7policies", listener_id=web["id"], action="REJECT", name="no admins")
    assert "l7policy-no-rules" in blocking(stage, policy["id"])
    rule = lb.make(f"/l7policies/{policy['id']}/rules", type="PATH", compare_type="STARTS_WITH", value="/admin")
    assert blocking(stage, policy["id"]) == blocking(stage, rule["id"]) == set()
    assert told(stage, rule["id"])["type"] == "l7rule"
    lb.put(f"/l7policies/{policy['id']}/rules/{rule['id']}", admin_state_up=False)
    assert blocking(stage, rule["id"]) >= {"l7rule-admin-down", "l7policy-no-rules"}
    assert lb.net("bob", "GET", f"/netweft/explain/{rule['id']}").status_code == 404
