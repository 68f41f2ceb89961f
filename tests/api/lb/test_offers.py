"""What flavors and availability zones make of a balancer: where its HAProxy runs, and on how many nodes."""

import json
from typing import Any

import pytest
from tests.api.lb.conftest import Lb, refused

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.model.proxy import PROXY_OWNER
from netweft.store import Store

ZONES = {"hv1": "east", "hv2": "west", "hv3": "west", "hv4": "west"}


@pytest.fixture
def nodes(store: Store) -> None:
    with store.write() as tx:
        for node, zone in ZONES.items():
            tunnel: dict[str, Any] = {"tunnel_ip": f"192.0.2.{node[-1]}", "tunnel_types": ("vxlan",)}
            binding.node_connected(tx, node, NodeFacts(**tunnel, proxies=True, availability_zone=zone))


def flavor(lb: Lb, data: str) -> str:
    profile = lb.make("/flavorprofiles", "admin", name="f", provider_name="netweft", flavor_data=data)
    return str(lb.make("/flavors", "admin", name=data, flavor_profile_id=profile["id"])["id"])


def zone(lb: Lb, name: str, data: str) -> str:
    profile = {"name": "z", "provider_name": "netweft", "availability_zone_data": data}
    made = lb.ok(lb("admin", "POST", "/availabilityzoneprofiles", {"availability_zone_profile": profile}), 201)
    wanted = {"name": name, "availability_zone_profile_id": made["id"]}
    lb.ok(lb("admin", "POST", "/availabilityzones", {"availability_zone": wanted}), 201)
    return name


def hosts(lb: Lb, **more: Any) -> set[str]:
    """Where a balancer with a listener that flows can't serve has its instances."""
    listeners = [{"protocol": "HTTP", "protocol_port": 80}]
    made = lb.make("/loadbalancers", vip_subnet_id=lb.network()["id"], listeners=listeners, **more)
    return hosts_of(lb, made)


def hosts_of(lb: Lb, made: Any) -> set[str]:
    ports = lb.net.get("admin", f"/ports?device_owner={PROXY_OWNER}&device_id={made['id']}")["ports"]
    found = [one["binding:host_id"] for one in ports]
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize(
    ("data", "count"),
    [
        ("{}", 2),
        ('{"loadbalancer_topology": "SINGLE"}', 1),
        ('{"loadbalancer_topology": "ACTIVE_STANDBY"}', 2),
        ('{"haproxy_nodes": 3}', 3),
        ('{"loadbalancer_topology": "SINGLE", "haproxy_nodes": 4}', 4),
    ],
)
def test_a_flavor_says_how_many_nodes_run_haproxy(lb: Lb, data: str, count: int) -> None:
    assert len(hosts(lb, flavor_id=flavor(lb, data))) == count


@pytest.mark.usefixtures("nodes")
def test_a_zone_says_where(lb: Lb) -> None:
    """One that no node is in leaves them waiting for one."""
    three = flavor(lb, '{"haproxy_nodes": 3}')
    in_west = zone(lb, "az-west", '{"compute_zone": "west"}')
    assert hosts(lb, availability_zone=in_west, flavor_id=three) == {"hv2", "hv3", "hv4"}
    assert hosts(lb, availability_zone=zone(lb, "az-east", '{"compute_zone": "east"}')) == {"hv1", ""}


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize(("zoned", "count", "others"), [(False, 1, 3), (False, 2, 2), (True, 2, 1), (True, 3, 0)])
def test_a_failover_moves_haproxy_where_there_is_another_node(lb: Lb, zoned: bool, count: int, others: int) -> None:
    """others: nodes that could have it and do not, of four, of which the zone has three."""
    more = {"availability_zone": zone(lb, "az-west", '{"compute_zone": "west"}')} if zoned else {}
    listeners = [{"protocol": "HTTP", "protocol_port": 80}]
    flavor_id = flavor(lb, json.dumps({"haproxy_nodes": count}))
    network = lb.network()["id"]
    made = lb.make("/loadbalancers", vip_subnet_id=network, listeners=listeners, flavor_id=flavor_id, **more)
    before = hosts_of(lb, made)
    assert lb("admin", "PUT", f"/loadbalancers/{made['id']}/failover").status_code == 202
    after = hosts_of(lb, made)
    assert (len(after), len(after - before)) == (count, min(count, others))
    assert after <= ({"hv2", "hv3", "hv4"} if zoned else {"hv1", "hv2", "hv3", "hv4"})


@pytest.mark.parametrize("value", ["0", "9", "1.5", "true", '"2"', "null"])
def test_a_number_of_nodes_that_is_none(lb: Lb, value: str) -> None:
    bad = {"name": "g", "provider_name": "netweft", "flavor_data": f'{{"haproxy_nodes": {value}}}'}
    status, message = refused(lb("admin", "POST", "/flavorprofiles", {"flavorprofile": bad}))
    assert status == 501
    assert "haproxy_nodes cannot be" in message


def test_all_settings_are_listed(lb: Lb) -> None:
    def told(what: str) -> set[str]:
        found = lb("admin", "GET", f"/providers/netweft/{what}").json()[what]
        assert not any(sign in one["description"] for one in found for sign in ",:"), "tempest.conf can't say it"
        return {one["name"] for one in found}

    assert told("flavor_capabilities") == {"loadbalancer_topology", "haproxy_nodes"}
    assert told("availability_zone_capabilities") == {"compute_zone", "management_network", "valid_vip_networks"}


@pytest.mark.parametrize("name", ("amphora", "octavia"))
def test_clients_ask_for_octavias_own_provider(lb: Lb, name: str) -> None:
    assert lb.balancer(provider=name)["provider"] == name
    assert name in {one["name"] for one in lb.get("/providers")}
    answer = lb("admin", "GET", f"/providers/{name}/flavor_capabilities")
    assert answer.json()["flavor_capabilities"]
