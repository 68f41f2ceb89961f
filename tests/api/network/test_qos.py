"""QoS policies, their rules, and who has them."""

from typing import Any

import pytest

from netweft.store import Object

from .conftest import Api, refused

FORBIDDEN = (403, "PolicyNotAuthorized")
NOWHERE = "5283fb86-4c69-46d0-8ea0-43533bbee357"


def make_policy(api: Api, **values: Any) -> Object:
    answer = api("admin", "POST", "/qos/policies", {"policy": {"name": "gold", "shared": True} | values})
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()["policy"]
    return made


def post_rule(api: Api, policy: Object, type: str, who: str = "admin", **values: Any) -> Any:
    return api(who, "POST", f"/qos/policies/{policy['id']}/{type}_rules", {f"{type}_rule": values})


def make_rule(api: Api, policy: Object, type: str, **values: Any) -> Object:
    answer = post_rule(api, policy, type, **values)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()[f"{type}_rule"]
    return made


@pytest.mark.parametrize(
    ("type", "values", "more"),
    [
        ("bandwidth_limit", {"max_kbps": 1000}, {"max_burst_kbps": 0, "direction": "egress"}),
        ("bandwidth_limit", {"max_kbps": "9", "max_burst_kbps": 1, "direction": "ingress"}, {"max_kbps": 9}),
        ("dscp_marking", {"dscp_mark": 46}, {}),
        ("minimum_bandwidth", {"min_kbps": 500}, {"direction": "egress"}),
        ("packet_rate_limit", {"max_kpps": 10}, {"max_burst_kpps": 0, "direction": "egress"}),
    ],
)
def test_a_rules_life(api: Api, type: str, values: Any, more: Any) -> None:
    policy = make_policy(api, project_id="red")
    made = make_rule(api, policy, type, **values)
    assert made == values | more | {"id": made["id"]}
    path, alias = f"/qos/policies/{policy['id']}/{type}_rules", f"/qos/alias_{type}_rules/{made['id']}"
    assert api.get("adam", f"{path}/{made['id']}") == api.get("adam", alias) == {f"{type}_rule": made}
    assert api.get("adam", path) == {f"{type}_rules": [made]}
    (name, value) = next(iter((values | more).items()))
    assert api.get("adam", f"{path}?{name}={value}") == {f"{type}_rules": [made]}
    assert api.get("adam", f"{path}?{name}=8") == {f"{type}_rules": []}

    changed = api("admin", "PUT", alias, {f"{type}_rule": {name: 8}}).json()[f"{type}_rule"]
    assert changed == made | {name: 8}
    shown = api.get("adam", f"/qos/policies/{policy['id']}")["policy"]
    assert shown["rules"] == [changed | {"type": type, "qos_policy_id": policy["id"]}]
    assert shown["revision_number"] == policy["revision_number"] + 2

    assert refused(api("alice", "DELETE", alias)) == FORBIDDEN
    for method in ("GET", "PUT", "DELETE"):
        for one in (alias, f"{path}/{made['id']}"):
            assert refused(api("bob", method, one, {f"{type}_rule": {name: 8}})) == (404, "QosRuleNotFound")
    assert api.get("bob", path) == {f"{type}_rules": []}
    assert refused(api("bob", "POST", path, {f"{type}_rule": values})) == FORBIDDEN
    assert api("admin", "DELETE", f"{path}/{made['id']}").status_code == 204
    for gone in (alias, f"{path}/{made['id']}"):
        assert refused(api("admin", "GET", gone)) == (404, "QosRuleNotFound")
    make_rule(api, policy, type, **values)


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("bandwidth_limit", {}),
        ("bandwidth_limit", {"max_kbps": -1}),
        ("bandwidth_limit", {"max_kbps": 2**31}),
        ("bandwidth_limit", {"max_kbps": 5, "direction": "sideways"}),
        ("bandwidth_limit", {"max_kbps": 5, "colour": "red"}),
        ("dscp_marking", {"dscp_mark": 1}),
        ("minimum_bandwidth", {"min_kbps": 5, "direction": "ingress"}),
    ],
)
def test_rules_that_make_no_sense(api: Api, type: str, values: Any) -> None:
    assert refused(post_rule(api, make_policy(api), type, **values)) == (400, "HTTPBadRequest")


def test_rules_that_do_not_go_together(api: Api) -> None:
    policy = make_policy(api)
    make_rule(api, policy, "bandwidth_limit", max_kbps=1000)
    make_rule(api, policy, "bandwidth_limit", max_kbps=2000, direction="ingress")
    least = make_rule(api, policy, "minimum_bandwidth", min_kbps=500)
    again = post_rule(api, policy, "bandwidth_limit", max_kbps=5000)
    assert refused(again) == (409, "QoSRulesConflict")
    answer = api("admin", "PUT", f"/qos/alias_minimum_bandwidth_rules/{least['id']}", _least(1500))
    assert refused(answer) == (409, "QoSRuleParameterConflict")
    message = f"1500 to the policy {policy['id']} as the existing rule of type bandwidth_limit has value 1000."
    assert answer.json()["NeutronError"]["message"].endswith(message)
    assert api("admin", "PUT", f"/qos/alias_minimum_bandwidth_rules/{least['id']}", _least(900)).status_code == 200
    assert len(api.get("admin", f"/qos/policies/{policy['id']}")["policy"]["rules"]) == 3


def _least(kbps: int) -> Object:
    return {"minimum_bandwidth_rule": {"min_kbps": kbps}}


