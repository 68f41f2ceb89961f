"""What a look-up by key costs does not grow with what else there is (SQLite says how many steps it takes)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netweft.store import Claim, Link, New, Query, ReadTransaction, Store

FEW, MANY = 20, 2000


def steps(store: Store, work: Callable[[ReadTransaction], Any]) -> int:
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return 0

    with store.read() as tx:
        work(tx)
        driver = tx._connection._cursor.connection
        driver.set_progress_handler(counted, 1)
        work(tx)
        driver.set_progress_handler(None, 1)
    return count


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    def filled(path: Path, count: int) -> Store:
        store = Store.open(f"sqlite:///{path}")
        with store.write() as tx:
            tx.insert_many("networks", [New({"id": f"n{at}"}) for at in range(count)])
            tx.insert_many(
                "ports",
                [
                    New(
                        {"id": f"p{at}", "network_id": f"n{at}"},
                        links=[Link("network_id", "networks", f"n{at}")],
                        claims=[Claim("mac", str(at))],
                    )
                    for at in range(count)
                ],
            )
        return store

    folder = tmp_path_factory.mktemp("cost")
    both = [filled(folder / str(count), count) for count in (FEW, MANY)]
    yield both
    for store in both:
        store.close()


@pytest.mark.parametrize(
    "work",
    [
        lambda tx: tx.get("ports", "p7"),
        lambda tx: tx.get_many("ports", ["p7", "p8", "absent"]),
        lambda tx: tx.holders("mac", ["7", "8", "absent"]),
        lambda tx: tx.referrers("networks", ["n7", "n8"]),
        lambda tx: tx.ids("ports", {"network_id": ["n7", "n8"]}),
        lambda tx: tx.query("ports", Query({"id": ["p7", "p8"]})),
        lambda tx: tx.count("ports", {"network_id": ["n7", "n8"]}),
    ],
    ids=["get", "get_many", "holders", "referrers", "ids", "query", "count"],
)
def test_a_look_up_takes_as_many_steps_among_many(stores: list[Store], work: Callable[[ReadTransaction], Any]) -> None:
    few, many = (steps(store, work) for store in stores)
    assert few > 0
    assert many <= 2 * few
