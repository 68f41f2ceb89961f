"""What nodes are told of where a floating IP has been, so that they know whether somebody else may have it still."""

from typing import Any

import pytest
from tests.api.network.conftest import Api

from netweft.control.l3 import associations
from netweft.feed import objects
from netweft.model import FloatingIp, Port
from netweft.model.router import LED
from netweft.store import Object, Store

from .test_floating_ips import Place, change, make, place
from .test_gateways import external


@pytest.fixture
def there(api: Api) -> Place:
    return place(api, external(api, "192.0.2.0/24"))


def bound(api: Api, there: Place, host: str) -> Object:
    port: Object = api.make("alice", "port", network_id=there.port["network_id"])
    return moved(api, port, host)


def moved(api: Api, port: Object, host: str) -> Object:
    changed: Object = api("admin", "PUT", f"/ports/{port['id']}", {"port": {"binding:host_id": host}}).json()["port"]
    return changed


def told(store: Store, one: Object) -> tuple[str | None, bool | None]:
    """Of the floating IP, and of the port that it leads to."""
    with store.read() as tx:
        row = tx.get("floatingips", one["id"])
        assert row is not None
        floating: FloatingIp | None = objects.floating_ip(row)
        port: Any = tx.get("ports", row["port_id"]) if row["port_id"] else None
    wired: Port | None = objects.port(port) if port else None
    return floating.led_on if floating else None, wired.left if wired else None


def test_the_only_host_that_it_has_led_to_ports_on(api: Api, there: Place, store: Store) -> None:
    one, two, far = (bound(api, there, host) for host in ("hv1", "hv1", "hv2"))
    floating = make(api, there.outside)
    for port in (one, None, one, two):
        change(api, floating, port_id=port and port["id"])
        assert told(store, floating) == (("hv1", False) if port else (None, None))
    for port in (far, one, None, one):
        change(api, floating, port_id=port and port["id"])
        assert told(store, floating) == (("*", False) if port else (None, None)), "it has been elsewhere, for ever"


def alone(store: Store, one: Object, host: str, ago: int = 0) -> None:
    """That host says so; ago: how often it has been led elsewhere since."""
    with store.read() as seen:
        row = seen.get("floatingips", one["id"])
    assert row is not None
    with store.write() as tx:
        associations.has_alone(tx, host, one["id"], row[LED] - ago)


def test_forgotten_once_its_host_has_it_alone(api: Api, there: Place, store: Store) -> None:
    one, two, far = (bound(api, there, host) for host in ("hv1", "hv1", "hv2"))
    floating = make(api, there.outside, port_id=one["id"])
    for port in (far, one):
        change(api, floating, port_id=port["id"])
    before = api.get("alice", f"/floatingips/{floating['id']}")["floatingip"]
    alone(store, floating, "hv2")
    alone(store, floating, "hv1", ago=1)
    assert told(store, floating) == ("*", False), "of another, or of a time before"
    alone(store, floating, "hv1")
    assert told(store, floating) == ("hv1", False)
    assert api.get("alice", f"/floatingips/{floating['id']}")["floatingip"] == before, "nobody sees it"
    change(api, floating, port_id=two["id"])
    assert told(store, floating) == ("hv1", False)
    change(api, floating, port_id=far["id"])
    assert told(store, floating) == ("*", False)
    change(api, floating, port_id=None)
    alone(store, floating, "hv2")
    change(api, floating, port_id=far["id"])
    assert told(store, floating) == ("*", False), "where it led nowhere meanwhile"


def test_not_while_its_vm_moves(api: Api, there: Place, store: Store) -> None:
    port, far = bound(api, there, "hv1"), bound(api, there, "hv2")
    floating = make(api, there.outside, port_id=far["id"])
    change(api, floating, port_id=port["id"])
    for host in ("hv2", "hv1"):
        moved(api, port, host)
    alone(store, floating, "hv1")
    assert told(store, floating) == ("*", True)


def test_nor_of_one_that_is_gone(api: Api, there: Place, store: Store) -> None:
    with store.write() as tx:
        associations.has_alone(tx, "hv1", "00000000-0000-4000-8000-000000000000", 1)
        associations.has_alone(tx, "hv1", "x" * 10_000, -(2**63))


def test_it_does_not_follow_its_vm(api: Api, there: Place, store: Store) -> None:
    port = bound(api, there, "hv1")
    floating = make(api, there.outside, port_id=port["id"])
    assert told(store, floating) == ("hv1", False)
    for host in ("hv2", "", "hv1"):
        moved(api, port, host)
        assert told(store, floating) == ("hv1", True)


def test_where_its_port_was_nowhere_the_gateways_node_has_had_it(api: Api, there: Place, store: Store) -> None:
    floating = make(api, there.outside, port_id=there.port["id"])
    moved(api, there.port, "hv1")
    assert told(store, floating) == ("*", False)


def forward(api: Api, floating: Object, port: Object, outside: int = 80) -> str:
    wanted = {"protocol": "tcp", "internal_port": outside, "external_port": outside, "internal_port_id": port["id"]}
    wanted["internal_ip_address"] = port["fixed_ips"][0]["ip_address"]
    path = f"/floatingips/{floating['id']}/port_forwardings"
    made = api("alice", "POST", path, {"port_forwarding": wanted})
    assert made.status_code == 201, made.text
    return f"{path}/{made.json()['port_forwarding']['id']}"


def test_where_only_ports_of_it_were_forwarded_as_well(api: Api, there: Place, store: Store) -> None:
    floating, port = make(api, there.outside), bound(api, there, "hv1")
    assert api("alice", "DELETE", forward(api, floating, port)).status_code == 204
    change(api, floating, port_id=port["id"])
    assert told(store, floating) == ("*", False)


def times(store: Store, one: Object) -> int:
    with store.read() as tx:
        row = tx.get("floatingips", one["id"])
    assert row is not None
    floating = objects.floating_ip(row)
    return floating.led if floating else 0


def test_how_often_it_was_led_elsewhere(api: Api, there: Place, store: Store) -> None:
    """The first time nobody else can have it, as when its ports are forwarded; more of them lead nowhere else."""
    floating, port = make(api, there.outside), bound(api, there, "hv1")
    made = [forward(api, floating, port, number) for number in (80, 81)]
    assert times(store, floating) == 1
    assert [api("alice", "DELETE", one).status_code for one in made] == [204, 204]
    assert times(store, floating) == 0, "it leads nowhere: no node is told of it"
    forward(api, floating, port)
    assert times(store, floating) == 2
    assert times(store, make(api, there.outside, port_id=there.port["id"])) == 1


def test_one_from_before_it_was_counted_may_have_been_anywhere(api: Api, there: Place, store: Store) -> None:
    floating, port = make(api, there.outside), bound(api, there, "hv1")
    change(api, floating, port_id=port["id"])
    change(api, floating, port_id=None)
    with store.write() as tx:
        row = tx.lock("floatingips", floating["id"])
        assert row is not None
        tx.update("floatingips", floating["id"], {LED: None})
    forward(api, floating, port)
    assert times(store, floating) == 2
