"""Whatever is done to routers and floating IPs, in any order: the rows agree, and nothing is left behind."""

from collections.abc import Callable
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.network.conftest import Api, MakeApi
from tests.examples import examples

from netweft.store import Object, Query, Store

# those that build come thrice as often as those that take away
BUILD = ("add subnet", "add port", "gateway", "route", "floating ip", "lead")
STEPS = (
    *(BUILD * 3),
    *("remove subnet", "remove port", "no gateway", "no routes", "free", "delete floating ip", "delete port"),
    *("readdress", "delete subnet", "delete router", "new subnet outside", "delete subnet outside", "not external"),
)
CIDRS = ("10.0.0.0/24", "10.0.0.0/25", "10.1.0.0/24", "fd00:1::/64", "fd00:2::/64")
OUTSIDE = ("192.0.2.0/24", "10.1.0.128/25")
Step = tuple[str, int, int]


class Cloud:
    """Two routers, networks inside and outside, and what a step may be about."""

    def __init__(self, api: Api, store: Store) -> None:
        self.api = api
        self.store = store
        unlimited = dict.fromkeys(("network", "router", "floatingip", "port", "subnet"), -1)
        assert api("admin", "PUT", "/quotas/admins", {"quota": unlimited}).status_code == 200
        self.outside = [api.make("admin", "network", **{"router:external": True})["id"] for _ in OUTSIDE]
        for network, cidr in zip(self.outside, OUTSIDE, strict=True):
            self.subnet(network, cidr)
        inside = [api.make("admin", "network")["id"] for _ in range(3)]
        self.subnets = [self.subnet(inside[at], cidr) for at, cidr in PLAN]
        self.routers = [api.make("admin", "router")["id"] for _ in range(2)]
        for step in (("add subnet", 0, 0), ("gateway", 0, 0), ("floating ip", 0, 0), ("lead", 0, 0)):
            self.do(step)

    def subnet(self, network: str, cidr: str, **values: Any) -> Object:
        return self.api.make(
            "admin", "subnet", network_id=network, ip_version=6 if ":" in cidr else 4, cidr=cidr, **values
        )

    def do(self, step: Step) -> None:
        name, one, other = step
        method, path, body = STEP[name](self, one, other)
        if path:
            answer = self.api("admin", method, path, body)
            assert answer.status_code < 500, (step, answer.text)

    def rows(self, kind: str, **filters: Any) -> list[Object]:
        with self.store.read() as tx:
            return tx.query(kind, Query({name: [value] for name, value in filters.items()}))

    def some(self, kind: str, at: int, **filters: Any) -> str:
        found = [row["id"] for row in self.rows(kind, **filters)]
        return found[at % len(found)] if found else ""


PLAN = [(0, CIDRS[0]), (0, CIDRS[3]), (1, CIDRS[1]), (2, CIDRS[2]), (0, CIDRS[4])]
Request = tuple[str, str, Any]
Make = Callable[[Cloud, int, int], Request]


def _of_router(verb: str, what: str) -> Make:
    def make(cloud: Cloud, one: int, other: int) -> Request:
        router = cloud.routers[one % 2]
        if what == "subnet_id":
            value = cloud.subnets[other % len(cloud.subnets)]["id"]
        elif verb == "remove":
            value = cloud.some("ports", other, device_id=router)
        else:
            network = cloud.subnets[other % len(cloud.subnets)]["network_id"]
            made = cloud.api("admin", "POST", "/ports", {"port": {"network_id": network}})
            value = made.json()["port"]["id"] if made.status_code == 201 else ""
        return "PUT", f"/routers/{router}/{verb}_router_interface" if value else "", {what: value}

    return make


def _router(values: Callable[[Cloud, int], Object]) -> Make:
    return lambda cloud, one, other: ("PUT", f"/routers/{cloud.routers[one % 2]}", {"router": values(cloud, other)})


def _gateway(cloud: Cloud, other: int) -> Object:
    return {"external_gateway_info": {"network_id": cloud.outside[other % 2], "enable_snat": bool(other % 3)}}


def _route(cloud: Cloud, other: int) -> Object:
    prefix = ip_network([*CIDRS, *OUTSIDE][other % 7])
    to = "172.16.0.0/12" if prefix.version == 4 else "fd99::/48"
    return {"routes": [{"destination": to, "nexthop": str(prefix.network_address + 77)}]}


def _floating(verb: str, body: Callable[[Cloud, int], Object]) -> Make:
    def make(cloud: Cloud, one: int, other: int) -> Request:
        id = cloud.some("floatingips", one)
        return verb, f"/floatingips/{id}" if id else "", {"floatingip": body(cloud, other)}

    return make


