"""On which host a router's gateway is, as hosts come, go, and become able to do other things."""

import pytest
from tests.api.network.conftest import Api

from netweft.control.l2 import binding
from netweft.control.l3 import gateway_hosts
from netweft.model import NodeFacts
from netweft.store import Object, Store

from .test_gateways import gateway, to
from .test_interfaces import add, subnet

ABLE = {"physnet9": "br-ex"}


@pytest.fixture
def outside(api: Api) -> Object:
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
    network = api.make("admin", "network", name="out", **{"router:external": True}, **flat)
    subnet(api, "192.0.2.0/24", "admin", network["id"])
    return network


def comes(store: Store, *hosts: str, able: bool = True) -> None:
    with store.write() as tx:
        for number, host in enumerate(hosts):
            facts = NodeFacts(tunnel_ip=f"198.51.100.{number + 1}", bridge_mappings=ABLE if able else {})
            binding.node_connected(tx, host, facts)


def goes(store: Store, host: str) -> None:
    with store.write() as tx:
        binding.node_gone(tx, host)


def where(api: Api, router: Object) -> str:
    port = gateway(api, router)
    assert port["status"] == ("ACTIVE" if port["binding:host_id"] else "DOWN")
    return str(port["binding:host_id"])


def test_without_a_host_it_waits_for_one(api: Api, outside: Object, store: Store) -> None:
    comes(store, "hv1", able=False)
    router = api.make("alice", "router", **to(outside))
    assert where(api, router) == ""
    comes(store, "hv2")
    assert where(api, router) == "hv2"


def test_one_that_is_there_already_is_taken(api: Api, outside: Object, store: Store) -> None:
    comes(store, "hv1", able=False)
    comes(store, "hv2")
    assert where(api, api.make("alice", "router", **to(outside))) == "hv2"


def test_routers_are_spread_and_stay_where_they_are(api: Api, outside: Object, store: Store) -> None:
    comes(store, "hv1", "hv2", "hv3")
    routers = [api.make("alice", "router", **to(outside)) for _ in range(9)]
    before = [where(api, router) for router in routers]
    assert len(set(before)) > 1
    comes(store, "hv4")
    assert [where(api, router) for router in routers] == before


def test_a_host_that_is_gone_is_replaced(api: Api, outside: Object, store: Store) -> None:
    """But not by nobody: what is wired stays wired."""
    comes(store, "hv1", "hv2")
    router = api.make("alice", "router", **to(outside))
    first = where(api, router)
    other = "hv2" if first == "hv1" else "hv1"
    goes(store, first)
    assert where(api, router) == other
    goes(store, other)
    assert where(api, router) == other
    comes(store, first)
    assert where(api, router) == other, "it goes on there, as far as anybody knows"
    new = api.make("alice", "router", **to(outside))
    assert where(api, new) == first, "but a new one goes where somebody is"


def test_a_host_that_cannot_any_more_is_replaced(api: Api, outside: Object, store: Store) -> None:
    comes(store, "hv1")
    router = api.make("alice", "router", **to(outside))
    comes(store, "hv2")
    comes(store, "hv1", able=False)
    assert where(api, router) == "hv2"


def test_nodes_that_say_what_is_plugged_in_take_it_away_from_nobody(api: Api, outside: Object, store: Store) -> None:
    comes(store, "hv1")
    router = api.make("alice", "router", **to(outside))
    with store.write() as tx:
        binding.report_ports(tx, "hv1", [], complete=True)
    assert where(api, router) == "hv1"


def test_floating_ips_say_whether_somebody_carries_them(api: Api, outside: Object, store: Store) -> None:
    network = api.make("alice", "network")
    inside = subnet(api, "10.1.0.0/24", network=network["id"])
    router = api.make("alice", "router", **to(outside))
    add(api, router, subnet_id=inside["id"])
    port = api.make("alice", "port", network_id=network["id"])
    made = api.make("alice", "floatingip", floating_network_id=outside["id"], port_id=port["id"])
    assert made["status"] == "DOWN"
    comes(store, "hv1")
    assert api.get("alice", f"/floatingips/{made['id']}")["floatingip"]["status"] == "ACTIVE"
    free = api("alice", "PUT", f"/floatingips/{made['id']}", {"floatingip": {"port_id": None}})
    assert free.json()["floatingip"]["status"] == "DOWN"


def test_several_gateways_are_on_one_host(api: Api, outside: Object, store: Store) -> None:
    """On one that is wired to all of their networks, if there is one; what is not wired there is down."""
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet8"}
    other = api.make("admin", "network", name="other", **{"router:external": True}, **flat)
    subnet(api, "198.51.100.0/24", "admin", other["id"])

    def hosts(router: Object) -> list[tuple[str, str]]:
        ids = f"/ports?device_id={router['id']}&device_owner=network:router_gateway"
        ports = {one["network_id"]: one for one in api.get("admin", ids)["ports"]}
        return [(ports[one["id"]]["binding:host_id"], ports[one["id"]]["status"]) for one in (outside, other)]

    comes(store, "hv1", "hv2")
    routers = [api.make("alice", "router", **to(outside)) for _ in range(6)]
    for router in routers:
        body = {"router": {"external_gateways": [{"network_id": other["id"]}]}}
        assert api("alice", "PUT", f"/routers/{router['id']}/add_external_gateways", body).status_code == 200
        assert hosts(router) == [(hosts(router)[0][0], "ACTIVE"), ("", "DOWN")]
    both = ABLE | {"physnet8": "br-ex8"}
    with store.write() as tx:
        binding.node_connected(tx, "hv3", NodeFacts(tunnel_ip="198.51.100.3", bridge_mappings=both))
    assert [hosts(router) for router in routers] == [[("hv3", "ACTIVE")] * 2] * 6
    goes(store, "hv3")
    for router in routers:
        first, second = hosts(router)
        assert first[0] in ("hv1", "hv2")
        assert second == ("", "DOWN")


