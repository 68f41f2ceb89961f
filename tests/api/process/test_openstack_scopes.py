"""The stock `openstack` command: address scopes, flavors, QoS of floating IPs and gateways."""

import pytest
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server

pytestmark = pytest.mark.client
JSON = "-f json"


def test_address_scopes(running: Server) -> None:
    scope, pool, *_ = stock_client(
        running.openrc(),
        f"address scope create {JSON} --ip-version 4 blue",
        f"subnet pool create {JSON} --address-scope blue --pool-prefix 10.77.0.0/16 --default-prefix-length 24 pool",
        f"network create {JSON} scoped",
        f"subnet create {JSON} --network scoped --subnet-pool pool scoped",
    )
    assert (scope["ip_version"], pool["address_scope_id"]) == (4, scope["id"])
    network, listed, renamed, entry = stock_client(
        running.openrc(),
        f"network show {JSON} scoped",
        f"address scope list {JSON}",
        "address scope set --name green blue",
        f"address scope show {JSON} green",
        f"network rbac create {JSON} --type address_scope --action access_as_shared --target-all-projects green",
    )
    assert (network["ipv4_address_scope"], network["ipv6_address_scope"]) == (scope["id"], None)
    assert [(one["Name"], one["IP Version"], one["Shared"]) for one in listed] == [("blue", 4, False)]
    assert (renamed["name"], entry["object_type"]) == ("green", "address_scope")


def test_flavors(running: Server) -> None:
    profile, flavor = stock_client(
        running.openrc(),
        f"network flavor profile create {JSON} --driver netweft",
        f"network flavor create {JSON} --service-type L3_ROUTER_NAT gold",
    )
    shown, providers, router = stock_client(
        running.openrc(),
        f"network flavor add profile gold {profile['id']}",
        f"network flavor show {JSON} gold",
        f"network service provider list {JSON}",
        f"router create {JSON} --flavor-id {flavor['id']} golden",
    )
    assert shown["service_profile_ids"] == [profile["id"]]
    assert [one["Name"] for one in providers] == ["netweft"]
    assert router["flavor_id"] == flavor["id"]


def test_limits_outside(running: Server) -> None:
    _, _, _, floating, router = stock_client(
        running.openrc(),
        f"network qos policy create {JSON} slow",
        f"network create {JSON} --external public",
        f"subnet create {JSON} --network public --subnet-range 192.0.2.0/24 public",
        f"floating ip create {JSON} --qos-policy slow public",
        f"router create {JSON} --external-gateway public --qos-policy slow limited",
    )
    (policy,) = stock_client(running.openrc(), f"network qos policy show {JSON} slow")
    assert floating["qos_policy_id"] == policy["id"]
    assert router["external_gateway_info"]["qos_policy_id"] == policy["id"]