def _lead(cloud: Cloud, other: int) -> Object:
    """To a VM's port."""
    network = cloud.subnets[other % len(cloud.subnets)]["network_id"]
    vm: str | None = cloud.some("ports", other // 5, network_id=network, device_id="vm")
    if not vm:
        made = cloud.api("admin", "POST", "/ports", {"port": {"network_id": network, "device_id": "vm"}})
        vm = made.json()["port"]["id"] if made.status_code == 201 else None
    return {"port_id": vm}


def _gone(kind: str, path: str, **filters: Any) -> Make:
    def make(cloud: Cloud, one: int, other: int) -> Request:
        id = cloud.some(kind, one, **filters)
        return "DELETE", f"/{path}/{id}" if id else "", None

    return make


def _readdress(cloud: Cloud, one: int, other: int) -> Request:
    port = cloud.some("ports", one)
    return "PUT", f"/ports/{port}" if port else "", {"port": {"fixed_ips": [] if other % 2 else None}}


def _outside_subnet(cloud: Cloud, one: int, other: int) -> Request:
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"} if other % 2 else {}
    values = {"network_id": cloud.outside[one % 2], "ip_version": 6, "cidr": f"2001:db8:{one}{other}::/64"}
    return "POST", "/subnets", {"subnet": values | modes}


STEP: dict[str, Make] = {
    "add subnet": _of_router("add", "subnet_id"),
    "add port": _of_router("add", "port_id"),
    "remove subnet": _of_router("remove", "subnet_id"),
    "remove port": _of_router("remove", "port_id"),
    "gateway": _router(_gateway),
    "no gateway": _router(lambda cloud, other: {"external_gateway_info": None}),
    "route": _router(_route),
    "no routes": _router(lambda cloud, other: {"routes": []}),
    "floating ip": lambda cloud, one, other: (
        "POST",
        "/floatingips",
        {"floatingip": {"floating_network_id": cloud.outside[one % 2]}},
    ),
    "lead": _floating("PUT", _lead),
    "free": _floating("PUT", lambda cloud, other: {"port_id": None}),
    "delete floating ip": _floating("DELETE", lambda cloud, other: {}),
    "delete port": _gone("ports", "ports"),
    "readdress": _readdress,
    "delete subnet": _gone("subnets", "subnets", ip_version=4),
    "delete router": _gone("routers", "routers"),
    "new subnet outside": _outside_subnet,
    "delete subnet outside": _gone("subnets", "subnets", ip_version=6),
    "not external": lambda cloud, one, other: (
        "PUT",
        f"/networks/{cloud.outside[one % 2]}",
        {"network": {"router:external": bool(other % 2)}},
    ),
}


def check(cloud: Cloud) -> None:
    """What is said in two places is the same; what is attached does not overlap; what is needed is there."""
    subnets = {one["id"]: one for one in cloud.rows("subnets")}
    ports = {one["id"]: one for one in cloud.rows("ports")}
    routers = {one["id"]: one for one in cloud.rows("routers")}
    for router in routers.values():
        own = [port for port in ports.values() if port["device_id"] == router["id"]]
        inside = [port for port in own if port["device_owner"] == "network:router_interface"]
        gateways = [port for port in own if port["device_owner"] == "network:router_gateway"]
        assert router["netweft:networks"] == sorted({port["network_id"] for port in inside})
        assert [port["id"] for port in gateways] == [id for id in [router["netweft:gateway_port"]] if id]
        info = router["external_gateway_info"]
        said = [(info["network_id"], info["external_fixed_ips"])] if info else []
        assert [(port["network_id"], port["fixed_ips"]) for port in gateways] == said
        prefixes = [ip_network(subnets[f["subnet_id"]]["cidr"]) for port in own for f in port["fixed_ips"]]
        assert not any(a.version == b.version and a.overlaps(b) for a, b in combinations(set(prefixes), 2))
        assert len({f["subnet_id"] for port in inside for f in port["fixed_ips"]}) == sum(
            len(port["fixed_ips"]) for port in inside
        )
        assert {(port["binding:host_id"], port["status"]) for port in inside} <= {("", "ACTIVE")}
    floating = {one["id"]: one for one in cloud.rows("floatingips")}
    leading = {id: set(port.get("netweft:floating_ips") or ()) for id, port in ports.items()}
    for one in floating.values():
        assert ports[one["netweft:address_port"]]["device_id"] == one["id"]
        if one["port_id"]:
            assert one["id"] in leading[one["port_id"]]
            assert one["fixed_ip_address"] in {f["ip_address"] for f in ports[one["port_id"]]["fixed_ips"]}
            assert routers[one["router_id"]]["external_gateway_info"]["network_id"] == one["floating_network_id"]
            assert ports[one["port_id"]]["network_id"] in routers[one["router_id"]]["netweft:networks"]
    assert sum(map(len, leading.values())) == sum(bool(one["port_id"]) for one in floating.values())
    owned = {id for id, port in ports.items() if port["device_owner"].startswith("network:")}
    assert {ports[id]["device_id"] for id in owned} <= routers.keys() | floating.keys()


steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), min_size=10, max_size=40)


@pytest.mark.slow
@settings(
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(steps)
def test_any_order(make_api: MakeApi, store: Store, drawn: list[Step]) -> None:
    cloud = Cloud(make_api(), store)
    try:
        for step in drawn:
            cloud.do(step)
            check(cloud)
    finally:
        clear(cloud)
    assert [kind for kind in ("routers", "floatingips", "ports", "subnets", "networks") if cloud.rows(kind)] == []


def clear(cloud: Cloud) -> None:
    """All of it goes by what the API offers."""
    api = cloud.api
    for one in cloud.rows("floatingips"):
        assert api("admin", "DELETE", f"/floatingips/{one['id']}").status_code == 204
    for router in cloud.rows("routers"):
        path = f"/routers/{router['id']}"
        assert api("admin", "PUT", path, {"router": {"routes": []}}).status_code == 200
        for port in cloud.rows("ports", device_id=router["id"], device_owner="network:router_interface"):
            taken = api("admin", "PUT", f"{path}/remove_router_interface", {"port_id": port["id"]})
            assert taken.status_code == 200, taken.text
        gone = api("admin", "DELETE", path)
        assert gone.status_code == 204, gone.text
    for port in cloud.rows("ports"):
        gone = api("admin", "DELETE", f"/ports/{port['id']}")
        assert gone.status_code == 204, gone.text
    for network in cloud.rows("networks"):
        assert api("admin", "DELETE", f"/networks/{network['id']}").status_code == 204
