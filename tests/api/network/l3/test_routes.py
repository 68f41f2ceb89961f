"""Extra routes: all at once, and some added or removed."""

from typing import Any

import pytest
from tests.api.network.conftest import Api, refused

from netweft.store import Object

from .test_interfaces import act, add, said, subnet

FAR, FARTHER = (
    {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"},
    {"destination": "0.0.0.0/0", "nexthop": "10.0.0.8"},
)
SIX = {"destination": "fd09::/48", "nexthop": "fd00::9"}


@pytest.fixture
def router(api: Api) -> Object:
    made = api.make("alice", "router")
    for cidr in ("10.0.0.0/24", "fd00::/64"):
        add(api, made, subnet_id=subnet(api, cidr)["id"])
    return made


def put(api: Api, router: Object, *routes: Object, who: str = "alice") -> Any:
    return api(who, "PUT", f"/routers/{router['id']}", {"router": {"routes": list(routes)}})


def edit(api: Api, router: Object, verb: str, *routes: Any, who: str = "alice") -> Any:
    return api(who, "PUT", f"/routers/{router['id']}/{verb}_extraroutes", {"router": {"routes": list(routes)}})


def routes(api: Api, router: Object) -> list[Object]:
    found: list[Object] = api.get("alice", f"/routers/{router['id']}")["router"]["routes"]
    return found


def test_all_at_once(api: Api, router: Object) -> None:
    assert put(api, router, FAR, FARTHER, SIX).json()["router"]["routes"] == [FAR, FARTHER, SIX]
    assert put(api, router, SIX).status_code == 200
    assert routes(api, router) == [SIX]
    cleared = api("alice", "PUT", f"/routers/{router['id']}", {"router": {"routes": None}})
    assert cleared.json()["router"]["routes"] == []


def test_some(api: Api, router: Object) -> None:
    put(api, router, FAR)
    ecmp = FAR | {"nexthop": "10.0.0.10"}
    added = edit(api, router, "add", FAR, ecmp, SIX)
    assert added.status_code == 200, added.text
    assert added.json()["router"]["routes"] == [FAR, ecmp, SIX], "ECMP: one destination, two next hops"
    assert added.json()["router"]["id"] == router["id"]
    revision = added.json()["router"]["revision_number"]
    assert edit(api, router, "add", ecmp).json()["router"]["revision_number"] == revision, "nothing changed"
    left = edit(api, router, "remove", FAR, FARTHER)
    assert left.json()["router"]["routes"] == [ecmp, SIX]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"destination": "10.9.0.0/16", "nexthop": "10.5.0.1"}, "the nexthop is not connected with router"),
        ({"destination": "10.9.0.0/16", "nexthop": "10.0.0.1"}, "the nexthop is used by router"),
        ({"destination": "10.9.0.0/16", "nexthop": "fd00::9"}, "different IP versions"),
    ],
)
def test_next_hops(api: Api, router: Object, route: Object, words: str) -> None:
    for answer in (put(api, router, route), edit(api, router, "add", route)):
        assert refused(answer) == (400, "InvalidRoutes")
        assert words in said(answer)
    assert routes(api, router) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"destination": "10.9.0.1/16", "nexthop": "10.0.0.9"},
        {"destination": "127.0.0.0/8", "nexthop": "10.0.0.9"},
        {"destination": "10.9.0.0/16"},
        {"destination": "10.9.0.0/16", "nexthop": "x"},
        {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9", "via": "x"},
        "10.9.0.0/16",
    ],
)
def test_what_is_no_route(api: Api, router: Object, wrong: Any) -> None:
    for answer in (put(api, router, wrong), edit(api, router, "add", wrong), edit(api, router, "remove", wrong)):
        assert refused(answer) == (400, "HTTPBadRequest")
    assert refused(put(api, router, FAR, FAR))[0] == 400
    bodies: list[Object] = [{"routes": [FAR]}, {"router": []}, {"router": {"routes": "x"}}]
    for body in bodies:
        path = f"/routers/{router['id']}/add_extraroutes"
        assert refused(api("alice", "PUT", path, body))[0] == 400


def test_the_quota_of_routes(api: Api, router: Object) -> None:
    many = [{"destination": f"10.{n}.0.0/16", "nexthop": "10.0.0.9"} for n in range(1, 32)]
    assert refused(put(api, router, *many)) == (409, "OverQuota")
    assert put(api, router, *many[:30]).status_code == 200
    assert refused(edit(api, router, "add", many[30])) == (409, "OverQuota")
    assert api("admin", "PUT", "/quotas/red", {"quota": {"router_route": 31}}).status_code == 200
    assert edit(api, router, "add", many[30]).status_code == 200


def test_an_interface_that_routes_need(api: Api, router: Object) -> None:
    put(api, router, FAR)
    (port,) = api.get("alice", f"/ports?device_id={router['id']}&fixed_ips=ip_address=10.0.0.1")["ports"]
    for named in ({"port_id": port["id"]}, {"subnet_id": port["fixed_ips"][0]["subnet_id"]}):
        answer = act(api, router, "remove", **named)
        assert refused(answer) == (409, "RouterInterfaceInUseByRoute")
    edit(api, router, "remove", FAR)
    assert act(api, router, "remove", port_id=port["id"]).status_code == 200
    assert refused(edit(api, router, "add", FAR)) == (400, "InvalidRoutes")


def test_who_may(api: Api, router: Object) -> None:
    for answer in (put(api, router, FAR, who="adam"), edit(api, router, "add", FAR, who="adam")):
        assert refused(answer) == (403, "PolicyNotAuthorized")
    for answer in (put(api, router, FAR, who="bob"), edit(api, router, "remove", FAR, who="bob")):
        assert refused(answer) == (404, "RouterNotFound")
