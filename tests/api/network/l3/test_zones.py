"""Availability zones, and which agents have routers' gateways."""

from typing import Any

import pytest

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.store import Object, Store

from ..conftest import Api, refused
from .test_gateway_hosts import ABLE, outside, where
from .test_gateways import to

__all__ = ["outside"]
ZONES = {"hv1": "east", "hv2": "west", "hv3": "west"}


@pytest.fixture
def zones(store: Store) -> None:
    with store.write() as tx:
        for number, (host, zone) in enumerate(ZONES.items()):
            facts = NodeFacts(tunnel_ip=f"198.51.100.{number + 1}", bridge_mappings=ABLE, availability_zone=zone)
            binding.node_connected(tx, host, facts)
        other = NodeFacts(agent_type="Linux bridge agent", binary="other-agent", vif_type="bridge")
        binding.node_connected(tx, "hv9", other)


def agent(api: Api, host: str) -> Object:
    (found,) = api.get("admin", f"/agents?host={host}")["agents"]
    return dict(found)


def test_zones_are_listed(api: Api, zones: None) -> None:
    every = api.get("adam", "/availability_zones")["availability_zones"]
    assert every == [
        {"name": name, "resource": resource, "state": "available"}
        for name in ("east", "west")
        for resource in ("network", "router")
    ]
    (one,) = api.get("alice", "/availability_zones?name=west&resource=router&fields=state")["availability_zones"]
    assert one == {"state": "available"}
    assert api.get("alf", "/availability_zones") == {"availability_zones": []}
    assert refused(api("alice", "GET", "/availability_zones?x=1")) == (400, "HTTPBadRequest")
    path = f"/agents/{agent(api, 'hv1')['id']}"
    assert api("admin", "PUT", path, {"agent": {"admin_state_up": False}}).status_code == 200
    gone = api.get("alice", "/availability_zones?state=unavailable")["availability_zones"]
    assert {zone["name"] for zone in gone} == {"east"}


def test_agents_say_theirs(api: Api, zones: None) -> None:
    assert [agent(api, host)["availability_zone"] for host in ("hv1", "hv2", "hv9")] == ["east", "west", None]
    west = api.get("admin", "/agents?availability_zone=west")["agents"]
    assert {one["host"] for one in west} == {"hv2", "hv3"}


@pytest.mark.parametrize("member", ["network", "router"])
def test_hints(api: Api, zones: None, member: str) -> None:
    made = api.make("alice", member, availability_zone_hints=["west", "east"])
    assert made["availability_zone_hints"] == ["west", "east"]
    assert api.make("alice", member)["availability_zone_hints"] == []
    path = f"/{member}s"
    missing = {member: {"availability_zone_hints": ["west", "south"]}}
    assert refused(api("alice", "POST", path, missing)) == (404, "AvailabilityZoneNotFound")
    bad: list[Any] = ["west", [1], ["west", "west"], ["x" * 200, "y" * 200], [{}]]
    for wrong in bad:
        body = {member: {"availability_zone_hints": wrong}}
        assert refused(api("alice", "POST", path, body)) == (400, "HTTPBadRequest")
    change: Object = {member: {"availability_zone_hints": []}}
    assert refused(api("alice", "PUT", f"{path}/{made['id']}", change)) == (400, "HTTPBadRequest")


def test_a_router_is_in_the_zone_of_its_gateway(api: Api, zones: None, outside: Object) -> None:
    router = api.make("alice", "router")
    assert router["availability_zones"] == []
    made = api.make("alice", "router", **to(outside))
    assert made["availability_zones"] == [ZONES[where(api, made)]]
    listed = {one["id"]: one["availability_zones"] for one in api.get("alice", "/routers")["routers"]}
    assert listed == {router["id"]: [], made["id"]: made["availability_zones"]}


def test_which_agents_have_a_gateway(api: Api, zones: None, outside: Object) -> None:
    router = api.make("alice", "router", **to(outside))
    here = agent(api, where(api, router))
    (found,) = api.get("admin", f"/routers/{router['id']}/l3-agents")["agents"][:1]
    assert (found["id"], found["ha_state"]) == (here["id"], "active")
    (listed,) = api.get("admin", f"/agents/{here['id']}/l3-routers")["routers"]
    assert listed == api.get("admin", f"/routers/{router['id']}")["router"]
    bare = api.make("alice", "router")
    assert api.get("admin", f"/routers/{bare['id']}/l3-agents") == {"agents": []}
    for path in (f"/routers/{router['id']}/l3-agents", f"/agents/{here['id']}/l3-routers"):
        assert refused(api("alice", "GET", path)) == (403, "PolicyNotAuthorized")
    assert refused(api("admin", "GET", "/routers/x/l3-agents")) == (404, "RouterNotFound")
    assert refused(api("admin", "GET", "/agents/x/l3-routers")) == (404, "AgentNotFound")
    assert refused(api("admin", "GET", f"/agents/{agent(api, 'hv9')['id']}/l3-routers")) == (404, "InvalidL3Agent")
