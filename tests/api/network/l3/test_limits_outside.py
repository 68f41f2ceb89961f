"""QoS policies of floating IPs and of gateways: who may put one there, when it cannot go, and what is shown."""

from typing import Any

import pytest

from netweft.store import Object

from ..conftest import Api, refused
from ..test_qos import make_policy
from .test_gateways import change, external, info, to

NO_POLICY = (404, "QosPolicyNotFound")
NOWHERE = "5283fb86-4c69-46d0-8ea0-43533bbee357"


@pytest.fixture
def outside(api: Api) -> Object:
    return external(api, "192.0.2.0/24")


def floating(api: Api, outside: Object, **values: Any) -> Any:
    return api("alice", "POST", "/floatingips", {"floatingip": {"floating_network_id": outside["id"]} | values})


def put(api: Api, one: Object, who: str = "alice", **changes: Any) -> Any:
    return api(who, "PUT", f"/floatingips/{one['id']}", {"floatingip": changes})


def test_a_floating_ips_policy(api: Api, outside: Object) -> None:
    gold = make_policy(api)
    plain = floating(api, outside).json()["floatingip"]
    assert (plain["qos_policy_id"], plain["qos_network_policy_id"]) == (None, None)
    limited = floating(api, outside, qos_policy_id=gold["id"]).json()["floatingip"]
    assert limited["qos_policy_id"] == gold["id"]
    answer = api("admin", "DELETE", f"/qos/policies/{gold['id']}")
    assert refused(answer) == (409, "QosPolicyInUse")
    assert f"used by floatingip {limited['id']}" in answer.json()["NeutronError"]["message"]
    assert put(api, limited, qos_policy_id=None).json()["floatingip"]["qos_policy_id"] is None
    assert put(api, plain, qos_policy_id=gold["id"]).json()["floatingip"]["qos_policy_id"] == gold["id"]
    assert put(api, plain, description="x").json()["floatingip"]["qos_policy_id"] == gold["id"]
    assert api("alice", "DELETE", f"/floatingips/{plain['id']}").status_code == 204
    assert api("admin", "DELETE", f"/qos/policies/{gold['id']}").status_code == 204


def test_it_stays_where_the_floating_ip_leads(api: Api, outside: Object) -> None:
    gold = make_policy(api)
    network = api.network("alice", "10.0.0.0/24")
    router = api.make("alice", "router", **to(outside))
    api("alice", "PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet_of(api, network)})
    port = api.make("alice", "port", network_id=network["id"])
    made = floating(api, outside, port_id=port["id"], qos_policy_id=gold["id"]).json()["floatingip"]
    assert (made["port_id"], made["qos_policy_id"]) == (port["id"], gold["id"])
    left = put(api, made, port_id=None).json()["floatingip"]
    assert (left["port_id"], left["qos_policy_id"]) == (None, gold["id"])
    back = put(api, made, port_id=port["id"], qos_policy_id=None).json()["floatingip"]
    assert (back["port_id"], back["qos_policy_id"]) == (port["id"], None)
    assert api("admin", "DELETE", f"/qos/policies/{gold['id']}").status_code == 204


def subnet_of(api: Api, network: Object) -> str:
    (subnet,) = api.get("admin", f"/networks/{network['id']}")["network"]["subnets"]
    return str(subnet)


def test_the_networks_policy_is_shown(api: Api, outside: Object) -> None:
    silver = make_policy(api)
    made = floating(api, outside).json()["floatingip"]
    api("admin", "PUT", f"/networks/{outside['id']}", {"network": {"qos_policy_id": silver["id"]}})
    for shown in (api.get("alice", f"/floatingips/{made['id']}")["floatingip"],):
        assert (shown["qos_policy_id"], shown["qos_network_policy_id"]) == (None, silver["id"])
    assert refused(put(api, made, qos_network_policy_id=None)) == (400, "HTTPBadRequest")


def test_policies_that_are_not_theirs(api: Api, outside: Object) -> None:
    hers = make_policy(api, shared=False)
    router = api.make("alice", "router", **to(outside))
    made = floating(api, outside).json()["floatingip"]
    for id in (hers["id"], NOWHERE):
        assert refused(floating(api, outside, qos_policy_id=id)) == NO_POLICY
        assert refused(put(api, made, qos_policy_id=id)) == NO_POLICY
        assert refused(change(api, router, to(outside, qos_policy_id=id))) == NO_POLICY
        assert refused(api("alice", "POST", "/routers", {"router": to(outside, qos_policy_id=id)})) == NO_POLICY
    assert refused(change(api, router, to(outside, qos_policy_id=NOWHERE), "admin")) == NO_POLICY
    assert refused(put(api, made, "admin", qos_policy_id=NOWHERE)) == NO_POLICY
    assert put(api, made, "admin", qos_policy_id=hers["id"]).status_code == 200
    kept = put(api, made, qos_policy_id=None)
    assert kept.status_code == 403, "nor to take off"


def test_a_gateways_policy(api: Api, outside: Object) -> None:
    gold, silver = make_policy(api), make_policy(api, name="silver")
    router = api.make("alice", "router", **to(outside, qos_policy_id=gold["id"]))
    assert router["external_gateway_info"]["qos_policy_id"] == gold["id"]
    assert refused(api("admin", "DELETE", f"/qos/policies/{gold['id']}")) == (409, "QosPolicyInUse")
    assert change(api, router, to(outside)).status_code == 200
    assert info(api, router)["qos_policy_id"] == gold["id"], "nothing said, nothing changed"
    assert change(api, router, to(outside, qos_policy_id=silver["id"])).status_code == 200
    assert api("admin", "DELETE", f"/qos/policies/{gold['id']}").status_code == 204
    assert change(api, router, to(outside, qos_policy_id=None)).status_code == 200
    assert "qos_policy_id" not in info(api, router)
    change(api, router, to(outside, qos_policy_id=silver["id"]))
    assert change(api, router, {"external_gateway_info": None}).status_code == 200
    assert api("admin", "DELETE", f"/qos/policies/{silver['id']}").status_code == 204
    assert change(api, router, to(outside)).status_code == 200
    assert "qos_policy_id" not in info(api, router)


def test_a_policy_is_withdrawn_when_no_router_of_others_needs_it(api: Api, outside: Object) -> None:
    gold = make_policy(api)
    router = api.make("alice", "router", **to(outside, qos_policy_id=gold["id"]))
    off = {"policy": {"shared": False}}
    assert api("admin", "PUT", f"/qos/policies/{gold['id']}", off).status_code == 409
    change(api, router, to(outside, qos_policy_id=None))
    assert api("admin", "PUT", f"/qos/policies/{gold['id']}", off).status_code == 200


@pytest.mark.parametrize("wrong", ["x", 5, {}, []])
def test_what_is_no_policy(api: Api, outside: Object, wrong: Any) -> None:
    assert refused(floating(api, outside, qos_policy_id=wrong)) == (400, "HTTPBadRequest")
    body = {"router": to(outside, qos_policy_id=wrong)}
    assert refused(api("alice", "POST", "/routers", body)) == (400, "HTTPBadRequest")
