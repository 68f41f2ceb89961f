"""What routers do not have is refused by name, and not named among the extensions."""

import pytest

from netweft.store import Object

from ..conftest import Api, refused


def test_no_alias_says_that_they_are_there(api: Api) -> None:
    for alias in ("l3-conntrack-helper", "expose-l3-conntrack-helper", "external-gateway-multihoming", "metering"):
        assert refused(api("alice", "GET", f"/extensions/{alias}")) == (404, "ExtensionNotFound")


@pytest.mark.parametrize("verb", ["add", "update", "remove"])
def test_one_gateway(api: Api, verb: str) -> None:
    router = api.make("alice", "router")
    path = f"/routers/{router['id']}/{verb}_external_gateways"
    body: Object = {"router": {"external_gateways": []}}
    answer = api("alice", "PUT", path, body)
    assert refused(answer) == (400, "BadRequest")
    assert "external-gateway-multihoming is not there" in answer.json()["NeutronError"]["message"]
    assert refused(api("adam", "PUT", path, body)) == (403, "PolicyNotAuthorized")
    assert refused(api("bob", "PUT", path, body)) == (404, "RouterNotFound")


def test_no_conntrack_helpers(api: Api) -> None:
    router = api.make("alice", "router")
    path = f"/routers/{router['id']}/conntrack_helpers"
    assert api.get("adam", path) == {"conntrack_helpers": []}
    body = {"conntrack_helper": {"helper": "ftp", "protocol": "tcp", "port": 21}}
    answer = api("alice", "POST", path, body)
    assert refused(answer) == (400, "ConntrackHelperNotAllowed")
    assert "Conntrack Helper ftp is not allowed. Allowed are: none" in answer.json()["NeutronError"]["message"]
    assert refused(api("adam", "POST", path, body)) == (403, "PolicyNotAuthorized")
    assert refused(api("bob", "GET", path)) == (404, "RouterNotFound")
    for wrong in ({}, {"conntrack_helper": 5}, {"conntrack_helper": {"helper": {"x": "%s"}}}):
        assert api("alice", "POST", path, wrong).status_code == 400
    for method in ("GET", "PUT", "DELETE"):
        assert refused(api("alice", method, f"{path}/x")) == (404, "ConntrackHelperNotFound")
