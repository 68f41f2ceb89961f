"""What routers do not have is refused by name, and not named among the extensions."""

import pytest

from netweft.store import Object

from ..conftest import Api, refused


def test_no_alias_says_that_they_are_there(api: Api) -> None:
    for alias in ("external-gateway-multihoming", "network_ha"):
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
