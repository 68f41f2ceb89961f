"""The stock client on several gateways of a router: each option that names them, repeated, ECMP and BFD."""

from typing import Any

import pytest
from tests.api.process.client import stock_client, stock_client_tried
from tests.api.process.conftest import Server

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]
SHOW = "router show -f json r"


@pytest.fixture(scope="module")
def networks(running: Server) -> dict[str, str]:
    """Two outside, their ids by name; `one` has two subnets."""
    made = stock_client(
        running.openrc(),
        "network create -f json --external one",
        "network create -f json --external two",
        "subnet create -f json --network one --subnet-range 192.0.2.0/24 one4",
        "subnet create -f json --network one --subnet-range 2001:db8:1::/64 --ip-version 6 one6",
        "subnet create -f json --network two --subnet-range 198.51.100.0/24 two4",
    )
    return {network["name"]: network["id"] for network in made[:2]}


def gateways(router: dict[str, Any], networks: dict[str, str]) -> list[str]:
    """Their networks; the first is what `external_gateway_info` says."""
    names = {id: name for name, id in networks.items()}
    found = [names[one["network_id"]] for one in router["external_gateways"]]
    info = router["external_gateway_info"]
    assert names.get(info["network_id"] if info else "") == (found[0] if found else None)
    return found


def addresses(router: dict[str, Any], place: int) -> set[str]:
    return {one["ip_address"] for one in router["external_gateways"][place]["external_fixed_ips"]}


def test_made_with_several_and_set(running: Server, networks: dict[str, str]) -> None:
    made, both, with_ecmp, swapped, fewer, twice, none = stock_client(
        running.openrc(),
        "router create -f json r --external-gateway one --external-gateway two --fixed-ip ip-address=192.0.2.9",
        SHOW,
        "router set r --enable-default-route-ecmp --enable-default-route-bfd",
        SHOW,
        "router set r --external-gateway two --external-gateway one --fixed-ip subnet=one4,ip-address=192.0.2.7",
        SHOW,
        "router set r --external-gateway two --disable-default-route-ecmp --disable-default-route-bfd",
        SHOW,
        "router set r --external-gateway one --external-gateway one --disable-snat",
        SHOW,
        "router unset --external-gateway r",
        "router unset --external-gateway r",
        SHOW,
        "router delete r",
    )
    assert made["name"] == "r"
    assert gateways(both, networks) == ["one", "two"]
    assert addresses(both, 0) == {"192.0.2.9"}
    for name in ("enable_default_route_ecmp", "enable_default_route_bfd"):
        assert [each[name] for each in (both, with_ecmp, fewer)] == [False, True, False]
    assert gateways(swapped, networks) == ["two", "one"]
    assert addresses(swapped, 1) == {"192.0.2.7"}
    assert gateways(fewer, networks) == ["two"]
    assert gateways(twice, networks) == ["one", "one"]
    assert twice["external_gateway_info"]["enable_snat"] is False
    assert gateways(none, networks) == []


def test_added_and_removed(running: Server, networks: dict[str, str]) -> None:
    admin = running.openrc()
    _, one, two, three, fewer, left = stock_client(
        admin,
        "router create -f json r",
        "router add gateway -f json r one",
        "router add gateway -f json r two",
        "router add gateway -f json r one --fixed-ip ip-address=192.0.2.77",
        "router remove gateway -f json r one --fixed-ip ip-address=192.0.2.77",
        "router remove gateway -f json r one",
    )
    assert [gateways(each, networks) for each in (one, two)] == [["one"], ["one", "two"]]
    assert gateways(three, networks) == ["one", "two", "one"]
    assert "192.0.2.77" in addresses(three, 2)
    assert gateways(fewer, networks) == ["one", "two"]
    assert gateways(left, networks) == ["two"]
    answers, said = stock_client_tried(
        admin,
        "router remove gateway r one",
        "router add gateway r nothing",
        "router set r --external-gateway one --fixed-ip subnet=two4",
        "router add gateway r two --fixed-ip ip-address=203.0.113.1",
        "router delete r",
    )
    assert answers == []
    for problem in (
        "could not match a gateway port",
        "No Network found for nothing",
        "does not belong to any of the networks",
        "203.0.113.1",
    ):
        assert problem in said


def test_routes_are_unset_and_gateways_stay(running: Server, networks: dict[str, str]) -> None:
    """The client sends an empty object as the list of gateways to be removed, whatever it unsets."""
    _, left = stock_client(
        running.openrc(),
        "router create -f json r --external-gateway one --external-gateway two",
        "router set r --route destination=203.0.113.0/24,gateway=192.0.2.200",
        "router unset r --route destination=203.0.113.0/24,gateway=192.0.2.200",
        SHOW,
        "router delete r",
    )
    assert (left["routes"], gateways(left, networks)) == ([], ["one", "two"])
