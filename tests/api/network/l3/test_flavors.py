"""Flavors and service profiles; routers of a flavor; who provides them."""

import json
from typing import Any

import pytest

from netweft.store import Object

from ..conftest import BLUE, Api, refused

FORBIDDEN = (403, "PolicyNotAuthorized")


def flavor(api: Api, *profiles: Object, **values: Any) -> Object:
    values = {"service_type": "L3_ROUTER_NAT", "service_profiles": [one["id"] for one in profiles]} | values
    made: Object = api("admin", "POST", "/flavors", {"flavor": values}).json()["flavor"]
    return made


def profile(api: Api, **values: Any) -> Object:
    body = {"service_profile": {"driver": "netweft"} | values}
    made: Object = api("admin", "POST", "/service_profiles", body).json()["service_profile"]
    return made


def router(api: Api, of: Object) -> Any:
    return api("alice", "POST", "/routers", {"router": {"flavor_id": of["id"]}})


def test_the_life_of_a_flavor(api: Api) -> None:
    one, made = profile(api, metainfo="{}"), flavor(api, name="gold", description="d")
    known = {"name": "gold", "description": "d", "service_type": "L3_ROUTER_NAT", "enabled": True}
    assert made == known | {"id": made["id"], "service_profiles": []}
    path = f"/flavors/{made['id']}"
    added = api("admin", "POST", f"{path}/service_profiles", {"service_profile": {"id": one["id"]}})
    assert added.status_code == 201
    assert added.json()["service_profile"]["service_profiles"] == [one["id"]]
    again = api("admin", "POST", f"{path}/service_profiles", {"service_profile": {"id": one["id"]}})
    assert refused(again) == (409, "FlavorServiceProfileBindingExists")
    provider = {"driver": "netweft", "provider": "netweft", "metainfo": "{}"}
    assert api.get("adam", f"{path}/next_providers") == {"next_providers": [provider]}
    for method in ("PUT", "DELETE"):
        used = api("admin", method, f"/service_profiles/{one['id']}", {"service_profile": {"enabled": False}})
        assert refused(used) == (409, "ServiceProfileInUse")
    removed = f"{path}/service_profiles/{one['id']}"
    assert api("admin", "DELETE", removed).status_code == 204
    assert refused(api("admin", "DELETE", removed)) == (404, "FlavorServiceProfileBindingNotFound")
    assert refused(api("adam", "GET", f"{path}/next_providers")) == (404, "FlavorServiceProfileBindingNotFound")
    changed = api("admin", "PUT", path, {"flavor": {"name": "new", "enabled": False}}).json()["flavor"]
    assert (changed["name"], changed["enabled"]) == ("new", False)
    assert refused(api("admin", "PUT", path, {"flavor": {"service_type": "x"}})) == (400, "HTTPBadRequest")
    assert api("admin", "DELETE", path).status_code == 204
    assert api("admin", "DELETE", f"/service_profiles/{one['id']}").status_code == 204
    assert refused(api("admin", "GET", path)) == (404, "FlavorNotFound")
    assert refused(api("admin", "GET", f"/service_profiles/{one['id']}")) == (404, "ServiceProfileNotFound")


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({}, (400, "ServiceProfileEmpty")),
        ({"driver": "neutron.services.l3_router.service_providers.dvr"}, (404, "ServiceProfileDriverNotFound")),
        ({"enabled": "maybe"}, (400, "HTTPBadRequest")),
    ],
)
def test_profiles_that_are_none(api: Api, values: Object, refusal: tuple[int, str]) -> None:
    assert refused(api("admin", "POST", "/service_profiles", {"service_profile": values})) == refusal


def test_what_is_no_flavor(api: Api) -> None:
    for wrong in ({}, {"service_type": "LOADBALANCERV2"}):
        assert refused(api("admin", "POST", "/flavors", {"flavor": wrong})) == (400, "HTTPBadRequest")
    missing = {"service_type": "L3_ROUTER_NAT", "service_profiles": [BLUE]}
    assert refused(api("admin", "POST", "/flavors", {"flavor": missing})) == (404, "ServiceProfileNotFound")
    made = flavor(api)
    assert api("admin", "POST", "/flavors", {"flavor": missing | {"service_profiles": []}}).status_code == 201
    path = f"/flavors/{made['id']}/service_profiles"
    for bad in ('{"service_profile": {}}', '{"service_profile": "x"}', '{"x": 1}'):
        assert refused(api("admin", "POST", path, json.loads(bad))) == (400, "HTTPBadRequest")
    body = {"service_profile": {"id": BLUE}}
    assert refused(api("admin", "POST", path, body)) == (404, "ServiceProfileNotFound")
    assert refused(api("alice", "POST", path, body)) == FORBIDDEN
    assert refused(api("alice", "DELETE", f"{path}/{BLUE}")) == FORBIDDEN


def test_routers_of_a_flavor(api: Api) -> None:
    one = profile(api)
    made = flavor(api, one)
    assert api.make("alice", "router")["flavor_id"] is None
    answer = router(api, made)
    assert answer.status_code == 201
    assert answer.json()["router"]["flavor_id"] == made["id"]
    path = f"/routers/{answer.json()['router']['id']}"
    assert refused(api("alice", "PUT", path, {"router": {"flavor_id": None}})) == (400, "HTTPBadRequest")
    assert refused(api("admin", "DELETE", f"/flavors/{made['id']}")) == (409, "FlavorInUse")
    assert api("alice", "DELETE", path).status_code == 204
    assert api("admin", "DELETE", f"/flavors/{made['id']}").status_code == 204


def test_flavors_of_which_there_can_be_no_router(api: Api) -> None:
    off, bare = profile(api, enabled=False), profile(api, driver="", metainfo="x")
    one = profile(api)
    for of, refusal in (
        ({"id": BLUE}, (404, "FlavorNotFound")),
        (flavor(api), (404, "FlavorServiceProfileBindingNotFound")),
        (flavor(api, one, enabled=False), (503, "FlavorDisabled")),
        (flavor(api, off, one), (503, "ServiceProfileDisabled")),
        (flavor(api, bare), (404, "ServiceProfileDriverNotFound")),
        (flavor(api, one, service_type="QOS"), (400, "InvalidInput")),
    ):
        assert refused(router(api, of)) == refusal
    assert api.get("alice", "/routers")["routers"] == []


def test_who_provides(api: Api) -> None:
    provided = {"service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "netweft", "default": True}]}
    assert api.get("adam", "/service-providers") == provided
    assert api.get("adam", "/service-providers?service_type=L3_ROUTER_NAT&default=True") == provided
    for other in ("service_type=VPN", "default=false"):  # openstacksdk asks so whether there are VPNs to clean up
        assert api.get("adam", f"/service-providers?{other}") == {"service_providers": []}
    assert api.get("adam", "/service-providers?fields=name") == {"service_providers": [{"name": "netweft"}]}
    assert refused(api("adam", "GET", "/service-providers?driver=x"))[0] == 400
    assert api.get("alf", "/service-providers") == {"service_providers": []}, "without a role that reads"
