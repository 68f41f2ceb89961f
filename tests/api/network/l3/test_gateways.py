"""External gateways: the port that they are, its addresses, who may say what of them, and when they cannot go."""

from typing import Any

import pytest
from tests.api.network.conftest import BLUE, YELLOW, Api, refused
from tests.api.network.test_external import open_to

from netweft.store import Object

from .test_interfaces import act, add, said, subnet
from .test_routes import put

BAD = (400, "BadRequest")
FORBIDDEN = (403, "PolicyNotAuthorized")
GATEWAY = "network:router_gateway"


@pytest.fixture
def outside(api: Api) -> Object:
    return external(api, "192.0.2.0/24")


def external(api: Api, *cidrs: str) -> Object:
    network = api.make("admin", "network", name="out", **{"router:external": True})
    for cidr in cidrs:
        subnet(api, cidr, "admin", network["id"])
    return network


def to(network: Object, **values: Any) -> Object:
    return {"external_gateway_info": {"network_id": network["id"]} | values}


def change(api: Api, router: Object, values: Object, who: str = "alice") -> Any:
    return api(who, "PUT", f"/routers/{router['id']}", {"router": values})


def info(api: Api, router: Object) -> Any:
    return api.get("admin", f"/routers/{router['id']}")["router"]["external_gateway_info"]


def gateway(api: Api, router: Object) -> Object:
    (port,) = api.get("admin", f"/ports?device_id={router['id']}&device_owner={GATEWAY}")["ports"]
    assert port["fixed_ips"] == info(api, router)["external_fixed_ips"]
    found: Object = port
    return found


def addresses(api: Api, router: Object) -> list[str]:
    return [fixed["ip_address"] for fixed in gateway(api, router)["fixed_ips"]]


def test_nat66_is_an_admins_to_ask_for_of_external_networks(api: Api, outside: Object) -> None:
    """An attribute of ours: what unique local addresses become is said by the external network, for all routers."""
    name, path = "netweft:nat66", f"/networks/{outside['id']}"
    assert outside[name] is False

    def ask(who: str, path: str, **values: Any) -> Any:
        return api(who, "PUT", path, {"network": values})

    assert ask("admin", path, **{name: True}).json()["network"][name] is True
    assert api.get("alice", f"/networks?{name}=true")["networks"][0][name] is True, "whoever sees it may know"
    assert refused(ask("alice", path, **{name: False})) == FORBIDDEN
    assert refused(ask("admin", path, **{name: "maybe"})) == (400, "HTTPBadRequest")
    assert refused(ask("admin", path, **{"router:external": False})) == (400, "InvalidInput")
    both = {"router:external": False, name: False}
    assert ask("admin", path, **both).status_code == 200
    inside = api.make("alice", "network")
    assert refused(ask("admin", f"/networks/{inside['id']}", **{name: True})) == (400, "InvalidInput")
    asked = api("admin", "POST", "/networks", {"network": {name: True}})
    assert refused(asked) == (400, "InvalidInput")
    assert name in asked.json()["NeutronError"]["message"]
    mine = api("alice", "POST", "/networks", {"network": {name: True}})
    assert refused(mine) == FORBIDDEN


def test_the_life_of_a_gateway(api: Api, outside: Object) -> None:
    router = api.make("alice", "router", **to(outside))
    port = gateway(api, router)
    told = router["external_gateway_info"]
    assert told == {"network_id": outside["id"], "enable_snat": True, "external_fixed_ips": port["fixed_ips"]}
    known = {"project_id": "", "status": "DOWN", "binding:host_id": "", "port_security_enabled": False, "name": ""}
    assert port | known == port
    assert api.get("alice", f"/ports?device_id={router['id']}")["ports"] == [], "it is nobody's"
    same = change(api, router, to(outside)).json()["router"]
    assert same["external_gateway_info"] == told
    assert gateway(api, router)["id"] == port["id"]
    other = external(api, "198.51.100.0/24")
    assert change(api, router, to(other)).status_code == 200
    assert addresses(api, router) == ["198.51.100.2"]
    nothings: list[Any] = [{}, None]
    for nothing in nothings:
        cleared = change(api, router, {"external_gateway_info": nothing})
        assert cleared.json()["router"]["external_gateway_info"] is None
    assert api.get("admin", f"/ports?device_owner={GATEWAY}")["ports"] == []
    change(api, router, to(outside))
    assert api("alice", "DELETE", f"/routers/{router['id']}").status_code == 204
    assert api.get("admin", f"/ports?network_id={outside['id']}")["ports"] == []


