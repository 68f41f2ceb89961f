"""Which host answers physical hosts for a VIP on a provider network, and which nodes are told of it."""

from tests.api.lb.conftest import Lb
from tests.api.network.l3.test_gateway_hosts import comes, goes

from netweft.control.l3 import wire_hosts
from netweft.feed.reader import StoreReader
from netweft.feed.relevance import Rules, Topic
from netweft.model import LoadBalancer, VipPort
from netweft.model.router import ANSWERS_HOSTS, ANSWERS_ON
from netweft.store import Object, Store


def wired(lb: Lb) -> Object:
    segment = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
    network = lb.net.make("admin", "network", shared=True, **segment)
    return lb.net.make("admin", "subnet", network_id=network["id"], ip_version=4, cidr="10.9.0.0/24")


def order(store: Store, port_id: str) -> list[str] | None:
    with store.read() as tx:
        port = tx.get("ports", port_id) or {}
        hosts: list[str] | None = port.get(ANSWERS_HOSTS)
        assert all(port_id in tx.held(wire_hosts.scope(host)) for host in hosts or ())
        assert port.get(ANSWERS_ON) == (None if hosts is None else hosts[0])
    return hosts


def test_one_of_those_that_are_wired_answers_and_another_when_it_is_gone(lb: Lb, store: Store) -> None:
    comes(store, "hv1", able=False)
    comes(store, "hv2", "hv3")
    balancer = lb.balancer(vip_subnet_id=wired(lb)["id"])
    first, second = order(store, balancer["vip_port_id"]) or []
    assert {first, second} == {"hv2", "hv3"}
    goes(store, first)
    assert (order(store, balancer["vip_port_id"]) or [])[0] == second


def test_nobody_answers_on_an_overlay(lb: Lb, store: Store) -> None:
    comes(store, "hv2")
    assert order(store, lb.balancer()["vip_port_id"]) is None


def test_a_port_that_was_there_is_let_go_with_the_balancer(lb: Lb, store: Store) -> None:
    comes(store, "hv2")
    port = lb.net.make("admin", "port", network_id=wired(lb)["network_id"], project_id="red")
    balancer = lb.balancer(vip_port_id=port["id"])
    assert order(store, port["id"]) == ["hv2"]
    lb.delete(f"/loadbalancers/{balancer['id']}")
    assert order(store, port["id"]) is None
    with store.read() as tx:
        assert not tx.held(wire_hosts.scope("hv2"))


def test_a_node_that_answers_gets_it_without_a_port_there(lb: Lb, store: Store) -> None:
    comes(store, "hv2")
    subnet = wired(lb)
    balancer = lb.balancer(vip_subnet_id=subnet["id"])
    rules = Rules()
    with store.read() as tx:
        reader, host = StoreReader(tx), Topic("host", "hv2")
        led = {
            to
            for (kind, _), row in rules.load(reader, [host]).items()
            for one in rules.entries(kind, row, {host})
            for to in one.leads
        }
        network = Topic("network", subnet["network_id"])
        assert network in led
        rows = rules.load(reader, [network])
        told = [one.object for (kind, _), row in rows.items() for one in rules.entries(kind, row, {network})]
    (vip,) = (one for one in told if isinstance(one, VipPort))
    assert (vip.id, vip.order) == (balancer["vip_port_id"], ("hv2",))
    assert any(isinstance(one, LoadBalancer) for one in told)
