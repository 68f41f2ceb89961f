"""Queries against a plain Python reading of the same question."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from netweft.store import Missing, New, Object, Query, Store, sql
from netweft.store.query import JsonDialect, bound, order_of, page
from netweft.store.schema import LOOKED_UP
from netweft.store.transaction import PART

PORTS: list[Object] = [
    {
        "id": f"id{i:02}",
        "name": f"n{i % 3}" if i % 4 else "",
        "network_id": f"net{i % 2}",
        "number": i % 5,
        "up": i % 2 == 0,
        "nothing": None if i % 3 else "some",
        "binding:host_id": "hv1" if i % 2 else "",
        "fixed_ips": [
            {"subnet_id": "s1", "ip_address": f"10.0.0.{i}"},
            {"subnet_id": "s2", "ip_address": f"fd00::{i}"},
        ],
        "security_groups": ["a", "b"] if i % 2 else ["b"],
    }
    for i in range(30)
]


@pytest.fixture
def filled(store: Store) -> Store:
    with store.write() as tx:
        tx.insert_many("ports", [New(port) for port in PORTS])
        tx.insert("networks", {"id": "id00", "name": "n0"})
    return store


@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_list_is_never_there_all_together(store: Store, monkeypatch: pytest.MonkeyPatch, reverse: bool) -> None:
    """What is decoded is looked at, and let go, before more is."""
    count, decode = 3 * PART + 1, sql._decode
    with store.write() as tx:
        tx.insert_many("ports", [New({"id": f"{at:06}", "name": ""}) for at in range(count)])
    decoded: list[Any] = []

    def counted(text: Any) -> Any:
        decoded.append(text)
        return decode(text)

    monkeypatch.setattr(sql, "_decode", counted)
    found: list[Object] = []
    with store.read() as reading:
        for part in reading.parts("ports", Query(reverse=reverse)):
            found += part
            assert len(part) <= PART
            assert len(decoded) == len(found)
    assert ids(found) == [f"{at:06}" for at in range(count)]


def ids(objects: list[Object]) -> list[str]:
    return [one["id"] for one in objects]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": ["n1"]}, lambda p: p["name"] == "n1"),
        ({"name": [""]}, lambda p: p["name"] == ""),
        (
            {"name": ["n1", "n2"], "network_id": ["net0"]},
            lambda p: p["name"] in ("n1", "n2") and p["network_id"] == "net0",
        ),
        ({"binding:host_id": ["hv1"]}, lambda p: p["binding:host_id"] == "hv1"),
        ({"binding:host_id": [""]}, lambda p: p["binding:host_id"] == ""),
        ({"up": [True]}, lambda p: p["up"]),
        ({"up": [True, False]}, lambda p: True),
        ({"number": [3, 4]}, lambda p: p["number"] in (3, 4)),
        ({"nothing": [None]}, lambda p: p["nothing"] is None),
        ({"nothing": [None, "some"]}, lambda p: True),
        ({"absent": [None]}, lambda p: True),
        ({"fixed_ips.ip_address": ["10.0.0.3", "fd00::4"]}, lambda p: p["id"] in ("id03", "id04")),
        ({"fixed_ips.subnet_id": ["s2"], "number": [1]}, lambda p: p["number"] == 1),
        ({"security_groups[]": ["a"]}, lambda p: "a" in p["security_groups"]),
        ({"id": ["id05", "id99"]}, lambda p: p["id"] == "id05"),
        ({"name": []}, lambda p: False),
    ],
)
def test_filters(filled: Store, filters: dict[str, list[Any]], expected: Any) -> None:
    with filled.read() as tx:
        found = tx.query("ports", Query(filters))
        assert found == [port for port in PORTS if expected(port)]
        assert tx.count("ports", filters) == len(found)
        assert sorted(tx.ids("ports", filters)) == ids(found)


def test_any_of_narrows_what_the_filters_leave(filled: Store) -> None:
    query = Query({"number": [1, 2]}, any_of=[{"name": ["n1"]}, {"network_id": ["net0"]}])
    with filled.read() as tx:
        found = ids(tx.query("ports", query))
    wanted = [p["id"] for p in PORTS if p["number"] in (1, 2) and (p["name"] == "n1" or p["network_id"] == "net0")]
    assert found == wanted


SORTS = [
    [],
    [("id", True)],
    [("name", False)],
    [("number", True), ("name", False)],
    [("up", False), ("network_id", True), ("id", True)],
    [("nothing", False)],
]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_put_together_are_the_whole_list(filled: Store, sort: list[tuple[str, bool]]) -> None:
    with filled.read() as tx:
        whole = ids(tx.query("ports", Query(sort=sort)))
        assert sorted(whole) == ids(PORTS)
        forward = list(_pages(tx, sort, reverse=False))
        backward = list(_pages(tx, sort, reverse=True))
    assert list(chain(*forward)) == whole
    assert list(chain(*reversed(backward))) == whole
    assert {len(page) for page in forward[:-1]} == {7}


def _pages(tx: Any, sort: list[tuple[str, bool]], *, reverse: bool) -> Iterator[list[str]]:
    marker = None
    while page := ids(tx.query("ports", Query(sort=sort, limit=7, marker=marker, reverse=reverse))):
        yield page
        marker = page[0] if reverse else page[-1]


@pytest.mark.parametrize("descending", [False, True])
def test_numbers_sort_as_numbers(store: Store, descending: bool) -> None:
    with store.write() as tx:
        tx.insert_many("things", [New({"id": str(n), "n": n}) for n in (9, 10, 2, 100)])
        found = tx.query("things", Query(sort=[("n", descending)]))
    assert [one["n"] for one in found] == sorted((9, 10, 2, 100), reverse=descending)


def test_a_marker_that_is_not_there(filled: Store) -> None:
    with filled.read() as tx, pytest.raises(Missing):
        tx.query("ports", Query(marker="nowhere"))


def test_a_name_that_looks_like_sql_or_a_path_is_just_a_name(filled: Store) -> None:
    with filled.read() as tx:
        for name in ("a' OR 1=1 --", "a%s", "a$"):
            assert tx.query("ports", Query({name: ["x"]})) == []


@pytest.mark.parametrize("name", sorted(LOOKED_UP))
@pytest.mark.parametrize("values", [["x"], ["x", "y"]], ids=["one", "some"])
def test_rows_are_found_by_their_index(filled: Store, name: str, values: list[str]) -> None:
    """And not by going through all of the kind, in the order in which they are asked for."""
    if not filled.embedded:
        pytest.skip("PostgreSQL knows how many there are")
    asked = Query({name: values, "up": [True]})
    dialect = JsonDialect()
    shapes, _ = bound(dialect, asked.filters)
    statement = page(dialect, shapes, (), order_of(asked), marked=False, limited=False)
    with filled.read() as tx:
        text = re.sub(r":\w+", "'x'", statement.on(tx._connection._dialect).sql)
        plan = " ".join(row[3] for row in tx._connection._cursor.execute(f"EXPLAIN QUERY PLAN {text}").fetchall())
    assert f"objects_{LOOKED_UP[name]} (kind=? AND {LOOKED_UP[name]}=?)" in plan
