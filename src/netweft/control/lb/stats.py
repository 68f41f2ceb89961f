"""What listeners and balancers have carried, as it is told: sums over the nodes that count."""

from collections.abc import Iterable, Mapping
from typing import Final

from netweft.store import ReadTransaction

ZERO: Final[Mapping[str, int]] = {
    "active_connections": 0,
    "bytes_in": 0,
    "bytes_out": 0,
    "request_errors": 0,
    "total_connections": 0,
}


def of_listener(tx: ReadTransaction, id: str) -> dict[str, int]:
    """Nobody counts yet."""
    return dict(ZERO)


def of_listeners(tx: ReadTransaction, ids: Iterable[str]) -> dict[str, int]:
    every = [of_listener(tx, id) for id in ids]
    return {name: sum(one[name] for one in every) for name in ZERO}
