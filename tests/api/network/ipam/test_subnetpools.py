"""Subnet pools: what they take, what they give, and to whom."""

from typing import Any

import pytest

from netweft.store import Object

from ..conftest import Api, refused


@pytest.fixture
def pool(api: Api) -> Object:
    """Of alice's: 10.64.0.0/20, /24 unless something else is asked for, /22 to /28."""
    return api.make("alice", "subnetpool", name="blue", prefixes=["10.64.0.0/21", "10.64.8.0/21"], **LENGTHS)


LENGTHS = {"min_prefixlen": 22, "max_prefixlen": 28, "default_prefixlen": 24}


def subnet(api: Api, pool: Object, network: str = "", who: str = "alice", **values: Any) -> Any:
    network = network or api.network(who)["id"]
    body = {"network_id": network, "ip_version": 4, "subnetpool_id": pool["id"]} | values
    return api(who, "POST", "/subnets", {"subnet": body})


def cut(api: Api, pool: Object, **values: Any) -> str:
    answer = subnet(api, pool, **values)
    assert answer.status_code == 201, answer.text
    assert answer.json()["subnet"]["subnetpool_id"] == pool["id"]
    assert not answer.json()["subnet"].keys() & {"prefixlen", "use_default_subnetpool"}
    return str(answer.json()["subnet"]["cidr"])


def test_its_life(api: Api, pool: Object) -> None:
    assert (pool["prefixes"], pool["ip_version"], pool["shared"]) == (["10.64.0.0/20"], 4, False)
    made = subnet(api, pool).json()["subnet"]
    assert (made["cidr"], made["gateway_ip"]) == ("10.64.0.0/24", "10.64.0.1")
    assert refused(api("alice", "DELETE", f"/subnetpools/{pool['id']}")) == (409, "SubnetPoolDeleteError")
    more = {"subnetpool": {"prefixes": ["10.64.0.0/20", "10.99.0.0/16"], "default_prefixlen": 26}}
    changed = api("alice", "PUT", f"/subnetpools/{pool['id']}", more).json()["subnetpool"]
    assert (changed["prefixes"], changed["default_prefixlen"]) == (["10.64.0.0/20", "10.99.0.0/16"], "26")
    less = {"subnetpool": {"prefixes": ["10.99.0.0/16"]}}
    answer = api("alice", "PUT", f"/subnetpools/{pool['id']}", less)
    assert refused(answer) == (400, "IllegalSubnetPoolPrefixUpdate")
    assert api("alice", "DELETE", f"/subnets/{made['id']}").status_code == 204
    assert api("alice", "DELETE", f"/subnetpools/{pool['id']}").status_code == 204


def test_defaults_of_both_versions(api: Api) -> None:
    four = api.make("alice", "subnetpool", name="4", prefixes=["10.0.0.0/8"])
    six = api.make("alice", "subnetpool", name="6", prefixes=["fd00::/48"])
    lengths = ("min_prefixlen", "default_prefixlen", "max_prefixlen")
    assert [[one[name] for name in lengths] for one in (four, six)] == [["8", "8", "32"], ["64", "64", "128"]]
    assert cut(api, six, ip_version=6) == "fd00::/64"
    assert cut(api, six, ip_version=6) == "fd00:0:0:1::/64"


def test_no_two_overlap(api: Api, pool: Object) -> None:
    assert cut(api, pool, prefixlen=28) == "10.64.0.0/28"
    assert cut(api, pool) == "10.64.1.0/24"
    assert cut(api, pool, cidr="10.64.0.128/25") == "10.64.0.128/25"
    assert cut(api, pool, prefixlen=28) == "10.64.0.16/28"
    assert cut(api, pool, prefixlen=22) == "10.64.4.0/22"
    assert cut(api, pool, prefixlen=25) == "10.64.2.0/25"
    for cidr in ("10.64.0.0/26", "10.65.0.0/24"):
        assert refused(subnet(api, pool, cidr=cidr)) == (409, "SubnetAllocationError")


