"""Which host answers physical hosts for a router's interface, as hosts come, go, and become able to do other things."""

import pytest
from tests.api.network.conftest import Api

from netweft.control.l3 import wire_hosts
from netweft.feed.reader import StoreReader
from netweft.feed.relevance import Rules, Topic
from netweft.feed.writer import _taken_over
from netweft.model.router import ANSWERS_HOSTS, ANSWERS_ON
from netweft.store import Claim, Object, Store

from .test_gateway_hosts import comes, goes
from .test_interfaces import add, remove, subnet


@pytest.fixture
def wired(api: Api) -> Object:
    vlan = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
    network = api.make("admin", "network", shared=True, **vlan)
    return subnet(api, "10.9.0.0/24", "admin", network["id"])


def interface(api: Api, on: Object) -> str:
    router = api.make("admin", "router")
    return str(add(api, router, "admin", subnet_id=on["id"])["port_id"])


def where(store: Store, port_id: str) -> str | None:
    with store.read() as tx:
        port = tx.get("ports", port_id)
        assert port is not None
        host = port.get(ANSWERS_ON)
        assert host is None or port_id in tx.held(wire_hosts.scope(host))
    return None if host is None else str(host)


def test_it_waits_for_one_that_is_wired_and_stays_there(api: Api, wired: Object, store: Store) -> None:
    comes(store, "hv1", able=False)
    port = interface(api, wired)
    assert where(store, port) == ""
    comes(store, "hv2")
    assert where(store, port) == "hv2"
    comes(store, "hv1", "hv3")
    assert where(store, port) == "hv2"


def test_a_host_that_is_gone_or_unwired_is_replaced(api: Api, wired: Object, store: Store) -> None:
    comes(store, "hv1", "hv2")
    port = interface(api, wired)
    first = where(store, port)
    other = "hv2" if first == "hv1" else "hv1"
    goes(store, str(first))
    assert where(store, port) == other
    goes(store, other)
    assert where(store, port) == other, "but not by nobody"
    comes(store, str(first))
    assert where(store, port) == other, "it goes on there, as far as anybody knows"
    comes(store, other, able=False)
    assert where(store, port) == first


def order(store: Store, port_id: str) -> list[str]:
    with store.read() as tx:
        port = tx.get("ports", port_id)
        assert port is not None
        hosts = wire_hosts.order(port)
        for host in ("hv1", "hv2", "hv3", "hv4"):
            assert (port_id in tx.held(wire_hosts.scope(host))) == (host in hosts)
    assert hosts[:1] == [port[ANSWERS_ON]]
    return hosts


def test_others_stand_by_and_say_when_they_have_taken_over(api: Api, wired: Object, store: Store) -> None:
    comes(store, "hv1")
    port = interface(api, wired)
    assert order(store, port) == ["hv1"]
    comes(store, "hv1", "hv2")
    assert order(store, port) == ["hv1", "hv2"], "there is room for more"
    comes(store, "hv3", "hv4")
    first = order(store, port)
    assert (first[0], len(first)) == ("hv1", 3)
    (left_out,) = {"hv1", "hv2", "hv3", "hv4"} - set(first)
    for host in (left_out, "hv1", first[1], first[1]):
        with store.write() as tx:
            _taken_over(tx, host, port)
        assert order(store, port) == ([first[1], "hv1", first[2]] if host == first[1] else first)
    goes(store, first[2])
    assert order(store, port)[0] == first[1]
    assert first[2] not in order(store, port)


def test_one_that_a_server_of_before_has_placed(api: Api, wired: Object, store: Store) -> None:
    comes(store, "hv1")
    port = interface(api, wired)
    with store.write() as tx:
        tx.release("ports", port, [Claim(wire_hosts.scope(""), port)])
        row = tx.lock("ports", port)
        assert row is not None
        tx.update("ports", port, {ANSWERS_HOSTS: None})
    comes(store, "hv2")
    assert order(store, port) == ["hv1"]
    comes(store, "hv1")
    assert order(store, port) == ["hv1", "hv2"]


def test_without_a_wire_there_is_none(api: Api, store: Store) -> None:
    comes(store, "hv1")
    port = interface(api, subnet(api, "10.8.0.0/24", "admin"))
    assert where(store, port) is None


def test_it_goes_with_the_interface(api: Api, wired: Object, store: Store) -> None:
    comes(store, "hv1")
    router = api.make("admin", "router")
    port = add(api, router, "admin", subnet_id=wired["id"])["port_id"]
    remove(api, router, "admin", port_id=port)
    with store.read() as tx:
        assert port not in tx.held(wire_hosts.scope("hv1"))


def test_nobody_sees_it_and_the_host_hears_of_the_router(api: Api, wired: Object, store: Store) -> None:
    comes(store, "hv1")
    port = interface(api, wired)
    assert ANSWERS_ON not in api.get("admin", f"/ports/{port}")["port"]
    with store.read() as tx:
        rows = Rules().load(StoreReader(tx), [Topic("host", "hv1")])
        found = list(Rules().entries("ports", rows["ports", port], {Topic("host", "hv1")}))
    assert {topic.name for entry in found for topic in entry.leads} == {"router", "network", "wire", "endpoint"}
