"""Firewall policies and rules: their order, who has looked at them, what may be said, and what others see of them."""

from typing import Any

import pytest
from tests.api.network.conftest import Api, refused

from netweft.store import Object

from .stage import act, ask, change, changed, delete, path_of, policy, rule, shown

POLICY, RULE = "firewall_policy", "firewall_rule"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def order(api: Api, of: Object) -> list[str]:
    found: list[str] = shown(api, "alice", POLICY, of)["firewall_rules"]
    return found


def test_the_life_of_a_rule(api: Api) -> None:
    made = rule(api, name="u", source_ip_address="10.0.0.5/24", protocol="tcp", destination_port=80)
    said = {name: value for name, value in made.items() if name not in ("id", "created_at", "updated_at")}
    assert said == {
        "name": "u",
        "description": "",
        "action": "deny",
        "protocol": "tcp",
        "ip_version": 4,
        "enabled": True,
        "source_ip_address": "10.0.0.5/24",
        "destination_ip_address": None,
        "source_port": None,
        "destination_port": "80",
        "firewall_policy_id": None,
        "position": None,
        "shared": False,
        "netweft:source_address_group_id": None,
        "netweft:destination_address_group_id": None,
        "project_id": "red",
        "tenant_id": "red",
        "tags": [],
        "revision_number": 1,
    }
    after = changed(api, "alice", RULE, made, action="REJECT", destination_port="80:90", enabled=False)
    assert (after["action"], after["destination_port"], after["enabled"]) == ("reject", "80:90", False)
    assert delete(api, "alice", RULE, made).status_code == 204
    assert refused(api("alice", "GET", path_of(RULE, made["id"]))) == (404, "FirewallRuleNotFound")


