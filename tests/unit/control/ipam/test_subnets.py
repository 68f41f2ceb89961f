"""Prefix, gateway, pools and modes of a subnet."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.control.errors import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    InvalidInput,
    NetworkNotFound,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
    Refused,
    SubnetInUse,
    SubnetPoolRequired,
)
from netweft.control.ipam import addresses

from ..conftest import Cloud


def pool(start: str, end: str) -> dict[str, str]:
    return {"start": start, "end": end}


@pytest.mark.parametrize(
    ("cidr", "values", "gateway", "pools"),
    [
        ("10.0.0.0/24", {}, "10.0.0.1", [pool("10.0.0.2", "10.0.0.254")]),
        ("10.0.0.0/24", {"gateway_ip": None}, None, [pool("10.0.0.1", "10.0.0.254")]),
        ("10.0.0.0/24", {"gateway_ip": "10.0.0.254"}, "10.0.0.254", [pool("10.0.0.1", "10.0.0.253")]),
        (
            "10.0.0.0/24",
            {"gateway_ip": "10.0.0.9"},
            "10.0.0.9",
            [pool("10.0.0.1", "10.0.0.8"), pool("10.0.0.10", "10.0.0.254")],
        ),
        ("10.0.0.0/24", {"gateway_ip": "192.0.2.1"}, "192.0.2.1", [pool("10.0.0.1", "10.0.0.254")]),
        ("10.0.0.0/31", {"enable_dhcp": False}, None, [pool("10.0.0.0", "10.0.0.1")]),
        ("10.0.0.5/32", {"enable_dhcp": False}, None, [pool("10.0.0.5", "10.0.0.5")]),
        ("fd00::/64", {}, "fd00::1", [pool("fd00::2", "fd00::ffff:ffff:ffff:ffff")]),
    ],
)
def test_what_is_filled_in(cloud: Cloud, cidr: str, values: Any, gateway: str | None, pools: Any) -> None:
    network = cloud.network()
    subnet = cloud.subnet(network, cidr, **values)
    assert (subnet["gateway_ip"], subnet["allocation_pools"]) == (gateway, pools)
    after = cloud.get("networks", network)
    assert after["subnets"] == [subnet["id"]]
    assert after["revision_number"] == 2


@pytest.mark.parametrize(
    ("cidr", "values", "refusal"),
    [
        ("10.0.0.0/24", {"cidr": None}, SubnetPoolRequired),
        ("10.0.0.0/24", {"ip_version": 6}, InvalidInput),
        ("0.0.0.0/0", {}, InvalidInput),
        ("10.0.0.0/24", {"gateway_ip": "10.0.0.255"}, InvalidInput),
        ("10.0.0.0/24", {"gateway_ip": "10.0.0.0"}, InvalidInput),
        ("10.0.0.0/24", {"gateway_ip": "fd00::1"}, InvalidInput),
        ("10.0.0.0/24", {"dns_nameservers": ["fd00::1"]}, InvalidInput),
        ("10.0.0.0/24", {"host_routes": [{"destination": "10.1.0.0/16", "nexthop": "fd00::1"}]}, InvalidInput),
        ("10.0.0.0/24", {"ipv6_ra_mode": "slaac"}, InvalidInput),
        ("fd00::/64", {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}, InvalidInput),
        ("fd00::/64", {"ipv6_ra_mode": "slaac", "enable_dhcp": False}, InvalidInput),
        ("fd00::/80", {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}, InvalidInput),
        ("10.0.0.0/24", {"allocation_pools": [pool("10.0.0.9", "10.0.0.8")]}, InvalidAllocationPool),
        ("10.0.0.0/24", {"allocation_pools": [pool("10.0.0.9", "fd00::1")]}, InvalidAllocationPool),
        ("10.0.0.0/24", {"allocation_pools": [pool("10.0.0.9", "10.0.1.8")]}, OutOfBoundsAllocationPool),
        ("10.0.0.0/24", {"allocation_pools": [pool("10.0.0.9", "10.0.0.255")]}, OutOfBoundsAllocationPool),
        ("10.0.0.0/24", {"allocation_pools": [pool("10.0.0.1", "10.0.0.8")]}, GatewayConflictWithAllocationPools),
        (
            "10.0.0.0/24",
            {"allocation_pools": [pool("10.0.0.7", "10.0.0.9"), pool("10.0.0.2", "10.0.0.7")]},
            OverlappingAllocationPools,
        ),
    ],
)
def test_what_cannot_be(cloud: Cloud, cidr: str, values: Any, refusal: type[Refused]) -> None:
    network = cloud.network()
    with pytest.raises(refusal):
        cloud.subnet(network, cidr, **values)
    assert cloud.get("networks", network)["subnets"] == []


def test_no_network_no_subnet(cloud: Cloud) -> None:
    with pytest.raises(NetworkNotFound):
        cloud.subnet({"id": "nowhere"}, "10.0.0.0/24")


@pytest.mark.parametrize("other", ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/8"])
def test_subnets_of_a_network_do_not_overlap(cloud: Cloud, other: str) -> None:
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/24")
    with pytest.raises(InvalidInput, match="overlaps"):
        cloud.subnet(network, other)
    cloud.subnet(network, "10.0.1.0/24")
    cloud.subnet(cloud.network(), other)


def test_pools_can_change_around_what_is_taken(cloud: Cloud) -> None:
    network = cloud.network()
    subnet = cloud.subnet(network, "10.0.0.0/29")
    taken = cloud.port(network)["fixed_ips"][0]["ip_address"]
    assert taken == "10.0.0.2"
    cloud.update("subnets", subnet, allocation_pools=[pool("10.0.0.2", "10.0.0.3")])
    assert cloud.port(network)["fixed_ips"][0]["ip_address"] == "10.0.0.3"
    with pytest.raises(GatewayConflictWithAllocationPools):
        cloud.update("subnets", subnet, gateway_ip="10.0.0.2")


def test_a_subnet_in_use_stays(cloud: Cloud) -> None:
    network = cloud.network()
    subnet = cloud.subnet(network, "10.0.0.0/24")
    port = cloud.port(network)
    with pytest.raises(SubnetInUse):
        cloud.delete("subnets", subnet)
    cloud.delete("ports", port)
    cloud.delete("subnets", subnet)
    assert cloud.get("networks", network)["subnets"] == []


NETWORKS = st.one_of(
    st.builds(
        lambda address, length: ipaddress.ip_network((address, length), strict=False),
        st.ip_addresses(v=4),
        st.integers(1, 32),
    ),
    st.builds(
        lambda address, length: ipaddress.ip_network((address, length), strict=False),
        st.ip_addresses(v=6),
        st.integers(1, 128),
    ),
)


@given(NETWORKS)
def test_default_pools_are_valid_and_hold_all_but_the_gateway(network: addresses.IpNetwork) -> None:
    gateway = addresses.default_gateway(network)
    pools = addresses.default_pools(network, gateway)
    addresses.check_pools(network, pools, gateway)
    size = sum(last - first + 1 for first, last in addresses.ranges_of(pools))
    reserved = 0 if network.num_addresses <= 2 else 2 if network.version == 4 else 1
    assert size == network.num_addresses - reserved - (gateway is not None)


@given(st.binary(min_size=6, max_size=6))
def test_eui64_keeps_the_mac(mac: bytes) -> None:
    address = addresses.number(addresses.eui64("fd00:1:2:3::/64", mac.hex(":")))
    interface = (address & (2**64 - 1)).to_bytes(8, "big")
    assert interface[:1] + interface[1:3] + interface[5:] == bytes([mac[0] ^ 2]) + mac[1:3] + mac[3:]
    assert interface[3:5] == b"\xff\xfe"