def test_what_only_an_admin_says(api: Api, outside: Object) -> None:
    router = api.make("alice", "router")
    nine = [{"ip_address": "192.0.2.9"}]
    words: list[Object] = [{"enable_snat": False}, {"enable_snat": True}, {"external_fixed_ips": nine}]
    for more in words:
        assert refused(change(api, router, to(outside, **more))) == FORBIDDEN
        assert refused(api("alice", "POST", "/routers", {"router": to(outside, **more)})) == FORBIDDEN
    made = change(
        api, router, to(outside, enable_snat="false", external_fixed_ips=[{"ip_address": "192.0.2.9"}]), "admin"
    )
    assert made.json()["router"]["external_gateway_info"]["enable_snat"] is False
    assert addresses(api, router) == ["192.0.2.9"]
    again = change(api, router, to(outside))
    assert again.json()["router"]["external_gateway_info"]["enable_snat"] is True, "the default, as in Neutron"
    assert addresses(api, router) == ["192.0.2.9"]
    both = [*nine, {"subnet_id": gateway(api, router)["fixed_ips"][0]["subnet_id"]}]
    two = change(api, router, to(outside, external_fixed_ips=both), "admin")
    assert two.status_code == 200, two.text
    assert len(addresses(api, router)) == 2
    taken = change(api, api.make("alice", "router"), to(outside, external_fixed_ips=nine), "admin")
    assert refused(taken) == (409, "IpAddressAlreadyAllocated")


@pytest.mark.parametrize(
    "wrong",
    [
        {"network_id": "x"},
        {"enable_snat": True},
        {"network_id": None},
        "x",
        [],
        {"network_id": BLUE, "x": 1},
        {"network_id": BLUE, "enable_snat": "maybe"},
        {"network_id": BLUE, "external_fixed_ips": [{}]},
    ],
)
def test_what_is_no_gateway(api: Api, wrong: Any) -> None:
    answer = api("admin", "POST", "/routers", {"router": {"external_gateway_info": wrong}})
    assert refused(answer) == (400, "HTTPBadRequest")


def test_networks_that_are_none(api: Api, outside: Object) -> None:
    router, inside = api.make("alice", "router"), api.network("alice", "10.0.0.0/24")
    answer = change(api, router, to(inside))
    assert refused(answer) == BAD
    assert said(answer) == f"Bad router request: Network {inside['id']} is not an external network."
    his = api.network("bob")
    for network, who in ((his, "alice"), ({"id": BLUE}, "alice"), ({"id": BLUE}, "admin")):
        assert refused(change(api, router, to(network), who)) == (404, "NetworkNotFound")
        assert refused(api(who, "POST", "/routers", {"router": to(network)})) == (404, "NetworkNotFound")
    answer = change(api, router, to(outside, external_fixed_ips=[{"ip_address": "192.0.2.1"}]), "admin")
    assert said(answer) == "Bad router request: External IP 192.0.2.1 is the same as the gateway IP."
    elsewhere = change(api, router, to(outside, external_fixed_ips=[{"ip_address": "203.0.113.9"}]), "admin")
    assert refused(elsewhere) == (400, "InvalidIpForNetwork")
    assert info(api, router) is None
    assert len(api.get("alice", "/routers")["routers"]) == 1, "none of those that were refused is there"


def test_external_to_some_only(api: Api) -> None:
    network = api.network("admin", "192.0.2.0/24")
    entry = open_to(api, network)
    assert refused(api("carol", "POST", "/routers", {"router": to(network)})) == (404, "NetworkNotFound")
    his = api.make("bob", "router", **to(network))
    assert refused(api("admin", "DELETE", entry)) == (409, "RbacPolicyInUse"), "his router needs it"
    yellow = {"rbac_policy": {"target_tenant": YELLOW}}
    assert refused(api("admin", "PUT", entry, yellow)) == (409, "RbacPolicyInUse")
    off = {"network": {"router:external": False}}
    assert refused(api("admin", "PUT", f"/networks/{network['id']}", off)) == (409, "ExternalNetworkInUse")
    assert refused(api("admin", "DELETE", f"/networks/{network['id']}")) == (409, "NetworkInUse")
    change(api, his, {"external_gateway_info": {}}, "bob")
    assert api("admin", "DELETE", entry).status_code == 204
    assert refused(change(api, his, to(network), "bob")) == (404, "NetworkNotFound")


