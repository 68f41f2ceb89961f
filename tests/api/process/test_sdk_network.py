"""openstacksdk and the openstack command against the Networking API of the real server."""

from typing import Any

import pytest
from openstack import exceptions
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server

# the SDK warns of what it will itself remove
pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_networks_subnets_and_ports(sdk: Any) -> None:
    network = sdk.create_network(name="blue")
    assert (network.mtu, network.provider_network_type, network.is_shared) == (1450, "vxlan", False)
    subnet = sdk.create_subnet(network_id=network.id, ip_version=4, cidr="10.5.5.0/24", name="s4")
    six = sdk.create_subnet(
        network_id=network.id, ip_version=6, cidr="fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac"
    )
    assert sorted(sdk.get_network(network.id).subnet_ids) == sorted([subnet.id, six.id])
    port = sdk.create_port(network_id=network.id, name="p", allowed_address_pairs=[{"ip_address": "10.5.5.77"}])
    assert port.fixed_ips[0]["ip_address"] == "10.5.5.2"
    assert (port.status, port.binding_vif_type) == ("DOWN", "unbound")
    many = list(sdk.create_ports([{"network_id": network.id, "name": f"b{n}"} for n in range(5)]))
    assert sdk.find_port("b3").id == many[3].id
    assert sorted(each.name for each in sdk.ports(network_id=network.id, limit=2)) == [
        "b0",
        "b1",
        "b2",
        "b3",
        "b4",
        "p",
    ]
    assert [each.name for each in sdk.ports(network_id=network.id, fixed_ips="ip_address=10.5.5.2")] == ["p"]
    assert sdk.find_network("nowhere") is None
    with pytest.raises(exceptions.ConflictException, match="in use"):
        sdk.delete_network(network)
    for each in (port, *many):
        sdk.delete_port(each)
    sdk.delete_network(network)
    assert not {subnet.id, six.id} & {each.id for each in sdk.subnets()}


def test_tags_and_changes_under_a_condition(sdk: Any) -> None:
    network = sdk.create_network(name="red")
    assert sdk.set_tags(network, ["a", "b"]).tags == ["a", "b"]
    assert [each.id for each in sdk.networks(tags="a,b")] == [network.id]
    revision = sdk.get_network(network.id).revision_number
    assert sdk.update_network(network.id, description="one", if_revision=revision).description == "one"
    with pytest.raises(exceptions.PreconditionFailedException):
        sdk.update_network(network.id, description="two", if_revision=revision)
    sdk.delete_network(network.id)


def test_security_groups(sdk: Any) -> None:
    group = sdk.create_security_group(name="web", description="d")
    rule = sdk.create_security_group_rule(
        security_group_id=group.id,
        direction="ingress",
        ether_type="IPv4",
        protocol="tcp",
        port_range_min=80,
        port_range_max=80,
    )
    assert len(sdk.get_security_group(group.id).security_group_rules) == 3
    assert [each.id for each in sdk.security_group_rules(security_group_id=group.id, protocol="tcp")] == [rule.id]
    sdk.delete_security_group(group)
    assert [each.name for each in sdk.security_groups()] == ["default"]


def test_quotas_and_extensions(sdk: Any) -> None:
    assert sdk.update_quota("somebody", networks=5).networks == 5
    assert sdk.get_quota("somebody", details=True).networks == {"limit": 5, "used": 0, "reserved": 0}
    sdk.delete_quota("somebody")
    assert sdk.get_quota("somebody").networks == 100
    assert sdk.find_extension("quotas").name == "Quota management support"
    assert list(sdk.agents()) == []


def test_the_openstack_command(running: Server) -> None:
    network, _, port, listed = stock_client(
        running.openrc(),
        "network create --mtu 1400 --tag t green -f json",
        "subnet create --network green --subnet-range 10.7.0.0/24"
        " --allocation-pool start=10.7.0.10,end=10.7.0.20 g4 -f json",
        "port create --network green --fixed-ip ip-address=10.7.0.15 --host hv1 p -f json",
        "port set --name q --no-security-group --disable-port-security p",
        "port list --network green -f json",
        "port delete q",
        "network delete green",
    )
    assert (network["mtu"], network["tags"]) == (1400, ["t"])
    assert (port["fixed_ips"][0]["ip_address"], port["binding_vif_type"]) == ("10.7.0.15", "binding_failed")
    assert [each["Name"] for each in listed] == ["q"]


