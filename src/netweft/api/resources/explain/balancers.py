"""Load balancers and their parts, as what explains finds and shows them: by the other API's policy."""

from collections.abc import Callable
from typing import Any, Final

from netweft.api.lb import policy, views
from netweft.api.lb.descriptions import KINDS as DESCRIBED
from netweft.api.lb.descriptions import RULE, Kind
from netweft.api.querystring import Listing
from netweft.control.errors import NotFound
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store


class NothingHere(NotFound):
    message = "%(id)s is not there"


# by how an explanation calls them: a rule alone would be any of several
KINDS: Final = {"l7rule" if kind is RULE else kind.member: kind for kind in DESCRIBED}


class Balancing:
    """Of one kind: what explain asks a service and a policy of Networking's resources for."""

    def __init__(self, store: Store, kind: Kind) -> None:
        self._store, self._kind = store, kind

    def find(self, context: Context, listing: Listing, _: Callable[[Any], Any]) -> list[Object]:
        with self._store.read() as tx:
            rows = tx.query(self._kind.kind, Query(listing.query.filters))
        return [row for row in rows if policy.may_read(context, row["project_id"])]

    def show(self, context: Context, id: str, _: frozenset[str]) -> Object:
        with self._store.read() as tx:
            row = tx.get(self._kind.kind, id)
            if row is None or not policy.may_read(context, row["project_id"]):
                raise NothingHere(id=id)
            return views.told(tx, self._kind, [row])[0]

    def may_see(self, tx: ReadTransaction, context: Context, row: Object) -> bool:
        return policy.may_read(context, row["project_id"])