def order(api: Api, store: Store, router: Object) -> list[str]:
    """Who has it, then who takes over; and each of them is led to it."""
    with store.read() as tx:
        port = tx.get("ports", gateway(api, router)["id"])
        assert port is not None
        found = gateway_hosts.order(port)
        held = {host for host in HOSTS if port["id"] in tx.held(gateway_hosts.scope(host))}
    assert held == set(found)
    assert port["binding:host_id"] == next(iter(found), "")
    return found


HOSTS = [f"hv{number}" for number in range(1, 8)]


def test_three_take_turns(api: Api, outside: Object, store: Store) -> None:
    """One that comes takes its place behind who has it; one that goes leaves it to others."""
    comes(store, "hv1")
    router = api.make("alice", "router", **to(outside))
    assert order(api, store, router) == ["hv1"]
    comes(store, *HOSTS)
    first, *others = order(api, store, router)
    assert first == "hv1"
    assert len(others) == 2
    goes(store, others[0])
    assert others[0] not in order(api, store, router)
    assert len(order(api, store, router)) == 3


def test_an_order_is_spread_by_weight(api: Api, outside: Object, store: Store) -> None:
    """One host more takes what it is best for, and nothing else moves."""
    comes(store, *HOSTS[:5])
    routers = [api.make("alice", "router", **to(outside)) for _ in range(10)]
    before = [order(api, store, router) for router in routers]
    comes(store, "hv6")
    for was, router in zip(before, routers, strict=True):
        now = order(api, store, router)
        assert now[0] == was[0]
        if "hv6" not in now:
            assert now == was
        else:
            assert [host for host in now if host != "hv6"] == was[:2]


def test_who_takes_over_has_it_from_then_on(api: Api, outside: Object, store: Store) -> None:
    """Also when the one before comes back."""
    comes(store, *HOSTS[:3])
    router = api.make("alice", "router", **to(outside))
    before = order(api, store, router)
    port_id = gateway(api, router)["id"]
    with store.write() as tx:
        gateway_hosts.taken_over(tx, before[1], port_id)
    assert order(api, store, router) == [before[1], before[0], before[2]]
    goes(store, before[0])
    comes(store, before[0])
    assert order(api, store, router)[0] == before[1]


def test_several_gateways_are_taken_over_together(api: Api, outside: Object, store: Store) -> None:
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet8"}
    other = api.make("admin", "network", name="other", **{"router:external": True}, **flat)
    subnet(api, "198.51.100.0/24", "admin", other["id"])
    for number, host in enumerate(HOSTS[:3]):
        able = ABLE | ({} if host == "hv3" else {"physnet8": "br-ex8"})
        with store.write() as tx:
            facts = NodeFacts(tunnel_ip=f"198.51.100.{number + 1}", bridge_mappings=able)
            binding.node_connected(tx, host, facts)
    router = api.make("alice", "router", **to(outside))
    body = {"router": {"external_gateways": [{"network_id": other["id"]}]}}
    assert api("alice", "PUT", f"/routers/{router['id']}/add_external_gateways", body).status_code == 200
    listed = f"/ports?device_id={router['id']}&device_owner=network:router_gateway"
    ids = {one["network_id"]: one["id"] for one in api.get("admin", listed)["ports"]}

    def orders() -> list[list[str]]:
        with store.read() as tx:
            ports = [tx.get("ports", ids[network["id"]]) for network in (outside, other)]
        return [gateway_hosts.order(port) for port in ports if port]

    first, second = orders()
    assert sorted(second) == ["hv1", "hv2"]
    assert first == [*second, "hv3"], "who is wired to one of them only comes last"
    with store.write() as tx:
        gateway_hosts.taken_over(tx, first[1], ids[other["id"]])
    assert orders() == [first, second], "the first gateway says where they are"
    with store.write() as tx:
        gateway_hosts.taken_over(tx, first[1], ids[outside["id"]])
    assert orders() == [[first[1], first[0], "hv3"], [first[1], first[0]]]
    with store.write() as tx:
        gateway_hosts.taken_over(tx, "hv3", ids[outside["id"]])
    assert orders() == [["hv3", first[1], first[0]], []], "what is not wired there is nowhere"


def test_nobody_else_takes_over(api: Api, outside: Object, store: Store) -> None:
    """A host that is not in the order, the one that has it; what is no gateway's port."""
    comes(store, "hv1", "hv2")
    router = api.make("alice", "router", **to(outside))
    before = order(api, store, router)
    with store.write() as tx:
        gateway_hosts.taken_over(tx, "hv9", gateway(api, router)["id"])
        gateway_hosts.taken_over(tx, before[0], gateway(api, router)["id"])
        gateway_hosts.taken_over(tx, before[1], "no such port")
        gateway_hosts.taken_over(tx, before[1], router["id"])
    assert order(api, store, router) == before
