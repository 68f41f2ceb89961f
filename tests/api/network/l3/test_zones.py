"""Availability zones, and which agents have routers' gateways."""

from typing import Any

import pytest

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.store import Object, Store

from ..conftest import Api, refused
from .test_gateway_hosts import ABLE, goes, outside, where
from .test_gateways import to

__all__ = ["outside"]
FORBIDDEN = (403, "PolicyNotAuthorized")
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
    assert made["availability_zones"] == ["east", "west"], "who may take it over counts"
    assert routed(api, outside, "west")["availability_zones"] == ["west"]
    listed = {one["id"]: one["availability_zones"] for one in api.get("alice", "/routers")["routers"]}
    assert listed.items() >= {router["id"]: [], made["id"]: made["availability_zones"]}.items()


def test_which_agents_have_a_gateway(api: Api, zones: None, outside: Object) -> None:
    router = api.make("alice", "router", **to(outside))
    here = agent(api, where(api, router))
    states = {one["id"]: one["ha_state"] for one in api.get("admin", f"/routers/{router['id']}/l3-agents")["agents"]}
    assert {id for id, state in states.items() if state == "active"} == {here["id"]}
    assert sorted(states.values()) == ["active", "standby", "standby"]
    (listed,) = api.get("admin", f"/agents/{here['id']}/l3-routers")["routers"]
    assert listed == api.get("admin", f"/routers/{router['id']}")["router"]
    bare = api.make("alice", "router")
    assert api.get("admin", f"/routers/{bare['id']}/l3-agents") == {"agents": []}
    for path in (f"/routers/{router['id']}/l3-agents", f"/agents/{here['id']}/l3-routers"):
        assert refused(api("alice", "GET", path)) == (403, "PolicyNotAuthorized")
    assert refused(api("admin", "GET", "/routers/x/l3-agents")) == (404, "RouterNotFound")
    assert refused(api("admin", "GET", "/agents/x/l3-routers")) == (404, "AgentNotFound")
    assert refused(api("admin", "GET", f"/agents/{agent(api, 'hv9')['id']}/l3-routers")) == (404, "InvalidL3Agent")


def routed(api: Api, outside: Object, *hints: str) -> Object:
    api("admin", "PUT", "/quotas/red", {"quota": {"router": -1}})
    return api.make("alice", "router", availability_zone_hints=list(hints), **to(outside))


def test_hints_choose_where_a_gateway_is(api: Api, zones: None, outside: Object, store: Store) -> None:
    for _ in range(4):
        assert where(api, routed(api, outside, "east")) == "hv1"
        assert where(api, routed(api, outside, "west")) in ("hv2", "hv3")
    assert len({where(api, routed(api, outside, "west", "east")) for _ in range(12)}) == 3
    router = routed(api, outside, "east")
    goes(store, "hv1")
    assert where(api, router) == "hv1", "nobody else may have it"
    late = routed(api, outside, "east")
    assert where(api, late) == ""
    with store.write() as tx:
        binding.node_connected(tx, "hv1", NodeFacts(bridge_mappings=ABLE, availability_zone="east"))
    assert where(api, late) == "hv1"


def test_an_agent_that_is_switched_off_gives_its_gateways_away(api: Api, zones: None, outside: Object) -> None:
    routers = [routed(api, outside) for _ in range(12)]
    bound = routed(api, outside, "east")
    here = [router for router in routers if where(api, router) == "hv1"]
    elsewhere = {router["id"]: where(api, router) for router in routers if router not in here}
    assert here
    switch(api, "hv1", on=False)
    assert {where(api, router) for router in here} <= {"hv2", "hv3"}
    assert {id: where(api, {"id": id}) for id in elsewhere} == elsewhere
    assert where(api, bound) == "hv1", "its zone has no other"
    assert "hv1" not in {where(api, routed(api, outside)) for _ in range(12)}
    switch(api, "hv1", on=True)
    assert {where(api, router) for router in here} <= {"hv2", "hv3"}, "they stay where they are"


