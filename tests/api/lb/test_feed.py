"""Load balancers in the feed over HTTP: as their API shows them, to whom it shows them."""

from collections.abc import Iterator

from tests.api.lb.conftest import Lb
from tests.api.lb.test_tenants import tree
from tests.api.network.conftest import PEOPLE

from netweft.api.app import resources
from netweft.api.stream.policies import told
from netweft.api.stream.reading import Event, Reading
from netweft.settings import ServerSettings
from netweft.store import Store

KINDS = ("loadbalancers", "listeners", "pools", "members", "healthmonitors", "l7policies", "l7rules")


def events(reading: Reading) -> Iterator[Event]:
    while found := reading.more():
        yield from found


def test_each_part_is_shown_to_its_tenant_alone(lb: Lb, store: Store) -> None:
    paths = tree(lb)
    kinds = {kind: one for kind, one in told(resources(store, ServerSettings()), store).items() if kind in KINDS}
    readings = {who: Reading(store, kinds, PEOPLE[who]) for who in ("alice", "bob")}
    found = {event["kind"]: event["objects"] for event in events(readings["alice"]) if event["event"] == "changed"}
    for (name, path), kind in zip(paths.items(), KINDS, strict=True):
        assert found[kind] == [lb.get(path)], name
    assert all(event["event"] != "changed" for event in events(readings["bob"]))
    lb.delete(paths["rule"])
    gone = [event for event in events(readings["alice"]) if event["event"] == "gone"]
    assert [(event["kind"], event["ids"]) for event in gone] == [("l7rules", [paths["rule"].rpartition("/")[2]])]
    assert all(event["event"] == "place" for event in events(readings["bob"]))