def test_what_overlaps(api: Api, outside: Object) -> None:
    router = api.make("alice", "router")
    inner = subnet(api, "192.0.2.128/25")
    add(api, router, subnet_id=inner["id"])
    answer = change(api, router, to(outside))
    assert refused(answer) == BAD
    assert "overlaps with cidr 192.0.2.128/25" in said(answer)
    other = api.make("alice", "router", **to(outside))
    assert refused(act(api, other, "add", subnet_id=inner["id"])) == BAD
    admins = api.make("admin", "router", **to(outside))
    own = {"subnet_id": gateway(api, admins)["fixed_ips"][0]["subnet_id"]}
    answer = act(api, admins, "add", "admin", **own)
    assert said(answer) == f"Bad router request: Router already has a port on subnet {own['subnet_id']}."


def test_routes_outside(api: Api, outside: Object) -> None:
    router = api.make("alice", "router", **to(outside))
    route = {"destination": "10.9.0.0/16", "nexthop": "192.0.2.77"}
    assert put(api, router, route).status_code == 200
    for values in ({"external_gateway_info": None}, to(external(api, "198.51.100.0/24"))):
        assert refused(change(api, router, values)) == (400, "InvalidRoutes")
    both = change(api, router, {"external_gateway_info": None, "routes": []})
    assert both.json()["router"]["external_gateway_info"] is None


def test_its_port_is_not_a_port_like_others(api: Api, outside: Object) -> None:
    router = api.make("alice", "router", **to(outside))
    path = f"/ports/{gateway(api, router)['id']}"
    assert refused(api("alice", "GET", path)) == (404, "PortNotFound")
    assert refused(api("admin", "DELETE", path)) == (409, "ServicePortInUse")
    assert refused(api("admin", "PUT", path, {"port": {"device_id": ""}})) == (409, "PortInUse")
    moved = api("admin", "PUT", path, {"port": {"fixed_ips": [{"ip_address": "192.0.2.44"}]}})
    assert moved.status_code == 200, "an admin may, as in Neutron"
    assert addresses(api, router) == ["192.0.2.44"]


def test_subnets_that_come_and_go_outside(api: Api, outside: Object) -> None:
    """A gateway gets one address of each IP version; those that are automatic come and go by themselves."""
    router = api.make("alice", "router", **to(outside))
    before = api.get("alice", f"/routers/{router['id']}")["router"]["revision_number"]
    subnet(api, "198.51.100.0/24", "admin", outside["id"])
    assert len(addresses(api, router)) == 1
    six = subnet(api, "2001:db8::/64", "admin", outside["id"])
    assert len(addresses(api, router)) == 2
    subnet(api, "2001:db8:1::/64", "admin", outside["id"])
    assert len(addresses(api, router)) == 2
    auto = subnet(api, "2001:db8:2::/64", "admin", outside["id"], ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert len(addresses(api, router)) == 3
    assert api("admin", "DELETE", f"/subnets/{auto['id']}").status_code == 204
    assert len(addresses(api, router)) == 2
    assert refused(api("admin", "DELETE", f"/subnets/{six['id']}")) == (409, "SubnetInUse")
    assert api.get("alice", f"/routers/{router['id']}")["router"]["revision_number"] > before


def test_no_addresses_left(api: Api) -> None:
    network = external(api)
    pools = [{"start": "192.0.2.9", "end": "192.0.2.9"}]
    bare = api.make("alice", "router", **to(network))
    assert addresses(api, bare) == [], "a network without subnets has none to give"
    subnet(api, "192.0.2.0/24", "admin", network["id"], allocation_pools=pools)
    assert addresses(api, bare) == ["192.0.2.9"]
    answer = api("alice", "POST", "/routers", {"router": to(network)})
    assert refused(answer) == (409, "IpAddressGenerationFailure")
    assert len(api.get("alice", "/routers")["routers"]) == 1
    subnet(api, "2001:db8::/64", "admin", network["id"], allocation_pools=[])
    assert addresses(api, bare) == ["192.0.2.9"], "a pool with nothing in it is no reason not to make the subnet"


def test_its_alias(api: Api) -> None:
    assert "ext-gw-mode" in {one["alias"] for one in api.get("alice", "/extensions")["extensions"]}