def test_policies_are_the_admins_to_make_and_the_shared_ones_everybodys_to_use(api: Api) -> None:
    assert refused(api("alice", "POST", "/qos/policies", {"policy": {"name": "mine"}})) == FORBIDDEN
    shared, hidden = make_policy(api), make_policy(api, shared=False)
    assert refused(post_rule(api, shared, "dscp_marking", who="alice", dscp_mark=8)) == FORBIDDEN
    assert refused(post_rule(api, hidden, "dscp_marking", who="alice", dscp_mark=8)) == FORBIDDEN
    nowhere = {"id": NOWHERE}
    assert refused(post_rule(api, nowhere, "dscp_marking", who="alice", dscp_mark=8)) == FORBIDDEN
    assert refused(post_rule(api, nowhere, "dscp_marking", dscp_mark=8)) == (404, "QosPolicyNotFound")
    network = api.network("alice", cidr="10.0.0.0/24")
    port = api.make("alice", "port", network_id=network["id"], qos_policy_id=shared["id"])
    for path, member in ((f"/networks/{network['id']}", "network"), (f"/ports/{port['id']}", "port")):
        for foreign in (hidden["id"], NOWHERE):
            body = {member: {"qos_policy_id": foreign}}
            assert refused(api("alice", "PUT", path, body)) == (404, "QosPolicyNotFound")
        assert refused(api("admin", "PUT", path, {member: {"qos_policy_id": NOWHERE}})) == (404, "QosPolicyNotFound")
    body = {"network": {"qos_policy_id": NOWHERE}}
    assert refused(api("admin", "POST", "/networks", body)) == (404, "QosPolicyNotFound")


def test_who_uses_a_policy_is_shown_to_who_sees_them(api: Api) -> None:
    policy = make_policy(api, project_id="red")
    network = api.network("bob", qos_policy_id=policy["id"])
    answer = api("ann", "DELETE", f"/qos/policies/{policy['id']}")
    assert refused(answer) == (409, "QosPolicyInUse")
    assert network["id"] not in answer.text
    assert network["id"] in api("admin", "DELETE", f"/qos/policies/{policy['id']}").text


def test_a_port_shows_its_own_policy_and_its_networks(api: Api) -> None:
    gold, iron = make_policy(api), make_policy(api)
    network = api.network("alice", cidr="10.0.0.0/24", qos_policy_id=iron["id"])
    port = api.make("alice", "port", network_id=network["id"], qos_policy_id=gold["id"])
    assert (port["qos_policy_id"], port["qos_network_policy_id"]) == (gold["id"], iron["id"])
    for policy, member, id in ((gold, "port", port["id"]), (iron, "network", network["id"])):
        answer = api("admin", "DELETE", f"/qos/policies/{policy['id']}")
        assert refused(answer) == (409, "QosPolicyInUse")
        assert answer.json()["NeutronError"]["message"] == f"QoS Policy {policy['id']} is used by {member} {id}."
        assert api("alice", "PUT", f"/{member}s/{id}", {member: {"qos_policy_id": None}}).status_code == 200
        assert api("admin", "DELETE", f"/qos/policies/{policy['id']}").status_code == 204
    shown = api.get("alice", f"/ports/{port['id']}")["port"]
    assert (shown["qos_policy_id"], shown["qos_network_policy_id"]) == (None, None)


def test_a_project_has_one_default_policy_and_its_new_networks_get_it(api: Api) -> None:
    usual = make_policy(api, project_id="red", is_default=True)
    other = make_policy(api, project_id="red")
    body = {"policy": {"is_default": True}}
    twice = (409, "QoSPolicyDefaultAlreadyExists")
    assert refused(api("admin", "PUT", f"/qos/policies/{other['id']}", body)) == twice
    again = {"policy": {"name": "x", "project_id": "red", "is_default": True}}
    assert refused(api("admin", "POST", "/qos/policies", again)) == twice
    assert api.network("alice")["qos_policy_id"] == usual["id"]
    assert api.network("alice", qos_policy_id=other["id"])["qos_policy_id"] == other["id"]
    assert api.network("bob")["qos_policy_id"] is None
    assert api("admin", "PUT", f"/qos/policies/{usual['id']}", {"policy": {"is_default": False}}).status_code == 200
    assert api("admin", "PUT", f"/qos/policies/{other['id']}", body).status_code == 200
    assert api.network("alice")["qos_policy_id"] == other["id"]


def test_the_rule_types_and_what_they_take(api: Api) -> None:
    types = [one["type"] for one in api.get("alice", "/qos/rule-types")["rule_types"]]
    assert types == ["bandwidth_limit", "dscp_marking", "minimum_bandwidth", "packet_rate_limit"]
    assert api.get("alice", "/qos/rule-types?all_supported=True")["rule_types"] == [{"type": type} for type in types]
    everything = [one["type"] for one in api.get("alice", "/qos/rule-types?all_rules=true")["rule_types"]]
    assert everything == sorted([*types, "minimum_packet_rate"])
    for query in ("all_rules=1&all_supported=1", "all_rules=maybe"):
        assert refused(api("alice", "GET", f"/qos/rule-types?{query}")) == (400, "HTTPBadRequest")
    assert api.get("alice", "/qos/rule-types?type=dscp_marking")["rule_types"] == [{"type": "dscp_marking"}]
    assert refused(api("alice", "GET", "/qos/rule-types/dscp_marking")) == FORBIDDEN
    assert api("admin", "GET", "/qos/rule-types/magic").status_code == 404
    found = api.get("admin", "/qos/rule-types/minimum_bandwidth")["rule_type"]
    (driver,) = found["drivers"]
    assert driver["supported_parameters"] == [
        {"parameter_name": "min_kbps", "parameter_type": "range", "parameter_values": {"start": 0, "end": 2147483647}},
        {"parameter_name": "direction", "parameter_type": "choices", "parameter_values": ["egress"]},
    ]