def switch(api: Api, host: str, *, on: bool) -> None:
    path = f"/agents/{agent(api, host)['id']}"
    assert api("admin", "PUT", path, {"agent": {"admin_state_up": on}}).status_code == 200


def add(api: Api, host: str, router: Object, who: str = "admin") -> Any:
    return api(who, "POST", f"/agents/{agent(api, host)['id']}/l3-routers", {"router_id": router["id"]})


def remove(api: Api, host: str, router: Object, who: str = "admin") -> Any:
    return api(who, "DELETE", f"/agents/{agent(api, host)['id']}/l3-routers/{router['id']}")


def test_a_gateway_is_moved_through_agents(api: Api, zones: None, outside: Object) -> None:
    router = routed(api, outside)
    for host in ("hv1", "hv2", "hv2", "hv3"):
        answer = add(api, host, router)
        assert (answer.status_code, answer.json()) == (201, None)
        assert where(api, router) == host
        listed = api.get("admin", f"/agents/{agent(api, host)['id']}/l3-routers")["routers"]
        assert router["id"] in {one["id"] for one in listed}
    assert remove(api, "hv3", router).status_code == 204
    assert where(api, router) in ("hv1", "hv2")


def test_the_last_one_can_be_taken_away(api: Api, zones: None, outside: Object, store: Store) -> None:
    router = routed(api, outside, "east")
    assert remove(api, "hv1", router).status_code == 204
    assert where(api, router) == ""
    assert refused(remove(api, "hv1", router)) == (409, "RouterNotHostedByL3Agent")
    assert add(api, "hv1", router).status_code == 201
    assert where(api, router) == "hv1"


def test_where_a_gateway_does_not_go(api: Api, zones: None, outside: Object, store: Store) -> None:
    router, bare = routed(api, outside, "west"), api.make("alice", "router")
    failed = (409, "RouterSchedulingFailed")
    assert refused(add(api, "hv1", router)) == failed, "another zone"
    assert refused(add(api, "hv2", bare)) == failed, "it has none"
    assert refused(add(api, "hv9", router)) == (404, "InvalidL3Agent")
    assert refused(remove(api, "hv9", router)) == (404, "InvalidL3Agent")
    assert refused(remove(api, "hv1", router)) == (409, "RouterNotHostedByL3Agent")
    switch(api, "hv2", on=False)
    assert refused(add(api, "hv2", router)) == (404, "InvalidL3Agent")
    goes(store, "hv2")
    switch(api, "hv2", on=True)
    assert refused(add(api, "hv2", router)) == failed, "it is gone"
    nowhere = {"id": "5283fb86-4c69-46d0-8ea0-43533bbee357"}
    assert refused(add(api, "hv3", nowhere)) == refused(remove(api, "hv3", nowhere)) == (404, "RouterNotFound")
    for who in ("alice", "adam", "bob"):
        assert refused(add(api, "hv3", router, who)) == refused(remove(api, "hv3", router, who)) == FORBIDDEN
    path = f"/agents/{agent(api, 'hv3')['id']}/l3-routers"
    bad: list[Any] = [{}, {"router_id": None}, {"router_id": "x"}, {"router_id": [router["id"]]}, {"router": {}}, []]
    for wrong in bad:
        assert refused(api("admin", "POST", path, wrong)) == (400, "HTTPBadRequest")
    assert refused(api("admin", "POST", "/agents/x/l3-routers", {"router_id": router["id"]})) == (404, "AgentNotFound")


def test_the_aliases(api: Api) -> None:
    for alias in ("availability_zone", "availability_zone_filter", "network_availability_zone"):
        assert api.get("alice", f"/extensions/{alias}")["extension"]["alias"] == alias
    for alias in ("router_availability_zone", "l3_agent_scheduler"):
        assert api.get("alice", f"/extensions/{alias}")["extension"]["alias"] == alias
