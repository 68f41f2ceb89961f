"""Addresses, MACs, security and binding of ports."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.control.errors import (
    AddressPairAndPortSecurityRequired,
    AllocationOnAutoAddressSubnet,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    MacAddressGenerationFailure,
    MacAddressInUse,
    NetworkNotFound,
    PortBound,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
    Refused,
    SecurityGroupNotFound,
    SubnetNotFound,
)
from netweft.control.ipam import addresses
from netweft.store import Object

from ..conftest import PORT, Cloud, MakeCloud


def ips(port: Object) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


def test_one_address_of_each_version(cloud: Cloud) -> None:
    network = cloud.network()
    for cidr in ("10.0.0.0/24", "10.0.1.0/24", "fd00::/64"):
        cloud.subnet(network, cidr)
    assert ips(cloud.port(network)) == ["10.0.0.2", "fd00::2"]


def test_no_subnet_no_address(cloud: Cloud) -> None:
    assert cloud.port(cloud.network())["fixed_ips"] == []
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/24")
    assert cloud.port(network, fixed_ips=[])["fixed_ips"] == []


def test_a_full_subnet_and_then_the_next(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/30")
    assert ips(cloud.port(network)) == ["10.0.0.2"]
    with pytest.raises(IpAddressGenerationFailure):
        cloud.port(network)
    cloud.subnet(network, "10.0.1.0/30")
    assert ips(cloud.port(network)) == ["10.0.1.2"]


def test_requested_addresses(cloud: Cloud) -> None:
    network = cloud.network()
    one, two = cloud.subnet(network, "10.0.0.0/24"), cloud.subnet(network, "10.0.1.0/24")
    wanted = [{"ip_address": "10.0.1.9"}, {"subnet_id": one["id"]}, {"subnet_id": two["id"], "ip_address": "10.0.1.1"}]
    port = cloud.port(network, fixed_ips=wanted)
    assert sorted(ips(port)) == ["10.0.0.2", "10.0.1.1", "10.0.1.9"]
    assert {fixed["subnet_id"] for fixed in port["fixed_ips"]} == {one["id"], two["id"]}


@pytest.mark.parametrize(
    ("fixed_ip", "refusal"),
    [
        ({"ip_address": "10.0.0.2"}, IpAddressAlreadyAllocated),
        ({"ip_address": "10.9.0.1"}, InvalidIpForNetwork),
        ({"ip_address": "10.0.0.255"}, InvalidIpForNetwork),
        ({"ip_address": "10.9.0.1", "subnet_id": "v4"}, InvalidIpForSubnet),
        ({"ip_address": "10.0.0.0", "subnet_id": "v4"}, InvalidIpForSubnet),
        ({"subnet_id": "elsewhere"}, SubnetNotFound),
        ({"ip_address": "fd00::5"}, AllocationOnAutoAddressSubnet),
    ],
)
def test_addresses_that_cannot_be_had(cloud: Cloud, fixed_ip: dict[str, str], refusal: type[Refused]) -> None:
    network, other = cloud.network(), cloud.network()
    subnets = {
        "v4": cloud.subnet(network, "10.0.0.0/24")["id"],
        "elsewhere": cloud.subnet(other, "10.0.0.0/24")["id"],
    }
    cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    cloud.port(network)
    wanted = {name: subnets.get(value, value) for name, value in fixed_ip.items()}
    with pytest.raises(refusal):
        cloud.port(network, fixed_ips=[wanted])


@pytest.mark.parametrize(
    ("modes", "automatic"),
    [
        ((None, None), False),
        (("slaac", None), True),
        ((None, "slaac"), True),
        (("slaac", "slaac"), True),
        (("dhcpv6-stateless", None), True),
        ((None, "dhcpv6-stateless"), True),
        (("dhcpv6-stateless", "dhcpv6-stateless"), True),
        (("dhcpv6-stateful", None), False),
        ((None, "dhcpv6-stateful"), False),
        (("dhcpv6-stateful", "dhcpv6-stateful"), False),
    ],
)
def test_who_forms_its_address_by_itself_has_that_one(
    cloud: Cloud, modes: tuple[str | None, str | None], automatic: bool
) -> None:
    """The router tells so (A) by its mode, whoever else is to say more: another address would be dropped."""
    network = cloud.network()
    ra, address = modes
    cloud.subnet(network, "fd00::/64", ipv6_ra_mode=ra, ipv6_address_mode=address)
    port = cloud.port(network, mac_address="fa:16:3e:00:00:05")
    (fixed,) = port["fixed_ips"]
    assert (fixed["ip_address"] == "fd00::f816:3eff:fe00:5") is automatic


def test_slaac_addresses_come_by_themselves_early_and_late(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/24")
    early = cloud.port(network)
    subnet = cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    late = cloud.port(network)
    for port in (cloud.get("ports", early), late):
        assert ips(port)[1] == addresses.eui64("fd00::/64", port["mac_address"])
    cloud.delete("subnets", subnet)
    assert ips(cloud.get("ports", late)) == ["10.0.0.3"]


def test_a_bulk_is_all_or_nothing_and_allocates_around_requested_ones(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/29")
    wanted: list[Object] = [PORT | {"network_id": network["id"]} for _ in range(3)]
    wanted[2]["fixed_ips"] = [{"ip_address": "10.0.0.3"}]
    with cloud.store.write() as tx:
        assert [ips(port) for port in cloud.ports.create(tx, wanted)] == [["10.0.0.2"], ["10.0.0.4"], ["10.0.0.3"]]
    with pytest.raises(IpAddressGenerationFailure), cloud.store.write() as tx:
        cloud.ports.create(tx, wanted[:2] * 2)
    assert ips(cloud.port(network)) == ["10.0.0.5"]


def test_macs_are_unique_within_a_network(cloud: Cloud) -> None:
    network = cloud.network()
    port = cloud.port(network, mac_address="fa:16:3e:00:00:01")
    with pytest.raises(MacAddressInUse):
        cloud.port(network, mac_address="fa:16:3e:00:00:01")
    cloud.port(cloud.network(), mac_address="fa:16:3e:00:00:01")
    cloud.delete("ports", port)
    cloud.port(network, mac_address="fa:16:3e:00:00:01")


def test_a_mac_that_is_taken_is_not_made(make_cloud: MakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = make_cloud(mac_prefix="fa:16:3e:00:00")
    network = cloud.network()
    bytes_to_come = iter([b"\x01", b"\x01", b"\x01", b"\x02"])
    monkeypatch.setattr("secrets.token_bytes", lambda count: next(bytes_to_come))
    assert [cloud.port(network)["mac_address"][-2:] for _ in range(2)] == ["01", "02"]


def test_a_bulk_draws_no_mac_twice(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(mac_prefix="fa:16:3e:00:00")
    network = cloud.network()
    asked = PORT | {"network_id": network["id"], "mac_address": "fa:16:3e:00:00:07"}
    with cloud.store.write() as tx:
        made = cloud.ports.create(tx, [PORT | {"network_id": network["id"]} for _ in range(80)] + [asked])
    assert len({port["mac_address"] for port in made}) == 81


def test_the_default_group_unless_set_otherwise(cloud: Cloud) -> None:
    network, open_network = cloud.network(), cloud.network(port_security_enabled=False)
    (default,) = cloud.port(network)["security_groups"]
    assert cloud.port(network)["security_groups"] == [default]
    assert cloud.port(network, project_id="other")["security_groups"] != [default]
    assert cloud.port(network, security_groups=[])["security_groups"] == []
    assert cloud.port(open_network)["security_groups"] == []
    assert cloud.port(network, device_owner="network:dhcp")["security_groups"] == []


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"security_groups": ["nowhere"]}, SecurityGroupNotFound),
        ({"network_id": "nowhere"}, NetworkNotFound),
        (
            {"port_security_enabled": False, "allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
            AddressPairAndPortSecurityRequired,
        ),
    ],
)
def test_ports_that_cannot_be(cloud: Cloud, values: Any, refusal: type[Refused]) -> None:
    with pytest.raises(refusal):
        cloud.port(cloud.network(), **values)


def test_groups_of_other_projects_are_not_there(cloud: Cloud) -> None:
    network = cloud.network()
    foreign = cloud.port(network, project_id="other")["security_groups"]
    with pytest.raises(SecurityGroupNotFound):
        cloud.port(network, security_groups=foreign)


def test_port_security_and_groups_go_together(cloud: Cloud) -> None:
    port = cloud.port(cloud.network())
    with pytest.raises(PortSecurityPortHasSecurityGroup):
        cloud.update("ports", port, port_security_enabled=False)
    without = cloud.update("ports", port, port_security_enabled=False, security_groups=[])
    with pytest.raises(PortSecurityAndIPRequiredForSecurityGroups):
        cloud.update("ports", without, security_groups=port["security_groups"])


def test_pairs_without_a_mac_have_the_ports(cloud: Cloud) -> None:
    port = cloud.port(cloud.network(), allowed_address_pairs=[{"ip_address": "10.0.0.0/24"}])
    assert port["allowed_address_pairs"] == [{"ip_address": "10.0.0.0/24", "mac_address": port["mac_address"]}]


def test_changing_addresses_keeps_those_that_stay(cloud: Cloud) -> None:
    network = cloud.network()
    subnet = cloud.subnet(network, "10.0.0.0/24")
    port = cloud.port(network)
    wanted = [{"subnet_id": subnet["id"]}, {"ip_address": "10.0.0.77"}]
    port = cloud.update("ports", port, fixed_ips=wanted)
    assert ips(port) == ["10.0.0.2", "10.0.0.77"]
    port = cloud.update("ports", port, fixed_ips=[{"ip_address": "10.0.0.77"}])
    assert ips(port) == ["10.0.0.77"]
    assert ips(cloud.port(network)) == ["10.0.0.2"]
    with pytest.raises(IpAddressAlreadyAllocated):
        cloud.update("ports", port, fixed_ips=[{"ip_address": "10.0.0.2"}])


def test_a_new_mac_makes_a_new_slaac_address(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    port = cloud.update("ports", cloud.port(network), mac_address="fa:16:3e:aa:bb:cc")
    assert ips(port) == ["fd00::f816:3eff:feaa:bbcc"]
    with pytest.raises(MacAddressInUse):
        cloud.port(network, mac_address="fa:16:3e:aa:bb:cc")


def test_a_bound_port_keeps_its_mac(cloud: Cloud) -> None:
    port = cloud.port(cloud.network(), **{"binding:host_id": "hv1"})
    assert port["binding:vif_type"] == "binding_failed"
    with pytest.raises(PortBound):
        cloud.update("ports", port, mac_address="fa:16:3e:aa:bb:cc")
    assert cloud.update("ports", port, **{"binding:host_id": None})["binding:vif_type"] == "unbound"


def test_no_address_twice_when_many_ask_at_once(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/26")

    def make(_: int) -> str:
        try:
            return ips(cloud.port(network))[0]
        except IpAddressGenerationFailure:
            return "none"

    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(make, range(70)))
    assert len(set(got) - {"none"}) == 61
    assert got.count("none") == 9


STEPS = st.lists(
    st.one_of(st.none(), st.integers(0, 15), st.sampled_from(["delete first", "delete last"])), max_size=30
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
def test_any_order_of_create_and_delete(cloud: Cloud, steps: list[Any]) -> None:
    """Nobody holds what somebody else holds, what is free can be had, and what cannot be had is refused."""
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/28")
    pool = {f"10.0.0.{n}" for n in range(2, 15)}
    held: dict[str, Object] = {}
    for step in steps:
        if isinstance(step, str):
            if held:
                address = list(held)[0 if step == "delete first" else -1]
                cloud.delete("ports", held.pop(address))
            continue
        wanted = {} if step is None else {"fixed_ips": [{"ip_address": f"10.0.0.{step}"}]}
        try:
            port = cloud.port(network, **wanted)
        except Refused:
            possible = pool if step is None else {f"10.0.0.{step}"} & (pool | {"10.0.0.1"})
            assert not possible - held.keys()
        else:
            (address,) = ips(port)
            assert address not in held
            held[address] = port
    for port in held.values():
        cloud.delete("ports", port)
    assert len([cloud.port(network) for _ in pool]) == len(pool)


def test_a_full_subnet_is_no_slower_than_an_empty_one(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/16")
    many = [PORT | {"network_id": network["id"], "security_groups": []} for _ in range(500)]

    def seconds() -> float:
        best = 1.0
        for _ in range(5):
            start = time.process_time()
            cloud.port(network)
            best = min(best, time.process_time() - start)
        return best

    empty = seconds()
    for _ in range(8):
        with cloud.store.write() as tx:
            cloud.ports.create(tx, many)
    assert seconds() < 3 * empty + 0.002


def test_macs_run_out(make_cloud: MakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = make_cloud()
    network, other = cloud.network(), cloud.network()
    monkeypatch.setattr(cloud.ports, "_random_mac", lambda: "fa:16:3e:00:00:01")
    cloud.port(network)
    with pytest.raises(MacAddressGenerationFailure, match=network["id"]):
        cloud.port(network)
    cloud.port(other)
