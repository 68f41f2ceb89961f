"""How many addresses there are and how many are used; and the questions that look for an address."""

import pytest

from netweft.store import Object

from ..conftest import Api, refused

PATH = "/network-ip-availabilities"


@pytest.fixture
def network(api: Api) -> Object:
    """Of alice's: 10.0.0.0/24 from .10 to .19, fd00::/64, and three ports."""
    network = api.network(name="blue")
    pools = [{"start": "10.0.0.10", "end": "10.0.0.19"}]
    api.make(
        "alice", "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24", allocation_pools=pools, name="s4"
    )
    api.make_many("alice", "port", [{"network_id": network["id"], "name": f"p{n}"} for n in range(3)])
    api.make("alice", "subnet", network_id=network["id"], ip_version=6, cidr="fd00::/64")
    api.network(name="empty")
    return network


def test_a_network(api: Api, network: Object) -> None:
    shown = api.get("admin", f"{PATH}/{network['id']}")["network_ip_availability"]
    assert (shown["network_name"], shown["project_id"], shown["tenant_id"]) == ("blue", "red", "red")
    four = next(one for one in shown["subnet_ip_availability"] if one["ip_version"] == 4)
    assert (four["subnet_name"], four["cidr"], four["total_ips"], four["used_ips"]) == ("s4", "10.0.0.0/24", 10, 3)
    assert (shown["total_ips"], shown["used_ips"]) == (10 + 2**64 - 2, 3)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("", ["blue", "empty"]),
        ("ip_version=4", ["blue"]),
        ("network_name=empty", ["empty"]),
        ("project_id=blue", []),
        ("tenant_id=red&ip_version=6", ["blue"]),
    ],
)
def test_lists(api: Api, network: Object, question: str, names: list[str]) -> None:
    found = api.get("admin", f"{PATH}?{question}")["network_ip_availabilities"]
    assert sorted(one["network_name"] for one in found) == names
    if question == "ip_version=4":
        assert found[0]["total_ips"] == 10


def test_who_may_ask_and_what(api: Api, network: Object) -> None:
    assert api.get("alice", PATH) == {"network_ip_availabilities": []}
    assert refused(api("alice", "GET", f"{PATH}/{network['id']}")) == (404, "NetworkNotFound")
    assert refused(api("admin", "GET", f"{PATH}?colour=red")) == (400, "HTTPBadRequest")
    assert refused(api("admin", "GET", f"{PATH}?ip_version=5")) == (400, "HTTPBadRequest")
    assert refused(api("admin", "GET", f"{PATH}/nosuch")) == (404, "NetworkNotFound")


@pytest.mark.parametrize(
    ("part", "names"), [("0.0.11", ["p1"]), ("10.0.0.1", ["p0", "p1", "p2"]), ("%25", []), (".1_", []), ("fd", [])]
)
def test_a_part_of_an_address(api: Api, network: Object, part: str, names: list[str]) -> None:
    assert api.names("alice", f"/ports?fixed_ips=ip_address_substr={part}&sort_key=name") == names


def test_wishes_that_nova_reads(api: Api, network: Object) -> None:
    wishes = {"numa_affinity_policy": "socket", "device_profile": "fast"}
    port = api.make("admin", "port", network_id=network["id"], **wishes)
    assert port.items() >= wishes.items()
    changed = api("admin", "PUT", f"/ports/{port['id']}", {"port": {"numa_affinity_policy": None}})
    assert changed.json()["port"]["numa_affinity_policy"] is None
    body = {"port": {"network_id": network["id"], "numa_affinity_policy": "near"}}
    assert refused(api("admin", "POST", "/ports", body)) == (400, "HTTPBadRequest")
    assert api.get("alice", f"/ports/{port['id']}")["port"]["device_profile"] == "fast"
