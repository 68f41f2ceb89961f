"""What the API says about itself, and what it says when all else fails."""

import pytest

from netweft.store import Store

from .conftest import Api, refused


def test_versions_need_no_token(api: Api) -> None:
    answer = api.client.request("GET", "/")
    (version,) = answer.json()["versions"]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"] == [{"rel": "self", "href": "http://netweft.test/v2.0/"}]


def test_the_resources(api: Api) -> None:
    for path in ("", "/"):
        listed = {one["collection"] for one in api.get("alice", path)["resources"]}
        assert listed == {
            "networks",
            "network_segment_ranges",
            "subnets",
            "subnetpools",
            "address_scopes",
            "ports",
            "trunks",
            "routers",
            "flavors",
            "metering_label_rules",
            "metering_labels",
            "service_profiles",
            "floatingips",
            "security_groups",
            "security_group_rules",
            "default_security_group_rules",
            "address_groups",
            "firewall_groups",
            "firewall_policies",
            "firewall_rules",
            "logs",
            "policies",
            "rbac_policies",
            "agents",
        }


def test_extensions(api: Api) -> None:
    extensions = api.get("alice", "/extensions")["extensions"]
    assert {"agent", "binding", "provider", "security-group", "port-security"} <= {one["alias"] for one in extensions}
    for extension in extensions:
        assert extension.keys() == {"alias", "name", "description", "updated", "links"}
        assert api.get("alice", f"/extensions/{extension['alias']}") == {"extension": extension}
    assert refused(api("alice", "GET", "/extensions/magic")) == (404, "ExtensionNotFound")


@pytest.mark.parametrize("path", ["/nonsense", "/networks/x/y"])
def test_paths_that_are_not_there(api: Api, path: str) -> None:
    assert refused(api("alice", "GET", path))[0] == 404


def test_methods_that_are_not_there(api: Api) -> None:
    assert refused(api("alice", "PATCH", "/networks"))[0] == 405


def test_every_answer_has_a_request_id(api: Api) -> None:
    first, second = (api("alice", "GET", "/networks").headers["X-Openstack-Request-Id"] for _ in range(2))
    assert first.startswith("req-")
    assert first != second


def test_a_fault_of_ours_shows_users_nothing_but_that(api: Api, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("netweft.control.l2.networks.born", broken)
    answer = api("alice", "POST", "/networks", {"network": {}})
    assert answer.status_code == 500
    assert "NeutronError" in answer.json()
    assert "secret" not in answer.text
