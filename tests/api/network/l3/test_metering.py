"""Metering labels and rules: an administrator's, with Neutron's refusals."""

from typing import Any

import pytest
from tests.api.network.conftest import Api, refused

from netweft.model.metering import RULES
from netweft.store import Object, Store

LABELS, RULE_PATH = "/metering/metering-labels", "/metering/metering-label-rules"
FORBIDDEN = (403, "PolicyNotAuthorized")


def label(api: Api, **values: Any) -> Object:
    answer = api("admin", "POST", LABELS, {"metering_label": values})
    assert answer.status_code == 201, answer.text
    found: Object = answer.json()["metering_label"]
    return found


def ask(api: Api, of: Object, who: str = "admin", **values: Any) -> Any:
    body = {"metering_label_id": of["id"], "direction": "ingress"} | values
    return api(who, "POST", RULE_PATH, {"metering_label_rule": body})


def rule(api: Api, of: Object, **values: Any) -> Object:
    answer = ask(api, of, **values)
    assert answer.status_code == 201, answer.text
    found: Object = answer.json()["metering_label_rule"]
    return found


def test_the_life_of_a_label_and_its_rules(api: Api, store: Store) -> None:
    made = label(api, name="l", description="d", project_id="red")
    assert made == {
        "id": made["id"], "name": "l", "description": "d", "shared": False, "project_id": "red", "tenant_id": "red",
    }  # fmt: skip
    one = rule(api, made, remote_ip_prefix="10.0.0.5/24", excluded=True)
    assert one == {
        "id": one["id"], "metering_label_id": made["id"], "direction": "ingress", "excluded": True,
        "remote_ip_prefix": "10.0.0.0/24", "source_ip_prefix": None, "destination_ip_prefix": None,
        "project_id": "red", "tenant_id": "red",
    }  # fmt: skip
    other = rule(api, made, direction="egress", source_ip_prefix="10.0.0.1", destination_ip_prefix="0.0.0.0/0")
    assert api.get("admin", f"{LABELS}/{made['id']}")["metering_label"] == made
    assert api.get("admin", f"{LABELS}?name=l&shared=false")["metering_labels"] == [made]
    assert api.get("admin", f"{RULE_PATH}?direction=egress")["metering_label_rules"] == [other]
    assert kept(store, made) == 2, "the feed hears of them with the label"
    assert api("admin", "DELETE", f"{RULE_PATH}/{one['id']}").status_code == 204
    assert kept(store, made) == 1
    assert refused(api("admin", "GET", f"{RULE_PATH}/{one['id']}")) == (404, "MeteringLabelRuleNotFound")
    assert api("admin", "DELETE", f"{LABELS}/{made['id']}").status_code == 204
    assert refused(api("admin", "GET", f"{LABELS}/{made['id']}")) == (404, "MeteringLabelNotFound")
    assert api.get("admin", RULE_PATH)["metering_label_rules"] == [], "its rules go with it"


def kept(store: Store, of: Object) -> int:
    with store.read() as tx:
        found = tx.get("metering_labels", of["id"])
    return len(found[RULES]) if found else 0


def test_only_an_administrator(api: Api) -> None:
    made = label(api, project_id="red")
    one = rule(api, made, source_ip_prefix="10.0.0.0/24")
    for who in ("alice", "adam", "bob"):
        assert refused(api(who, "POST", LABELS, {"metering_label": {}})) == FORBIDDEN
        assert refused(ask(api, made, who, source_ip_prefix="10.9.0.0/24")) == FORBIDDEN
        for path, id in ((LABELS, made["id"]), (RULE_PATH, one["id"])):
            assert api(who, "GET", f"{path}/{id}").status_code == 404
            assert api(who, "DELETE", f"{path}/{id}").status_code == 404
        assert api.get(who, LABELS)["metering_labels"] == api.get(who, RULE_PATH)["metering_label_rules"] == []


def test_remote_addresses_of_a_label_overlap_in_no_way_of_counting(api: Api) -> None:
    made, another = label(api), label(api)
    rule(api, made, remote_ip_prefix="10.0.0.0/24")
    for remote in ("10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/8", "0.0.0.0/0"):
        answer = ask(api, made, remote_ip_prefix=remote)
        assert refused(answer) == (409, "MeteringLabelRuleOverlaps")
        assert f"remote_ip_prefix '{remote}' overlaps another" in answer.json()["NeutronError"]["message"]
    rule(api, made, remote_ip_prefix="10.0.0.0/25", excluded=True)
    rule(api, made, remote_ip_prefix="10.0.0.0/24", direction="egress")
    rule(api, made, remote_ip_prefix="::/0")
    rule(api, made, remote_ip_prefix="10.0.1.0/24")
    rule(api, another, remote_ip_prefix="10.0.0.0/24")
    rule(api, made, source_ip_prefix="10.0.0.0/24")
    rule(api, made, source_ip_prefix="10.0.0.0/24", destination_ip_prefix="10.0.0.0/24")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"direction": "sideways", "source_ip_prefix": "10.0.0.0/24"},
        {"remote_ip_prefix": "10.0.0.0/24", "source_ip_prefix": "10.0.0.0/24"},
        {"remote_ip_prefix": "10.0.0.0/24", "destination_ip_prefix": "10.0.0.0/24"},
        {"source_ip_prefix": "10.0.0.0/24", "destination_ip_prefix": "2001:db8::/64"},
        {"remote_ip_prefix": "10.0.0.0/33"},
        {"source_ip_prefix": "fe80::1%eth0/64"},
        {"destination_ip_prefix": ["10.0.0.0/24"]},
        {"source_ip_prefix": "10.0.0.0/24", "excluded": "maybe"},
        {"source_ip_prefix": "10.0.0.0/24", "colour": "red"},
        {"metering_label_id": "x", "source_ip_prefix": "10.0.0.0/24"},
    ],
)
def test_what_makes_no_sense(api: Api, values: Object) -> None:
    assert ask(api, label(api), **values).status_code == 400


def test_a_label_that_is_not_there(api: Api) -> None:
    nowhere = {"id": "5283fb86-4c69-46d0-8ea0-43533bbee357"}
    assert refused(ask(api, nowhere, source_ip_prefix="10.0.0.0/24")) == (404, "MeteringLabelNotFound")


def test_nothing_of_them_changes(api: Api) -> None:
    made = label(api)
    assert api("admin", "PUT", f"{LABELS}/{made['id']}", {"metering_label": {"name": "x"}}).status_code in (404, 405)


def test_many_at_once_are_all_or_none(api: Api) -> None:
    made = label(api)
    body = [{"metering_label_id": made["id"], "direction": "egress", "remote_ip_prefix": "10.0.0.0/8"}] * 2
    answer = api("admin", "POST", RULE_PATH, {"metering_label_rules": body})
    assert refused(answer) == (409, "MeteringLabelRuleOverlaps")
    assert api.get("admin", RULE_PATH)["metering_label_rules"] == []


def test_the_aliases(api: Api) -> None:
    for alias in ("metering", "metering_source_and_destination_fields", "netweft-counters"):
        assert api.get("alice", f"/extensions/{alias}")["extension"]["alias"] == alias
