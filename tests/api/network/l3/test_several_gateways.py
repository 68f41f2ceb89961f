"""Several gateways of a router: added, updated and removed, beside the one that `external_gateway_info` says."""

from typing import Any

import pytest
from tests.api.network.conftest import Api, refused
from tests.api.network.test_external import open_to

from netweft.store import Object

from .test_floating_ips import make, place
from .test_gateways import BAD, FORBIDDEN, change, external, info, to

GATEWAY = "network:router_gateway"
UNMATCHED = (400, "UnableToMatchGateways")


@pytest.fixture
def one(api: Api) -> Object:
    return external(api, "192.0.2.0/24")


@pytest.fixture
def two(api: Api) -> Object:
    return external(api, "198.51.100.0/24", "2001:db8:2::/64")


def gateways(api: Api, router: Object, verb: str, *wanted: Object, who: str = "alice") -> Any:
    body = {"router": {"external_gateways": list(wanted)}}
    return api(who, "PUT", f"/routers/{router['id']}/{verb}_external_gateways", body)


def by(network: Object, *addresses: str, **more: object) -> Object:
    ips: Object = {"external_fixed_ips": [{"ip_address": one} for one in addresses]} if addresses else {}
    return {"network_id": network["id"]} | ips | more


def shown(api: Api, router: Object) -> list[tuple[str, str]]:
    """(network, first address) of each; what the router says is what its ports are."""
    told = api.get("admin", f"/routers/{router['id']}")["router"]
    found = told["external_gateways"]
    ports = api.get("admin", f"/ports?device_id={router['id']}&device_owner={GATEWAY}")["ports"]
    as_ports = [{"network_id": port["network_id"], "external_fixed_ips": port["fixed_ips"]} for port in ports]
    assert sorted(map(repr, as_ports)) == sorted(map(repr, found))
    first = told["external_gateway_info"]
    assert bool(first) == bool(found)
    assert not found or found[0].items() <= first.items()
    return [(one["network_id"], one["external_fixed_ips"][0]["ip_address"]) for one in found]


def test_the_first_is_external_gateway_info(api: Api, one: Object, two: Object) -> None:
    router = api.make("alice", "router")
    assert router["external_gateways"] == []
    answer = gateways(api, router, "add", by(one), by(two), by(one))
    assert answer.status_code == 200, answer.text
    told = answer.json()["router"]
    assert [each["network_id"] for each in told["external_gateways"]] == [one["id"], two["id"], one["id"]]
    assert told["revision_number"] > router["revision_number"]
    assert [network for network, _ in shown(api, router)] == [one["id"], two["id"], one["id"]]
    assert len({address for _, address in shown(api, router)}) == 3
    assert api("alice", "DELETE", f"/routers/{router['id']}").status_code == 204
    assert not api.get("admin", f"/ports?device_id={router['id']}")["ports"]


def test_who_has_one_gets_more(api: Api, one: Object, two: Object) -> None:
    router = api.make("alice", "router", **to(one))
    before = info(api, router)
    assert gateways(api, router, "add", by(two)).status_code == 200
    assert info(api, router) == before
    assert [network for network, _ in shown(api, router)] == [one["id"], two["id"]]


def test_the_first_goes_and_the_next_is_the_first(api: Api, one: Object, two: Object) -> None:
    for how in ("remove", "info"):
        router = api.make("alice", "router", **to(one))
        gateways(api, router, "add", by(two))
        second = shown(api, router)[1]
        if how == "remove":
            assert gateways(api, router, "remove", by(one)).status_code == 200
        else:
            assert change(api, router, {"external_gateway_info": None}).status_code == 200
        assert shown(api, router) == [second]
        assert gateways(api, router, "remove", by(two)).status_code == 200
        assert shown(api, router) == []
        assert info(api, router) is None
        assert refused(gateways(api, router, "remove", by(two))) == (400, "UnableToRemoveGateways")


def test_which_one_is_meant(api: Api, one: Object, two: Object) -> None:
    router = api.make("alice", "router", **to(one))
    gateways(api, router, "add", by(one))
    first, second = shown(api, router)
    assert refused(gateways(api, router, "remove", by(one))) == UNMATCHED
    assert refused(gateways(api, router, "remove", by(two))) == UNMATCHED
    assert refused(gateways(api, router, "remove", by(one, "192.0.2.250"))) == UNMATCHED
    assert shown(api, router) == [first, second]
    assert gateways(api, router, "remove", by(one, second[1])).status_code == 200
    assert shown(api, router) == [first]


