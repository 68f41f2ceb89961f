"""The openstack command and openstacksdk: routers, their interfaces, routes and gateways, and floating IPs."""

from typing import Any

import pytest
from openstack import exceptions
from tests.api.process.client import stock_client, stock_client_tried
from tests.api.process.conftest import Server

# the SDK warns of what it will itself remove
pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_the_openstack_command(running: Server) -> None:
    admin = running.openrc()
    stock_client(
        admin,
        "network create -f json n1",
        "network create -f json n2",
        "subnet create -f json --network n1 --subnet-range 10.1.0.0/24 s1",
        "subnet create -f json --network n2 --subnet-range 10.2.0.0/24 s2",
        "port create -f json --network n2 p2",
    )
    (made,) = stock_client(admin, "router create -f json --distributed --description d r")
    assert (made["name"], made["status"], made["distributed"], made["routes"]) == ("r", "ACTIVE", True, [])
    *_, listed, shown, ports = stock_client(
        admin,
        "router add subnet r s1",
        "router add port r p2",
        "router add route -f json r --route destination=10.8.0.0/16,gateway=10.1.0.8",
        "router add route -f json r --route destination=10.9.0.0/16,gateway=10.2.0.9",
        "router set r --route destination=10.7.0.0/16,gateway=10.1.0.7 --name s",
        "router remove route -f json s --route destination=10.8.0.0/16,gateway=10.1.0.8",
        "router list -f json --long",
        "router show -f json s",
        "port list -f json --router s",
    )
    assert [one["Name"] for one in listed] == ["s"]
    assert {route["destination"] for route in shown["routes"]} == {"10.7.0.0/16", "10.9.0.0/16"}
    assert {one["ip_address"] for one in shown["interfaces_info"]} == {"10.1.0.1", ports_address(ports, "p2")}
    (left,) = stock_client(
        admin,
        "router set s --no-route",
        "router remove subnet s s1",
        "router remove port s p2",
        "router set s --disable",
        "router set s --centralized",
        "router set s --tag t",
        "router show -f json s",
    )
    assert (left["interfaces_info"], left["routes"], left["tags"]) == ([], [], ["t"])
    assert (left["admin_state_up"], left["distributed"]) == (False, False)
    stock_client(admin, "router delete s", "network delete n1 n2")


def ports_address(ports: Any, name: str) -> Any:
    (found,) = (port for port in ports if port["Name"] == name)
    return found["Fixed IP Addresses"][0]["ip_address"]


def test_a_members_routers(running: Server, sdk: Any) -> None:
    network = sdk.create_network(name="n")
    subnet = sdk.create_subnet(network_id=network.id, ip_version=4, cidr="10.5.0.0/24")
    router = sdk.create_router(name="r")
    told = sdk.add_interface_to_router(router, subnet_id=subnet.id)
    assert told["subnet_id"] == subnet.id
    with pytest.raises(exceptions.ConflictException, match="still attached"):
        sdk.delete_router(router)
    with pytest.raises(exceptions.BadRequestException, match="already has a port"):
        sdk.add_interface_to_router(router, subnet_id=subnet.id)
    routes = {"router": {"routes": [{"destination": "10.9.0.0/16", "nexthop": "10.5.0.9"}]}}
    assert sdk.add_extra_routes_to_router(router, body=routes).routes == routes["router"]["routes"]
    assert sdk.remove_extra_routes_from_router(router, body=routes).routes == []
    sdk.remove_interface_from_router(router, port_id=told["port_id"])
    sdk.delete_router(router)
    sdk.delete_network(network)


def test_gateways_and_floating_ips(running: Server) -> None:
    admin = running.openrc()
    stock_client(
        admin,
        "network create -f json --external out",
        "subnet create -f json --network out --subnet-range 192.0.2.0/24 out4",
        "network create -f json in",
        "subnet create -f json --network in --subnet-range 10.3.0.0/24 in4",
        "port create -f json --network in vm",
        "router create -f json --external-gateway out g",
    )
    stock_client(admin, "router add subnet g in4", "router set g --external-gateway out --disable-snat")
    made, shown, vm = stock_client(
        admin,
        "floating ip create -f json --port vm --description d out",
        "router show -f json g",
        "port show -f json vm",
    )
    assert (made["status"], made["port_id"], made["router_id"]) == ("DOWN", vm["id"], shown["id"])
    assert shown["external_gateway_info"]["enable_snat"] is False
    address = made["floating_ip_address"]
    (listed,) = stock_client(admin, "floating ip list -f json")
    assert [one["Floating IP Address"] for one in listed] == [address]
    *_, problem = stock_client_tried(admin, "router unset --external-gateway g")
    assert "required by one or more floating IPs" in problem
    (free,) = stock_client(admin, f"floating ip unset --port {address}", f"floating ip show -f json {address}")
    assert (free["port_id"], free["fixed_ip_address"]) == (None, None)
    (led,) = stock_client(admin, f"floating ip set --port vm {address}", f"floating ip show -f json {address}")
    assert (led["fixed_ip_address"], led["port_details"]["name"]) == (vm["fixed_ips"][0]["ip_address"], "vm")
    (left,) = stock_client(admin, "port delete vm", f"floating ip delete {address}", "floating ip list -f json")
    assert left == []
    stock_client(
        admin,
        "router unset --external-gateway g",
        "router remove subnet g in4",
        "router delete g",
        "network delete in out",
    )
