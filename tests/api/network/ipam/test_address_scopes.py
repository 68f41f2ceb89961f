"""Address scopes: who has one, which pools are in it, what networks say of it, and when it cannot go."""

from typing import Any

import pytest

from netweft.store import Object

from ..conftest import BLUE, YELLOW, Api, refused
from ..test_rbac import share, try_share
from .test_subnetpools import subnet

FOUR, SIX = "ipv4_address_scope", "ipv6_address_scope"
OTHER_SCOPE = (400, "NetworkAddressScopeAffinityError")


def scope(api: Api, who: str = "alice", version: int = 4, **values: Any) -> Object:
    return api.make(who, "address_scope", ip_version=version, **values)


def pool(api: Api, within: Object | None, *prefixes: str, who: str = "alice", **values: Any) -> Object:
    values |= {"address_scope_id": within["id"]} if within else {}
    return api.make(who, "subnetpool", name="p", prefixes=list(prefixes), default_prefixlen=24, **values)


def put(api: Api, one: Object, who: str = "alice", **changes: Any) -> Any:
    return api(who, "PUT", f"/subnetpools/{one['id']}", {"subnetpool": changes})


def scopes_of(api: Api, network: Object) -> tuple[Any, Any]:
    shown = api.get("alice", f"/networks/{network['id']}")["network"]
    return shown[FOUR], shown[SIX]


def test_its_life(api: Api) -> None:
    made = scope(api, name="blue")
    known = {"name": "blue", "ip_version": 4, "shared": False, "project_id": "red", "tenant_id": "red"}
    assert made == known | {"id": made["id"]}
    path = f"/address-scopes/{made['id']}"
    assert api("alice", "PUT", path, {"address_scope": {"name": "new"}}).json()["address_scope"]["name"] == "new"
    assert refused(api("alice", "PUT", path, {"address_scope": {"ip_version": 6}})) == (400, "HTTPBadRequest")
    assert api.names("alice", "/address-scopes?ip_version=4") == ["new"]
    assert api.names("alice", "/address-scopes?ip_version=6") == []
    within = pool(api, made, "10.0.0.0/16")
    answer = api("alice", "DELETE", path)
    assert refused(answer) == (409, "AddressScopeInUse")
    assert "one or more subnet pools in use" in answer.json()["NeutronError"]["message"]
    assert put(api, within, address_scope_id=None).json()["subnetpool"]["address_scope_id"] is None
    assert api("alice", "DELETE", path).status_code == 204
    assert refused(api("alice", "GET", path)) == (404, "AddressScopeNotFound")


@pytest.mark.parametrize("wrong", [{}, {"ip_version": 5}, {"ip_version": None}, {"ip_version": 4, "description": "x"}])
def test_what_is_none(api: Api, wrong: Object) -> None:
    assert refused(api("alice", "POST", "/address-scopes", {"address_scope": wrong})) == (400, "HTTPBadRequest")


def test_pools_of_a_scope_do_not_overlap(api: Api) -> None:
    own, other = scope(api), scope(api)
    first = pool(api, own, "10.0.0.0/16")
    pool(api, other, "10.0.0.0/16")
    body = {"name": "q", "prefixes": ["10.0.9.0/24"], "address_scope_id": own["id"]}
    assert refused(api("alice", "POST", "/subnetpools", {"subnetpool": body})) == (409, "AddressScopePrefixConflict")
    free = pool(api, None, "10.0.9.0/24", "10.1.0.0/16")
    assert refused(put(api, free, address_scope_id=own["id"])) == (409, "AddressScopePrefixConflict")
    beside = pool(api, own, "10.2.0.0/16")
    grown = ["10.2.0.0/16", "10.0.0.0/15"]
    assert refused(put(api, beside, prefixes=grown)) == (409, "AddressScopePrefixConflict")
    assert put(api, first, prefixes=["10.0.0.0/15"]).status_code == 200, "its own are no others'"
    assert api.get("alice", f"/subnetpools?address_scope_id={own['id']}")["subnetpools"] != []


