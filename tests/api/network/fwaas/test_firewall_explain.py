"""`netweft explain` of firewall groups: what keeps everything from passing, and who is told."""

from typing import Any

from tests.api.network.conftest import Api, refused

from .stage import changed, group, policy, rule, vm_port


def told(api: Api, id: str, who: str = "alice") -> Any:
    return api.get(who, f"/netweft/explain/{id}")["explanation"]


def codes(api: Api, id: str, who: str = "alice") -> set[str]:
    return {one["code"] for one in told(api, id, who)["findings"]}


def test_what_lets_nothing_pass(api: Api) -> None:
    made = group(api, name="g")
    nothing = {"firewall-group-nothing-let-in", "firewall-group-nothing-let-out"}
    assert codes(api, made["id"]) == {*nothing, "firewall-group-no-ports"}
    way = policy(api, "alice", rule(api), rule(api, action="allow", protocol="tcp"))
    port = vm_port(api)["id"]
    changed(api, "alice", "firewall_group", made, ports=[port], ingress_firewall_policy_id=way["id"])
    assert codes(api, made["id"]) == {"firewall-group-nothing-let-out"}
    assert told(api, made["id"])["works"]
    changed(api, "alice", "firewall_group", made, admin_state_up=False)
    assert "firewall-group-admin-down" in codes(api, made["id"])
    assert not told(api, made["id"])["works"]
    assert "firewall-group-admin-down" in codes(api, port), "the port does not work without it"
    (found,) = api.get("alice", "/netweft/explain?name=g&type=firewall_group")["objects"]
    assert found["id"] == made["id"]
    assert refused(api("bob", "GET", f"/netweft/explain/{made['id']}"))[0] == 404


def test_an_address_group_is_used_by_a_firewalls_rule(api: Api) -> None:
    named = api.make("alice", "address_group", addresses=["192.0.2.0/24"])
    assert "address-group-unused" in codes(api, named["id"])
    rule(api, **{"netweft:destination_address_group_id": named["id"]})
    assert codes(api, named["id"]) == set()


def test_a_policy_and_its_rules(api: Api) -> None:
    one = rule(api, action="allow", name="web")
    assert codes(api, one["id"]) == {"firewall-rule-unused"}
    way = policy(api, "alice", one, name="edge")
    assert (codes(api, one["id"]), codes(api, way["id"])) == (set(), {"firewall-policy-unused"})
    group(api, ingress_firewall_policy_id=way["id"])
    assert codes(api, way["id"]) == set()
    changed(api, "alice", "firewall_rule", one, enabled=False)
    assert codes(api, one["id"]) == {"firewall-rule-disabled"}
    assert codes(api, way["id"]) == {"firewall-policy-allows-nothing"}
    for made in (one, way):
        found = api.get("alice", f"/netweft/explain?name={made['name']}")["objects"]
        assert [each["id"] for each in found] == [made["id"]]
        assert refused(api("bob", "GET", f"/netweft/explain/{made['id']}"))[0] == 404