def test_update_makes_it_so(api: Api, one: Object, two: Object) -> None:
    router = api.make("alice", "router", **to(one))
    gateways(api, router, "add", by(two), by(one))
    _, second, third = shown(api, router)
    answer = gateways(api, router, "update", by(two), by(one, third[1]))
    assert answer.status_code == 200, answer.text
    assert shown(api, router) == [second, third], "the first goes, the others keep their ports"
    assert gateways(api, router, "update", by(two), by(one, third[1]), by(two, "198.51.100.77"), who="admin").is_success
    assert shown(api, router) == [second, third, (two["id"], "198.51.100.77")]
    both = by(one, third[1], "192.0.2.99")
    assert gateways(api, router, "update", by(two, second[1]), both, who="admin").status_code == 200
    assert shown(api, router) == [second, third]
    assert (
        len(api.get("admin", f"/routers/{router['id']}")["router"]["external_gateways"][1]["external_fixed_ips"]) == 2
    )
    revision = api.get("admin", f"/routers/{router['id']}")["router"]["revision_number"]
    assert gateways(api, router, "update", by(two), by(one, third[1]), who="admin").status_code == 200
    assert gateways(api, router, "update").status_code == 200
    assert shown(api, router) == []
    assert api.get("admin", f"/routers/{router['id']}")["router"]["revision_number"] > revision


def test_nothing_given_is_nothing_done(api: Api, one: Object) -> None:
    router = api.make("alice", "router", **to(one))
    for verb in ("add", "remove"):
        assert gateways(api, router, verb).json()["router"]["external_gateways"] == router["external_gateways"]
    bodies: list[Object] = [
        {},
        {"router": 5},
        {"router": {"external_gateways": [{}]}},
        {"router": {"external_gateways": 5}},
    ]
    for body in bodies:
        answer = api("alice", "PUT", f"/routers/{router['id']}/add_external_gateways", body)
        assert answer.status_code == 400
    assert api("alice", "PUT", f"/routers/{router['id']}", {"router": {"external_gateways": []}}).status_code == 400
    assert len(shown(api, router)) == 1


def test_who_may(api: Api, one: Object) -> None:
    """As of external_gateway_info: addresses and SNAT are an admin's; addresses that are there say which is meant."""
    router = api.make("alice", "router", **to(one))
    first = shown(api, router)[0][1]
    for verb in ("add", "update", "remove"):
        assert refused(gateways(api, router, verb, by(one), who="adam")) == FORBIDDEN
        assert refused(gateways(api, router, verb, by(one), who="bob")) == (404, "RouterNotFound")
    assert refused(gateways(api, router, "add", by(one, "192.0.2.50"))) == FORBIDDEN
    assert refused(gateways(api, router, "update", by(one, enable_snat=False))) == FORBIDDEN
    assert gateways(api, router, "update", by(one, first, enable_snat=True)).status_code == 200
    assert gateways(api, router, "add", by(one, "192.0.2.50"), who="admin").status_code == 200
    private = api.make("admin", "network", **{"router:external": True})
    for entry in api.get("admin", f"/rbac-policies?object_id={private['id']}")["rbac_policies"]:
        api("admin", "DELETE", f"/rbac-policies/{entry['id']}")
    assert refused(gateways(api, router, "add", by(private))) == (404, "NetworkNotFound")
    open_to(api, private, "*")
    assert refused(gateways(api, router, "add", by(api.make("alice", "network")))) == BAD


@pytest.mark.parametrize("name", ["enable_default_route_ecmp", "enable_default_route_bfd"])
def test_how_default_routes_are_used_is_an_admins_choice(api: Api, name: str) -> None:
    router = api.make("alice", "router")
    assert router[name] is False
    assert refused(change(api, router, {name: True})) == FORBIDDEN
    assert change(api, router, {name: "true"}, "admin").json()["router"][name]
    assert change(api, router, {name: None}, "admin").status_code == 200
    assert api.make("admin", "router", **{name: True})[name] is True


def test_networks_must_not_overlap(api: Api, one: Object) -> None:
    overlapping = external(api, "192.0.2.128/25")
    router = api.make("alice", "router", **to(one))
    assert refused(gateways(api, router, "add", by(overlapping))) == BAD
    assert len(shown(api, router)) == 1


def test_floating_ips_need_a_gateway_on_their_network(api: Api, one: Object, two: Object) -> None:
    there = place(api, two)
    router = there.router
    floating = make(api, two, port_id=there.port["id"])
    assert gateways(api, router, "add", by(one), by(two)).status_code == 200
    first, _, third = shown(api, router)
    assert gateways(api, router, "remove", by(two, first[1])).status_code == 200, "another one is on the same network"
    answer = gateways(api, router, "remove", by(two, third[1]))
    assert refused(answer) == (409, "RouterExternalGatewayInUseByFloatingIp")
    assert gateways(api, router, "remove", by(one)).status_code == 200, "it is another network's"
    assert floating["router_id"] == router["id"]


def test_not_without_end(api: Api, one: Object) -> None:
    router = api.make("alice", "router", **to(one))
    assert gateways(api, router, "add", *[by(one)] * 15).status_code == 200
    assert refused(gateways(api, router, "add", by(one))) == (400, "UnableToAddExtraGateways")
    assert gateways(api, router, "add", *[by(one)] * 17).status_code == 400
    assert len(shown(api, router)) == 16


def test_what_is_true_is_among_the_extensions(api: Api) -> None:
    aliases = {one["alias"] for one in api.get("alice", "/extensions")["extensions"]}
    assert {"external-gateway-multihoming", "enable-default-route-ecmp", "enable-default-route-bfd"} <= aliases
    assert "network_ha" not in aliases