def test_it_comes_to_an_end_and_what_is_given_back_is_given_again(api: Api, pool: Object) -> None:
    made = [subnet(api, pool, prefixlen=22).json()["subnet"] for _ in range(4)]
    answer = subnet(api, pool, prefixlen=28)
    assert refused(answer) == (409, "SubnetAllocationError")
    assert "Insufficient prefix space to allocate subnet size /28" in answer.json()["NeutronError"]["message"]
    api("alice", "DELETE", f"/subnets/{made[2]['id']}")
    assert cut(api, pool, prefixlen=22) == made[2]["cidr"]


@pytest.mark.parametrize(
    ("values", "status", "type"),
    [
        ({"prefixlen": 21}, 400, "MinPrefixSubnetAllocationError"),
        ({"prefixlen": 29}, 400, "MaxPrefixSubnetAllocationError"),
        ({"prefixlen": 10**9}, 400, "MaxPrefixSubnetAllocationError"),
        ({"cidr": "10.64.0.0/29"}, 400, "MaxPrefixSubnetAllocationError"),
        ({"ip_version": 6}, 400, "InvalidInput"),
        ({"gateway_ip": "10.64.0.7"}, 400, "InvalidInput"),
        ({"use_default_subnetpool": True}, 400, "InvalidInput"),
        ({"subnetpool_id": None, "use_default_subnetpool": True}, 400, "InvalidInput"),
        ({"subnetpool_id": None}, 400, "BadRequest"),
        ({"subnetpool_id": "5283fb86-4c69-46d0-8ea0-43533bbee357"}, 404, "SubnetPoolNotFound"),
    ],
)
def test_subnets_that_cannot_be(api: Api, pool: Object, values: Object, status: int, type: str) -> None:
    assert refused(subnet(api, pool, **values)) == (status, type)


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, "PrefixVersionMismatch"),
        ({"min_prefixlen": 0}, "UnsupportedMinSubnetPoolPrefix"),
        ({"max_prefixlen": 33}, "IllegalSubnetPoolPrefixBounds"),
        ({"min_prefixlen": 24, "max_prefixlen": 23}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 7}, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 20, "default_prefixlen": 21}, "IllegalSubnetPoolPrefixBounds"),
        ({"prefixes": ["10.0.0.1"]}, "HTTPBadRequest"),
    ],
)
def test_pools_that_cannot_be(api: Api, values: Object, type: str) -> None:
    body = {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"]} | values}
    assert refused(api("alice", "POST", "/subnetpools", body)) == (400, type)


def test_a_networks_subnets_come_from_one_pool(api: Api, pool: Object) -> None:
    network = api.network(cidr="192.0.2.0/24")["id"]
    assert refused(subnet(api, pool, network)) == (400, "NetworkSubnetPoolAffinityError")
    six = api.make("alice", "subnetpool", name="6", prefixes=["fd00::/48"])
    assert subnet(api, six, network, ip_version=6).status_code == 201


def test_a_quota_of_addresses(api: Api) -> None:
    pool = api.make("admin", "subnetpool", name="q", prefixes=["10.0.0.0/16"], default_quota=512, shared=True)
    assert cut(api, pool, prefixlen=24) == "10.0.0.0/24"
    assert refused(subnet(api, pool, prefixlen=23)) == (409, "SubnetPoolQuotaExceeded")
    assert cut(api, pool, prefixlen=24) == "10.0.1.0/24"
    assert cut(api, pool, who="bob", prefixlen=23) == "10.0.2.0/23"


def test_whose_it_is(api: Api, pool: Object) -> None:
    assert refused(subnet(api, pool, who="bob")) == (404, "SubnetPoolNotFound")
    assert api.names("bob", "/subnetpools") == []
    for guarded in ("shared", "is_default"):
        body = {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"], guarded: True}}
        assert refused(api("alice", "POST", "/subnetpools", body)) == (403, "PolicyNotAuthorized")


def test_the_default_one(api: Api) -> None:
    values = {"name": "d", "prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "is_default": True, "shared": True}
    pool = api.make("admin", "subnetpool", **values)
    network = api.network()["id"]
    made = api.make("alice", "subnet", network_id=network, ip_version=4, use_default_subnetpool=True)
    assert (made["cidr"], made["subnetpool_id"]) == ("10.0.0.0/24", pool["id"])
    again = api("admin", "POST", "/subnetpools", {"subnetpool": values | {"prefixes": ["10.1.0.0/16"]}})
    assert refused(again) == (400, "InvalidInput")
