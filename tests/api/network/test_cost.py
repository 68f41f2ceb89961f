"""What a request asks of the database: this many statements, each compiled once however many requests come."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.api.network.conftest import Api

from netweft.store import query
from netweft.store.sql import Statement

Count = Callable[[], int]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Count:
    """How many since it was asked last."""
    seen: list[Statement] = []
    compiled = Statement.on

    def on(self: Statement, dialect: Any) -> Any:
        seen.append(self)
        return compiled(self, dialect)

    monkeypatch.setattr(Statement, "on", on)

    def count() -> int:
        found = len(seen)
        seen.clear()
        return found

    return count


def test_statements_of_a_request(api: Api, statements: Count) -> None:
    network = api.network("alice", "10.0.0.0/24")
    port = api.make("alice", "port", network_id=network["id"])
    for method, path, body, most in [
        ("GET", f"/networks/{network['id']}", None, 3),  # it, and who it is shared with: alice's project, everybody
        ("GET", f"/ports/{port['id']}", None, 2),  # it and its network
        ("GET", "/ports", None, 3),  # and which networks are alice's
        ("POST", "/ports", {"port": {"network_id": network["id"]}}, 15),
        ("PUT", f"/ports/{port['id']}", {"port": {"name": "new"}}, 7),
        ("DELETE", f"/ports/{port['id']}", None, 13),  # what it leaves behind, metadata as well
    ]:
        statements()
        assert api("alice", method, path, body).is_success
        assert statements() <= most, (method, path)


def test_a_bulk_needs_no_more_queries(api: Api, statements: Count) -> None:
    network = api.network("alice", "10.0.0.0/24")
    api.make("alice", "port", network_id=network["id"])
    statements()
    api.make_many("alice", "port", [{"network_id": network["id"]}] * 50)
    assert statements() <= 15


def test_queries_of_one_shape_are_compiled_once(api: Api) -> None:
    api.get("alice", "/networks?name=a&limit=5&tags=x&id=1&id=2")
    made = query.page.cache_info().misses
    for answer in range(5):
        api.get("alice", f"/networks?name={answer}&limit={answer + 1}&tags=y&id=3&id=4&id=5")
    assert query.page.cache_info().misses == made
