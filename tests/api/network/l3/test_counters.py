"""Counters at the API: whoever sees an object sees what was counted of it."""

import pytest
from tests.api.network.conftest import Api, refused
from tests.api.network.test_parts_paged import asked, walk

from netweft.control.l3 import counters
from netweft.model.counting import Counted
from netweft.store import Object, Store

from .test_floating_ips import Place, make, place
from .test_gateways import external
from .test_port_forwardings import forward

PATH = "/netweft/counters"
NOTHING = {"packets_in": 0, "bytes_in": 0, "packets_out": 0, "bytes_out": 0}


@pytest.fixture
def there(api: Api) -> Place:
    return place(api, external(api, "192.0.2.0/24"))


def told(store: Store, kind: str, one: Object, packets: int, node: str = "hv1") -> None:
    """As if a node had it."""
    with store.write() as tx:
        found = Counted(kind=kind, id=one["id"], life=1, packets_in=packets, bytes_out=10 * packets)
        tx.counters.tell(node, [counters.told(found)])


def counter(api: Api, one: Object, who: str = "alice") -> Object:
    found: Object = api.get(who, f"{PATH}/{one['id']}")["counter"]
    return found


def test_before_anything_passed_there_are_noughts(api: Api, there: Place) -> None:
    lent = make(api, there.outside)
    assert counter(api, lent) == {
        "id": lent["id"],
        "object_type": "floatingip",
        "project_id": "red",
        "tenant_id": "red",
        **NOTHING,
        "updated_at": None,
    }


def test_each_kind(api: Api, store: Store, there: Place) -> None:
    lent, free = make(api, there.outside), make(api, there.outside)
    forwarding = forward(api, free, there.port)
    label = api("admin", "POST", "/metering/metering-labels", {"metering_label": {}}).json()["metering_label"]
    kinds = {"floatingips": lent, "port_forwardings": forwarding, "routers": there.router, "metering_labels": label}
    for number, (kind, one) in enumerate(kinds.items(), 1):
        told(store, kind, one, number)
        told(store, kind, one, 10 * number, "hv2")
        found = counter(api, one, "admin")
        assert (found["packets_in"], found["bytes_out"], found["packets_out"]) == (11 * number, 110 * number, 0)
        assert found["object_type"] + "s" == kind
        assert found["updated_at"]
    every, _ = asked(api, PATH, "", "admin")
    assert {one["id"] for one in every} >= {one["id"] for one in kinds.values()}


def test_who_sees_it(api: Api, there: Place) -> None:
    lent, free = make(api, there.outside), make(api, there.outside)
    forwarding = forward(api, free, there.port)
    label = api("admin", "POST", "/metering/metering-labels", {"metering_label": {}}).json()["metering_label"]
    for one in (lent, forwarding, there.router):
        for who in ("alice", "adam", "admin"):
            assert counter(api, one, who)["id"] == one["id"]
        assert refused(api("bob", "GET", f"{PATH}/{one['id']}")) == (404, "CountersNotFound")
    assert refused(api("alice", "GET", f"{PATH}/{label['id']}")) == (404, "CountersNotFound")
    for wrong in ("nobody", there.port["id"], "%00", "'"):
        assert refused(api("admin", "GET", f"{PATH}/{wrong}"))[0] in (400, 404)
    assert asked(api, PATH, "", "bob")[0] == []
    mine = {one["id"] for one in asked(api, PATH, "", "alice")[0]}
    assert mine == {lent["id"], free["id"], forwarding["id"], there.router["id"]}


def test_lists_have_filters_as_others(api: Api, store: Store, there: Place) -> None:
    lent = sorted((make(api, there.outside) for _ in range(3)), key=lambda one: str(one["id"]))
    for number, one in enumerate(lent):
        told(store, "floatingips", one, 9 - number)
    query = "object_type=floatingip"
    ids = [one["id"] for one in lent]
    assert [one["id"] for one in asked(api, PATH, query)[0]] == ids
    pages = walk(api, PATH, f"{query}&limit=2", "next")
    assert [[one["id"] for one in page] for page in pages] == [ids[:2], ids[2:]]
    by_packets = asked(api, PATH, f"{query}&sort_key=packets_in&fields=id")[0]
    assert by_packets == [{"id": id} for id in reversed(ids)]
    assert asked(api, PATH, f"id={ids[0]}&id={ids[1]}&fields=packets_in")[0] == [{"packets_in": 9}, {"packets_in": 8}]
    assert asked(api, PATH, "project_id=blue")[0] == []
    for wrong in ("object_type=network", "colour=red", "limit=x"):
        assert refused(api("admin", "GET", f"{PATH}?{wrong}"))[0] == 400
    assert refused(api("admin", "GET", f"{PATH}?marker=nobody"))[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nobody_writes_them(api: Api, there: Place, method: str) -> None:
    for path in (PATH, f"{PATH}/{there.router['id']}"):
        assert api("admin", method, path, {"counter": {}}).status_code in (404, 405)


def test_what_only_a_newer_agent_counts_is_left_out(store: Store) -> None:
    newer = Counted(kind="tunnels", id="t", life=1, packets_in=9)
    with store.write() as tx:
        assert counters.report(tx, "hv1", [newer]) == 0
