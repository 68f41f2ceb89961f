"""The store, as relevance asks it."""

from collections.abc import Iterable

from netweft.feed.objects import Row
from netweft.store import Query, ReadTransaction


class StoreReader:
    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx

    def find(self, kind: str, by: str, values: Iterable[str]) -> Iterable[Row]:
        if by == "id":
            return self._tx.get_many(kind, list(values)).values()
        return self._tx.query(kind, Query({by: list(values)}))
