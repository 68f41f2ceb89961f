"""What users say of DHCP: extra options of a port, and what of it reaches the nodes."""

from typing import Any

import pytest

from netweft.model import ExtraDhcpOpt, HostRoute, Port, Subnet
from netweft.store import Object, Store

from .conftest import Api, refused
from .l2.test_told_to_nodes import Followers, plug


def option(name: str, value: str | None, **more: int) -> dict[str, Any]:
    return {"opt_name": name, "opt_value": value, **more}


def options(port: Object) -> list[tuple[str, str, int]]:
    return [(one["opt_name"], one["opt_value"], one["ip_version"]) for one in port["extra_dhcp_opts"]]


def test_an_update_names_the_options_that_change(api: Api) -> None:
    network = api.network(cidr="10.0.0.0/24")
    given = [option("mtu", "1400"), option("bootfile-name", "pxe.0", ip_version=4), option("39", None)]
    port = api.make("alice", "port", network_id=network["id"], extra_dhcp_opts=given)
    assert options(port) == [("mtu", "1400", 4), ("bootfile-name", "pxe.0", 4)]
    for change, expected in (
        (
            [option("mtu", None), option("mtu", "9000", ip_version=6)],
            [("bootfile-name", "pxe.0", 4), ("mtu", "9000", 6)],
        ),
        ([option("bootfile-name", "other")], [("bootfile-name", "other", 4), ("mtu", "9000", 6)]),
        ([], [("bootfile-name", "other", 4), ("mtu", "9000", 6)]),
        (None, [("bootfile-name", "other", 4), ("mtu", "9000", 6)]),
    ):
        answer = api("alice", "PUT", f"/ports/{port['id']}", {"port": {"extra_dhcp_opts": change}})
        assert answer.status_code == 200, answer.text
        assert options(answer.json()["port"]) == expected
    assert options(api.make("alice", "port", network_id=network["id"])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "mtu",
        [option("mtu", "1400", ip_version=5)],
        [option("", "1400")],
        [option("mtu", "")],
        [option("mtu", "14\n00")],
        [option("x" * 65, "1")],
        [option("mtu", "x" * 256)],
        [{"opt_name": "mtu"}],
        [{**option("mtu", "1"), "colour": "blue"}],
    ],
)
def test_options_that_are_none(api: Api, wrong: Any) -> None:
    network = api.network()
    body = {"port": {"network_id": network["id"], "extra_dhcp_opts": wrong}}
    answer = api("alice", "POST", "/ports", body)
    assert refused(answer) == (400, "HTTPBadRequest")
    assert "extra_dhcp_opts" in answer.json()["NeutronError"]["message"]


def test_a_router_may_be_no_router(api: Api) -> None:
    port = api.make("alice", "port", network_id=api.network()["id"], extra_dhcp_opts=[option("router", "")])
    assert options(port) == [("router", "", 4)]


def test_only_nodes_with_ports_in_the_network_hear_of_it(api: Api, store: Store) -> None:
    network, other = api.network("alice", cidr="10.0.0.0/24"), api.network("alice", cidr="10.1.0.0/24")
    port = plug(api, network, "hv1")
    plug(api, other, "hv2")
    nodes = Followers(store)
    (id,) = api("alice", "GET", f"/networks/{network['id']}").json()["network"]["subnets"]
    routes = [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]
    change = {"enable_dhcp": False, "dns_nameservers": ["9.9.9.9"], "host_routes": routes}
    assert api("alice", "PUT", f"/subnets/{id}", {"subnet": change}).status_code == 200
    expected = Subnet(
        id=id,
        network_id=network["id"],
        ip_version=4,
        cidr="10.0.0.0/24",
        gateway_ip="10.0.0.1",
        enable_dhcp=False,
        dns_nameservers=("9.9.9.9",),
        host_routes=(HostRoute("10.9.0.0/16", "10.0.0.9"),),
    )
    assert nodes.news() == {"hv1": {("subnet", id): expected}}
    change = {"extra_dhcp_opts": [option("mtu", "1400")]}
    assert api("alice", "PUT", f"/ports/{port['id']}", {"port": change}).status_code == 200
    ((key, told),) = nodes.news()["hv1"].items()
    assert key == ("port", port["id"])
    assert isinstance(told, Port)
    assert told.extra_dhcp_opts == (ExtraDhcpOpt("mtu", "1400"),)


def test_there_are_no_dhcp_agents_to_schedule(api: Api) -> None:
    aliases = {one["alias"] for one in api("alice", "GET", "/extensions").json()["extensions"]}
    assert "extra_dhcp_opt" in aliases
    assert "dhcp_agent_scheduler" not in aliases