def test_the_openstack_command_of_operators(running: Server) -> None:
    network, quota, _, _, found, availability, pool, _, cut = stock_client(
        running.openrc(),
        "network create amber -f json",
        "quota set --networks 50 admin",
        "quota show --network -f json",
        "subnet create --network amber --subnet-range 10.8.0.0/24"
        " --allocation-pool start=10.8.0.10,end=10.8.0.20 a4 -f json",
        "port create --network amber --numa-policy-preferred a -f json",
        "port list --fixed-ip ip-substring=8.0.10 -f json",
        "ip availability show amber -f json",
        "subnet pool create --pool-prefix 10.64.0.0/12 --default-prefix-length 26 pool -f json",
        "network create topaz -f json",
        "subnet create --network topaz --subnet-pool pool t4 -f json",
        "subnet pool set --pool-prefix 10.128.0.0/12 --default pool",
    )
    assert (pool["prefixes"], pool["default_prefixlen"]) == (["10.64.0.0/12"], 26)
    assert (cut["cidr"], cut["subnetpool_id"]) == ("10.64.0.0/26", pool["id"])
    assert {each["Resource"]: each["Limit"] for each in quota}["networks"] == 50
    assert [each["Name"] for each in found] == ["a"]
    assert (availability["network_id"], availability["total_ips"], availability["used_ips"]) == (network["id"], 11, 1)


def test_sharing(sdk: Any) -> None:
    network = sdk.create_network(name="jade", is_shared=True)
    subnet = sdk.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.0.7/24", name="j4")
    assert (network.is_shared, subnet.cidr) == (True, "10.9.0.0/24")
    (entry,) = sdk.rbac_policies(object_id=network.id)
    assert (entry.object_type, entry.action, entry.target_project_id) == ("network", "access_as_shared", "*")
    assert sdk.update_network(network, is_shared=False).is_shared is False
    assert list(sdk.rbac_policies(object_id=network.id)) == []
    revision = sdk.get_network(network.id).revision_number
    assert (
        sdk.put(f"/networks/{network.id}", json={"network": {"name": "jade"}}).json()["network"]["revision_number"]
        == revision
    )
    sdk.delete_network(network)


def test_a_network_for_nic_auto(running: Server, sdk: Any) -> None:
    with pytest.raises(exceptions.ConflictException, match="No default router:external network"):
        sdk.validate_auto_allocated_topology()
    public = sdk.create_network(name="public", is_router_external=True, is_default=True)
    assert public.is_default is True
    nat66 = "--extra-property type=bool,name=netweft:nat66,value=true"
    stock_client(running.openrc(), f"network set {public.id} {nat66}")
    assert sdk.get(f"/networks/{public.id}").json()["network"]["netweft:nat66"] is True
    for other in sdk.subnet_pools(is_default=True):
        sdk.update_subnet_pool(other, is_default=False)
    pool = sdk.create_subnet_pool(name="any", prefixes=["10.96.0.0/12"], is_default=True, default_prefix_length=26)
    assert (pool.default_prefix_length, pool.minimum_prefix_length) == (26, 8)
    assert sdk.validate_auto_allocated_topology().id == "dry-run=pass"
    (made,) = stock_client(running.openrc(), "network auto allocated topology create -f json")
    assert sdk.get_auto_allocated_topology().id == made["id"]
    (subnet,) = sdk.subnets(network_id=made["id"])
    assert subnet.cidr == "10.96.0.0/26"
    sdk.delete_auto_allocated_topology()
    assert sdk.find_network(made["id"]) is None
    sdk.delete_subnet_pool(pool)  # the only default that there may be
