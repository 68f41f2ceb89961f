"""What listeners and balancers have carried, as it is told: sums over the nodes that count (decision 0591)."""

import time
from collections.abc import Collection, Iterable
from typing import Final

from netweft.control.lb.vocabulary import LISTENERS, POOLS
from netweft.model.counting import ACTIVE, ERRORS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.store import Object, Query, ReadTransaction

FRESH_SECONDS: Final = 180.0  # a node that has told of open connections no more may have none
NAMES: Final = ("active_connections", "bytes_in", "bytes_out", "request_errors", "total_connections")


def of_listener(tx: ReadTransaction, id: str) -> dict[str, int]:
    return of_listeners(tx, [id])


def of_listeners(tx: ReadTransaction, ids: Iterable[str]) -> dict[str, int]:
    """Added up."""
    wanted = list(ids)
    rows = tx.get_many(LISTENERS, wanted)
    carried = tx.counters.sums(LISTENERS, wanted).values()
    connections = tx.counters.sums(POOLS, _pools(tx, rows.values())).values()
    active = tx.counters.sums(ACTIVE, wanted, since=time.time() - FRESH_SECONDS).values()
    errors = tx.counters.sums(ERRORS, wanted).values()
    return dict.fromkeys(NAMES, 0) | {
        "active_connections": sum(one.packets_in for one in active),
        "bytes_in": sum(one.bytes_in for one in carried),
        "bytes_out": sum(one.bytes_out for one in carried),
        "request_errors": sum(one.packets_in for one in errors),
        "total_connections": sum(one.packets_in for one in connections),
    }


def _pools(tx: ReadTransaction, listeners: Collection[Object]) -> set[str]:
    """Whose connections are theirs: of a pool that several listeners share, those of the one with the first id."""
    balancers = {row[LOAD_BALANCER] for row in listeners}
    every = tx.query(LISTENERS, Query({LOAD_BALANCER: sorted(balancers)})) if balancers else []
    first: dict[str, str] = {}
    for row in sorted(every, key=lambda one: str(one["id"])):
        if row.get("default_pool_id"):
            first.setdefault(row["default_pool_id"], row["id"])
    own = {row["id"] for row in listeners}
    return {pool for pool, listener in first.items() if listener in own}
