"""Subnets that are for ports of some kinds alone: who gets an address of which, as Neutron gives them."""

from typing import Any

import pytest

from netweft.store import Object

from ..conftest import Api, refused

NOVA = "compute:nova"


def subnet(api: Api, network: Object, number: int, **values: Any) -> Object:
    return api.make("alice", "subnet", network_id=network["id"], ip_version=4, cidr=f"10.0.{number}.0/24", **values)


@pytest.fixture
def network(api: Api) -> Object:
    """10.0.0.0/24 is for all ports, 10.0.1.0/24 for Nova's."""
    network = api.network()
    assert subnet(api, network, 0)["service_types"] == []
    assert subnet(api, network, 1, service_types=[NOVA, NOVA])["service_types"] == [NOVA], "each once"
    return network


def net_of(port: Object) -> str:
    address: str = port["fixed_ips"][0]["ip_address"]
    return address.rpartition(".")[0]


def test_a_port_has_an_address_of_a_subnet_for_its_owner_first(api: Api, network: Object) -> None:
    owners = [NOVA, "", "compute:other"]
    made = api.make_many("alice", "port", [{"network_id": network["id"], "device_owner": owner} for owner in owners])
    assert [net_of(port) for port in made] == ["10.0.1", "10.0.0", "10.0.0"]


def test_a_subnet_for_others_is_refused(api: Api, network: Object) -> None:
    only = subnet(api, api.network(), 2, service_types=[NOVA])
    answer = api("alice", "POST", "/ports", {"port": {"network_id": only["network_id"]}})
    assert refused(answer) == (409, "IpAddressGenerationFailureNoMatchingSubnet")
    assert "No valid service subnet for the given device owner" in answer.json()["NeutronError"]["message"]
    unaddressed = api.make("alice", "port", network_id=only["network_id"], fixed_ips=[])
    assert unaddressed["fixed_ips"] == []
    (vms,) = (one for one in api.get("alice", "/subnets")["subnets"] if one["cidr"] == "10.0.1.0/24")
    for wanted in ({"subnet_id": vms["id"]}, {"subnet_id": vms["id"], "ip_address": "10.0.1.9"}):
        answer = api("alice", "POST", "/ports", {"port": {"network_id": network["id"], "fixed_ips": [wanted]}})
        assert refused(answer) == (400, "InvalidInput")
    by_address = {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.1.9"}]}
    assert refused(api("alice", "POST", "/ports", {"port": by_address})) == (400, "InvalidIpForNetwork")


def test_what_a_port_has_stays_when_the_subnet_is_for_others(api: Api) -> None:
    own = subnet(api, api.network(), 3)
    port = api.make("alice", "port", network_id=own["network_id"])
    changed = {"subnet": {"service_types": [NOVA]}}
    assert api("alice", "PUT", f"/subnets/{own['id']}", changed).json()["subnet"]["service_types"] == [NOVA]
    kept = {"port": {"fixed_ips": port["fixed_ips"]}}
    assert api("alice", "PUT", f"/ports/{port['id']}", kept).status_code == 200
    more = {"port": {"fixed_ips": [*port["fixed_ips"], {"subnet_id": own["id"]}]}}
    answer = api("alice", "PUT", f"/ports/{port['id']}", more)
    assert refused(answer) == (409, "IpAddressGenerationFailureNoMatchingSubnet")


def test_addresses_out_of_macs_come_to_its_owners_alone(api: Api) -> None:
    network = api.network()
    owners = ["", NOVA]
    made = api.make_many("alice", "port", [{"network_id": network["id"], "device_owner": owner} for owner in owners])
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    values = {"network_id": network["id"], "ip_version": 6, "cidr": "fd00::/64", "service_types": [NOVA]}
    api.make("alice", "subnet", **values, **modes)
    now = [api.get("alice", f"/ports/{port['id']}")["port"]["fixed_ips"] for port in made]
    assert [len(fixed_ips) for fixed_ips in now] == [0, 1]


def test_a_router_has_its_gateway_where_gateways_may_be(api: Api) -> None:
    outside = api.make("admin", "network", **{"router:external": True})
    wire = {"network_id": outside["id"], "ip_version": 4}
    api.make("admin", "subnet", **wire, cidr="203.0.113.0/24", service_types=["network:floatingip"])
    api.make("admin", "subnet", **wire, cidr="10.9.0.0/24", service_types=["network:router_gateway"])
    info = {"network_id": outside["id"]}
    router = api.make("alice", "router", external_gateway_info=info)
    (fixed,) = router["external_gateway_info"]["external_fixed_ips"]
    assert fixed["ip_address"].startswith("10.9.0.")
    floating = api.make("alice", "floatingip", floating_network_id=outside["id"])
    assert floating["floating_ip_address"].startswith("203.0.113.")
    api.make("admin", "subnet", network_id=outside["id"], ip_version=6, cidr="2001:db8::/64", service_types=[NOVA])
    info = api.get("alice", f"/routers/{router['id']}")["router"]["external_gateway_info"]
    assert [fixed] == info["external_fixed_ips"], "a new subnet for others changes nothing"


@pytest.mark.parametrize(
    ("types", "error"),
    [
        ("compute:nova", "HTTPBadRequest"),
        ([5], "InvalidInputSubnetServiceType"),
        (["magic"], "InvalidSubnetServiceType"),
        ([""], "InvalidSubnetServiceType"),
        (["compute:" + "x" * 255], "InvalidSubnetServiceType"),
    ],
)
def test_what_is_no_service_type(api: Api, network: Object, types: Any, error: str) -> None:
    wanted = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.9.0/24", "service_types": types}
    assert refused(api("alice", "POST", "/subnets", {"subnet": wanted})) == (400, error)
