"""Routers' interfaces that hosts behind a VTEP use have an order of nodes that answer, as long as that is so."""

from functools import partial

import pytest

from netweft.control.l2 import binding
from netweft.control.l3 import behind_switches, wire_hosts
from netweft.feed import objects
from netweft.model import NodeFacts
from netweft.store import Object

from ..conftest import Cloud, MakeCloud

VXLAN = {"provider:network_type": "vxlan"}


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud()


def come(cloud: Cloud, *nodes: str) -> None:
    for node in nodes:
        facts = NodeFacts(tunnel_ip=f"192.0.2.{node[-1]}", tunnel_types=("vxlan",))
        cloud.store.run(partial(binding.node_connected, node=node, facts=facts))


def follow(cloud: Cloud, switch: str, *ports: Object) -> None:
    ids = frozenset(port["id"] for port in ports)
    cloud.store.run(partial(behind_switches.follow, switch=switch, interfaces=ids))


def order(cloud: Cloud, port: Object) -> list[str]:
    return wire_hosts.order(cloud.get("ports", port))


def interface(cloud: Cloud, **network: object) -> Object:
    made = cloud.network(**network)
    cloud.subnet(made, "10.0.0.0/24")
    return cloud.port(made, device_owner="network:router_interface", device_id="r1")


def test_it_is_answered_for_while_any_switch_needs_it(cloud: Cloud) -> None:
    come(cloud, "hv1", "hv2")
    one, other = interface(cloud, **VXLAN), interface(cloud, **VXLAN)
    follow(cloud, "switch:a", one)
    assert sorted(order(cloud, one)) == ["hv1", "hv2"]
    assert order(cloud, other) == []
    follow(cloud, "switch:b", one, other)
    follow(cloud, "switch:a")
    assert len(order(cloud, one)) == len(order(cloud, other)) == 2
    follow(cloud, "switch:b")
    assert order(cloud, one) == order(cloud, other) == []
    told = objects.router_port(cloud.get("ports", one))
    assert told is not None
    assert told.order == ()


def test_who_comes_and_goes_is_followed(cloud: Cloud) -> None:
    one = interface(cloud, **VXLAN)
    follow(cloud, "switch:a", one)
    assert order(cloud, one) == []
    come(cloud, "hv1")
    assert order(cloud, one) == ["hv1"]
    come(cloud, "hv2")
    assert sorted(order(cloud, one)) == ["hv1", "hv2"]
    cloud.store.run(partial(binding.node_gone, node="hv1"))
    assert order(cloud, one)[:1] == ["hv2"]


def test_one_that_is_gone_is_no_news(cloud: Cloud) -> None:
    one = interface(cloud, **VXLAN)
    follow(cloud, "switch:a", one)
    cloud.delete("ports", one)
    follow(cloud, "switch:a", one)
    follow(cloud, "switch:a")