def test_which_scope_a_pool_may_name(api: Api) -> None:
    six, his = scope(api, version=6), scope(api, "bob")
    four = pool(api, None, "10.0.0.0/16")
    wrong = (400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")
    assert refused(put(api, four, address_scope_id=six["id"])) == wrong
    for id in (his["id"], BLUE):
        assert refused(put(api, four, address_scope_id=id)) == (404, "AddressScopeNotFound")
    assert refused(put(api, four, "admin", address_scope_id=BLUE)) == (404, "AddressScopeNotFound")
    assert refused(put(api, four, address_scope_id="x")) == (400, "HTTPBadRequest")


def test_shared_scopes(api: Api) -> None:
    assert refused(api("alice", "POST", "/address-scopes", {"address_scope": {"ip_version": 4, "shared": True}})) == (
        403,
        "PolicyNotAuthorized",
    )
    common = scope(api, "admin", shared=True, name="common")
    assert api.names("bob", "/address-scopes?shared=true") == ["common"]
    his = pool(api, common, "10.0.0.0/16", who="bob")
    stays = put(api, his, "bob", name="x")
    assert refused(stays) == (400, "IllegalSubnetPoolUpdate"), "in somebody else's scope it stays as it is"
    assert put(api, his, "admin", name="x").status_code == 200
    path = f"/address-scopes/{common['id']}"
    answer = api("admin", "PUT", path, {"address_scope": {"shared": False}})
    assert refused(answer) == (400, "AddressScopeUpdateError")
    assert refused(api("bob", "PUT", path, {"address_scope": {"name": "his"}})) == (403, "PolicyNotAuthorized")
    own = scope(api)
    assert refused(api("alice", "PUT", f"/address-scopes/{own['id']}", {"address_scope": {"shared": True}})) == (
        403,
        "PolicyNotAuthorized",
    )


def test_shared_by_name(api: Api) -> None:
    mine = scope(api, name="mine")
    entry = share(api, "address_scope", mine)
    assert api.names("bob", "/address-scopes") == ["mine"]
    assert api.names("carol", "/address-scopes") == []
    his = pool(api, mine, "10.0.0.0/16", who="bob")
    withdrawn = f"/rbac-policies/{entry['id']}"
    assert refused(api("alice", "DELETE", withdrawn)) == (409, "RbacPolicyInUse")
    assert api("bob", "DELETE", f"/subnetpools/{his['id']}").status_code == 204
    assert api("alice", "DELETE", withdrawn).status_code == 204
    assert api.names("bob", "/address-scopes") == []
    external = try_share(api, "address_scope", mine, action="access_as_external")
    assert refused(external) == (400, "InvalidActionForType")


def test_a_pool_is_for_those_who_may_use_its_scope(api: Api) -> None:
    mine = scope(api)
    within = pool(api, mine, "10.0.0.0/16")
    assert refused(try_share(api, "subnetpool", within)) == (400, "RbacPolicyInitError")
    share(api, "address_scope", mine)
    share(api, "subnetpool", within)
    assert refused(try_share(api, "subnetpool", within, YELLOW)) == (400, "RbacPolicyInitError")
    assert refused(try_share(api, "subnetpool", within, "*", "admin")) == (400, "RbacPolicyInitError")


def test_what_networks_say(api: Api) -> None:
    own, six = scope(api), scope(api, version=6)
    first, second = pool(api, own, "10.0.0.0/16"), pool(api, own, "10.1.0.0/16")
    third = pool(api, None, "10.2.0.0/16")
    sixes = api.make("alice", "subnetpool", name="6", prefixes=["fd00::/48"], address_scope_id=six["id"])
    network = api.network("alice")
    assert (network[FOUR], network[SIX]) == (None, None)
    made = subnet(api, first, network["id"]).json()["subnet"]
    assert scopes_of(api, network) == (own["id"], None)
    assert subnet(api, second, network["id"]).status_code == 201, "of one scope, whichever pool"
    assert refused(subnet(api, third, network["id"])) == OTHER_SCOPE
    plain = {"network_id": network["id"], "ip_version": 4, "cidr": "192.168.0.0/24"}
    assert refused(api("alice", "POST", "/subnets", {"subnet": plain})) == (400, "NetworkSubnetPoolAffinityError")
    assert subnet(api, sixes, network["id"], ip_version=6).status_code == 201
    assert scopes_of(api, network) == (own["id"], six["id"])
    assert api("alice", "DELETE", f"/subnets/{made['id']}").status_code == 204
    assert scopes_of(api, network) == (own["id"], six["id"]), "one is left"
    for one in api.get("alice", f"/subnets?network_id={network['id']}")["subnets"]:
        assert api("alice", "DELETE", f"/subnets/{one['id']}").status_code == 204
    assert scopes_of(api, network) == (None, None)


def test_networks_follow_their_pool(api: Api) -> None:
    own, other = scope(api), scope(api)
    first, second = pool(api, None, "10.0.0.0/16"), pool(api, other, "10.1.0.0/16")
    networks = [api.network("alice") for _ in range(2)]
    for network in networks:
        subnet(api, first, network["id"])
    assert put(api, first, address_scope_id=own["id"]).status_code == 200
    assert [scopes_of(api, network) for network in networks] == [(own["id"], None)] * 2
    before = api.get("alice", f"/networks/{networks[0]['id']}")["network"]["revision_number"]
    assert put(api, first, name="x").status_code == 200
    after = api.get("alice", f"/networks/{networks[0]['id']}")["network"]["revision_number"]
    assert after == before, "nothing is other than it was"
    assert put(api, first, address_scope_id=other["id"]).status_code == 200
    assert subnet(api, second, networks[0]["id"]).status_code == 201
    for elsewhere in (own["id"], None):
        assert refused(put(api, first, address_scope_id=elsewhere)) == OTHER_SCOPE, "a network would be in two"
    assert [scopes_of(api, network) for network in networks] == [(other["id"], None)] * 2