BAD = (400, "HTTPBadRequest")


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"action": "drop"}, BAD),
        ({"protocol": "gre"}, BAD),
        ({"protocol": 6}, BAD),
        ({"ip_version": 5}, BAD),
        ({"source_ip_address": "10.0.0.0/33"}, BAD),
        ({"source_ip_address": "fd00::1%eth0"}, BAD),
        ({"destination_port": "90:80", "protocol": "tcp"}, BAD),
        ({"destination_port": "65536", "protocol": "tcp"}, BAD),
        ({"destination_port": "1:2:3", "protocol": "tcp"}, BAD),
        ({"destination_port": ":", "protocol": "tcp"}, BAD),
        ({"destination_port": True, "protocol": "tcp"}, BAD),
        ({"destination_port": "\u0664", "protocol": "tcp"}, BAD),
        ({"source_port": "80"}, (400, "FirewallRuleWithPortWithoutProtocolInvalid")),
        ({"source_port": "80", "protocol": "icmp"}, (400, "FirewallRuleInvalidICMPParameter")),
        ({"source_port": "80", "protocol": "sctp"}, (400, "FirewallRuleInvalidICMPParameter")),
        ({"source_ip_address": "fd00::1"}, (400, "FirewallIpAddressConflict")),
        ({"destination_ip_address": "10.0.0.1", "ip_version": 6}, (400, "FirewallIpAddressConflict")),
        ({"netweft:source_address_group_id": UNKNOWN}, (404, "AddressGroupNotFound")),
        ({"firewall_policy_id": UNKNOWN}, BAD),
        ({"position": 1}, BAD),
        ({"shared": True}, (403, "PolicyNotAuthorized")),
    ],
)
def test_what_makes_no_sense_is_refused_when_made_and_when_changed(
    api: Api, values: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert refused(ask(api, "alice", RULE, **values)) == refusal
    made = rule(api)
    assert refused(change(api, "alice", RULE, made, **values)) == refusal
    assert shown(api, "alice", RULE, made) == made


@pytest.mark.parametrize("port", ["0", "0:65535", "22", "1000:2000"])
def test_any_port_there_is(api: Api, port: str) -> None:
    made = rule(api, protocol="udp", source_port=port, destination_port=port)
    assert (made["source_port"], made["destination_port"]) == (port, port)


def test_a_rule_names_an_address_group(api: Api) -> None:
    made = api("alice", "POST", "/address-groups", {"address_group": {"addresses": ["10.0.0.0/8", "fd00::/8"]}})
    named = made.json()["address_group"]["id"]
    one = rule(api, **{"netweft:source_address_group_id": named})
    assert one["netweft:source_address_group_id"] == named
    assert refused(api("alice", "DELETE", f"/address-groups/{named}")) == (409, "AddressGroupInUse")
    beside = change(api, "alice", RULE, one, source_ip_address="10.0.0.1")
    assert refused(beside) == (400, "InvalidInput"), "one or the other"
    assert refused(ask(api, "bob", RULE, **{"netweft:source_address_group_id": named})) == (404, "AddressGroupNotFound")
    for_others = {"netweft:destination_address_group_id": named, "project_id": "green"}
    assert refused(ask(api, "admin", RULE, **for_others)) == (404, "AddressGroupNotFound")
    changed(api, "alice", RULE, one, **{"netweft:source_address_group_id": None})
    assert api("alice", "DELETE", f"/address-groups/{named}").status_code == 204


def test_the_order_of_rules(api: Api) -> None:
    a, b, c, d = (rule(api, name=name)["id"] for name in "abcd")
    made = policy(api)
    answer = act(api, "alice", made, "insert_rule", firewall_rule_id=a)
    assert answer.json() == shown(api, "alice", POLICY, made), "with nothing around it"
    act(api, "alice", made, "insert_rule", firewall_rule_id=b)
    assert order(api, made) == [b, a], "first of all, if nothing else is said"
    act(api, "alice", made, "insert_rule", firewall_rule_id=c, insert_after=b, insert_before="")
    act(api, "alice", made, "insert_rule", firewall_rule_id=d, insert_before=a, insert_after=b)
    assert order(api, made) == [b, c, d, a]
    assert act(api, "alice", made, "remove_rule", firewall_rule_id=c).json()["firewall_rules"] == [b, d, a]
    assert changed(api, "alice", POLICY, made, firewall_rules=[a, b])["firewall_rules"] == [a, b]
    assert shown(api, "alice", RULE, {"id": d})["firewall_policy_id"] is None
    assert shown(api, "alice", RULE, {"id": a})["firewall_policy_id"] == [made["id"]]
    assert [one["id"] for one in api.get("alice", f"{path_of(POLICY)}?firewall_rules={a}")["firewall_policies"]] == [
        made["id"]
    ]


def test_what_cannot_be_inserted_or_removed(api: Api) -> None:
    one, other, theirs = rule(api)["id"], rule(api)["id"], rule(api, "bob")["id"]
    made = policy(api, "alice", {"id": one})

    def tried(action: str, who: str = "alice", **values: Any) -> tuple[int, str]:
        return refused(act(api, who, made, action, **values))

    for action in ("insert_rule", "remove_rule"):
        assert tried(action, x=1) == tried(action, firewall_rule_id=None) == (400, "FirewallRuleInfoMissing")
        assert tried(action, firewall_rule_id="x") == (404, "FirewallRuleNotFound")
        assert tried(action, firewall_rule_id=UNKNOWN) == (404, "FirewallRuleNotFound")
        assert tried(action, firewall_rule_id=theirs) == (404, "FirewallRuleNotFound"), "it is not seen"
        assert tried(action, "bob", firewall_rule_id=theirs) == (404, "FirewallPolicyNotFound")
        assert tried(action, "adam", firewall_rule_id=other) == (403, "PolicyNotAuthorized")
    assert tried("insert_rule", firewall_rule_id=one) == (409, "FirewallRuleAlreadyAssociated")
    assert tried("insert_rule", "admin", firewall_rule_id=theirs) == (409, "FirewallRuleConflict")
    nowhere = (400, "FirewallRuleNotAssociatedWithPolicy")
    assert tried("insert_rule", firewall_rule_id=other, insert_before=UNKNOWN) == nowhere
    assert tried("insert_rule", firewall_rule_id=other, insert_after="y") == BAD
    assert tried("remove_rule", firewall_rule_id=other) == nowhere
    assert order(api, made) == [one]


@pytest.mark.parametrize("rules", [[UNKNOWN, UNKNOWN], "x", [1], [["x"]], {"a": 1}])
def test_a_list_of_rules_that_is_none(api: Api, rules: Any) -> None:
    assert refused(ask(api, "alice", POLICY, firewall_rules=rules)) == BAD
    assert refused(change(api, "alice", POLICY, policy(api), firewall_rules=rules)) == BAD


def test_a_rule_in_use_stays(api: Api) -> None:
    one = rule(api)
    made = policy(api, "alice", one)
    assert refused(delete(api, "alice", RULE, one)) == (409, "FirewallRuleInUse")
    assert delete(api, "alice", POLICY, made).status_code == 204
    assert delete(api, "alice", RULE, one).status_code == 204


def test_whoever_has_audited_a_policy_has_not_seen_what_changed_since(api: Api) -> None:
    one, other = rule(api), rule(api)
    made = policy(api, "alice", one, audited=True)
    assert made["audited"] is True

    def audit() -> None:
        assert changed(api, "alice", POLICY, made, audited=True)["audited"] is True

    assert changed(api, "alice", POLICY, made, name="n")["audited"] is False
    audit()
    act(api, "alice", made, "insert_rule", firewall_rule_id=other["id"])
    assert shown(api, "alice", POLICY, made)["audited"] is False
    audit()
    act(api, "alice", made, "remove_rule", firewall_rule_id=other["id"])
    assert shown(api, "alice", POLICY, made)["audited"] is False
    audit()
    changed(api, "alice", RULE, other, action="allow")
    assert shown(api, "alice", POLICY, made)["audited"] is True, "it is not its rule any more"
    changed(api, "alice", RULE, one, action="allow")
    assert shown(api, "alice", POLICY, made)["audited"] is False
    assert changed(api, "alice", POLICY, made, firewall_rules=[other["id"]], audited=True)["audited"] is True


# -- others


def test_nothing_of_it_is_anybody_elses(api: Api) -> None:
    one = rule(api)
    made = policy(api, "alice", one)
    for member, object in ((RULE, one), (POLICY, made)):
        gone = (404, "FirewallRuleNotFound" if member == RULE else "FirewallPolicyNotFound")
        assert refused(api("bob", "GET", path_of(member, object["id"]))) == gone
        assert refused(change(api, "bob", member, object, name="x")) == gone
        assert refused(delete(api, "bob", member, object)) == gone
        assert object["id"] not in {each["id"] for each in api.get("bob", path_of(member))[f"{path_of(member)[7:]}"]}
    assert refused(ask(api, "bob", POLICY, firewall_rules=[one["id"]])) == (404, "FirewallRuleNotFound")
    assert refused(ask(api, "admin", POLICY, firewall_rules=[one["id"]])) == (409, "FirewallRuleConflict")
    assert refused(ask(api, "alice", RULE, project_id="green"))[0] == 400


def test_only_an_admin_shares(api: Api) -> None:
    one = rule(api)
    made = policy(api, "alice", one)
    for member, object in ((RULE, one), (POLICY, made)):
        assert refused(change(api, "alice", member, object, shared=True)) == (403, "PolicyNotAuthorized")
    assert refused(change(api, "admin", POLICY, made, shared=True)) == (409, "FirewallPolicySharingConflict")
    assert changed(api, "admin", RULE, one, shared=True)["shared"] is True
    assert changed(api, "admin", POLICY, made, shared=True)["shared"] is True
    assert shown(api, "bob", POLICY, made)["firewall_rules"] == [one["id"]]
    assert refused(change(api, "bob", POLICY, made, name="x")) == (403, "PolicyNotAuthorized")
    assert refused(delete(api, "bob", RULE, one)) == (403, "PolicyNotAuthorized")
    assert made["id"] in {each["id"] for each in api.get("bob", f"{path_of(POLICY)}?shared=true")["firewall_policies"]}
    own = rule(api, "alice")
    inserted = act(api, "alice", made, "insert_rule", firewall_rule_id=own["id"])
    assert refused(inserted) == (404, "FirewallRuleSharingConflict"), "a shared policy has shared rules"
    assert refused(ask(api, "admin", POLICY, shared=True, firewall_rules=[own["id"]])) == (
        404,
        "FirewallRuleSharingConflict",
    )
    assert refused(change(api, "admin", RULE, one, shared=False)) == (409, "FirewallRuleInUse")
    theirs = policy(api, "bob", one)
    changed(api, "admin", POLICY, made, shared=False)
    assert refused(change(api, "admin", RULE, one, shared=False)) == (409, "FirewallRuleInUse"), "another's policy"
    assert delete(api, "bob", POLICY, theirs).status_code == 204
    assert changed(api, "admin", RULE, one, shared=False)["shared"] is False


def test_a_quota_counts_what_a_project_was_given_too(api: Api) -> None:
    limits = {"firewall_group": 2, "firewall_policy": 3, "firewall_rule": 5}
    assert api("admin", "PUT", "/quotas/red", {"quota": limits}).status_code == 200
    api.get("alice", path_of("firewall_group"))
    for member in limits:
        assert ask(api, "alice", member).status_code == 201
        assert refused(ask(api, "alice", member)) == (409, "OverQuota")
    assert api.get("admin", "/quotas/red/default")["quota"]["firewall_rule"] == 100


def test_pages_and_their_order(api: Api) -> None:
    made = [rule(api, name=name, protocol="tcp", action="allow") for name in ("c", "a", "b")]
    path = f"{path_of(RULE)}?protocol=tcp&sort_key=name&fields=name"
    assert api.names("alice", f"{path}&limit=2") == ["a", "b"]
    assert api.names("alice", f"{path}&limit=2&marker={made[2]['id']}") == ["c"]
    assert api.get("alice", f"{path_of(RULE)}?name=a&fields=firewall_policy_id")["firewall_rules"] == [
        {"firewall_policy_id": None}
    ]
    assert refused(api("alice", "GET", f"{path_of(RULE)}?position=1")) == BAD


def test_a_long_policy(api: Api) -> None:
    assert api("admin", "PUT", "/quotas/red", {"quota": {"firewall_rule": -1}}).status_code == 200
    ids = []
    for _ in range(10):
        answer = api("alice", "POST", path_of(RULE), {"firewall_rules": [{} for _ in range(100)]})
        ids += [one["id"] for one in answer.json()["firewall_rules"]]
    made = policy(api, "alice", *({"id": id} for id in ids))
    last = rule(api)
    after = act(api, "alice", made, "insert_rule", firewall_rule_id=last["id"], insert_after=ids[-1]).json()
    assert after["firewall_rules"] == [*ids, last["id"]]
    too_many = {"firewall_rules": [f"{number:032x}" for number in range(16_385)]}
    assert refused(ask(api, "alice", POLICY, **too_many)) == BAD
