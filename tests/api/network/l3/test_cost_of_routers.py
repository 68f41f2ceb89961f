"""What a change of a router costs the database beside many others: counted in steps of SQLite's machine, which a table
that is gone through row by row would show."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool
from tests.api.network.conftest import Api

from netweft.control.l2.binding import node_connected
from netweft.feed.reader import StoreReader
from netweft.model import NodeFacts
from netweft.store import Store

from .test_floating_ips import Place, make, place
from .test_gateways import external
from .test_interfaces import act, subnet

FEW, MANY = 3, 40
EACH = 10  # steps
Count = Callable[[], int]


@pytest.fixture
def steps() -> Iterator[Count]:
    """How many since it was asked last."""
    seen = [0]

    def note() -> int:
        seen[0] += EACH
        return 0

    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.set_progress_handler(note, EACH)

    def count() -> int:
        found, seen[0] = seen[0], 0
        return found

    event.listen(Pool, "connect", connected)
    yield count
    event.remove(Pool, "connect", connected)


def test_of_one_change(steps: Count, api: Api) -> None:
    outside = external(api, "192.0.2.0/24")
    here: Place = place(api, outside)
    floating = make(api, outside)
    more = subnet(api, "10.1.0.0/24", "alice")
    quota = dict.fromkeys(("router", "floatingip", "network", "subnet", "port"), -1)
    assert api("admin", "PUT", f"/quotas/{more['project_id']}", {"quota": quota}).is_success
    found: list[dict[str, int]] = []
    there = 0
    for size in (FEW, MANY):
        while there < size:
            other = place(api, outside)
            make(api, outside, port_id=other.port["id"])
            there += 1
        cost: dict[str, int] = {}
        for name, change in (
            ("led to a port", lambda: api("alice", "PUT", f"/floatingips/{floating['id']}", led(here.port["id"]))),
            ("led away", lambda: api("alice", "PUT", f"/floatingips/{floating['id']}", led(None))),
            ("interface added", lambda: act(api, here.router, "add", subnet_id=more["id"])),
            ("interface removed", lambda: act(api, here.router, "remove", subnet_id=more["id"])),
        ):
            steps()
            assert change().is_success, name
            cost[name] = steps()
        found.append(cost)
    few, many = found
    assert {name: many[name] <= 1.1 * few[name] for name in few} == dict.fromkeys(few, True), found


def led(port_id: str | None) -> dict[str, object]:
    return {"floatingip": {"port_id": port_id}}


def test_of_a_hosts_agent_looked_for(steps: Count, api: Api, store: Store) -> None:
    """By the feed, for each host that a peer is on."""
    assert api is not None
    found = []
    for hosts in (range(FEW), range(FEW, MANY)):
        for number in hosts:
            with store.write() as tx:
                node_connected(tx, f"hv{number}", NodeFacts(tunnel_ip=f"192.0.2.{number + 1}", tunnel_types=("vxlan",)))
        with store.read() as tx:
            steps()
            (agent,) = StoreReader(tx).find("agents", "host", ["hv1"])
            assert agent["host"] == "hv1"
            assert not list(StoreReader(tx).find("agents", "host", ["nowhere"]))
        found.append(steps())
    assert found[1] <= found[0] + 3 * EACH, found
