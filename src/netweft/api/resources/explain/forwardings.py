"""Port forwardings, which are parts of floating IPs: whoever sees the floating IP has them explained."""

from collections.abc import Callable
from typing import Any

from netweft.api.policy import Policy
from netweft.api.querystring import Listing
from netweft.api.resources.l3.port_forwardings import shown
from netweft.control.l3 import forwardings
from netweft.control.l3.errors import PortForwardingNotFound
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store


class Forwardings:
    """What explain asks a service and a policy of Networking's resources for.  policy: of floating IPs."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store, self._policy = store, policy

    def find(self, context: Context, listing: Listing, _: Callable[[Any], Any]) -> list[Object]:
        with self._store.read() as tx:
            rows = tx.query(forwardings.KIND, Query(listing.query.filters))
            return [row for row in rows if self.may_see(tx, context, row)]

    def show(self, context: Context, id: str, _: frozenset[str]) -> Object:
        with self._store.read() as tx:
            row = tx.get(forwardings.KIND, id)
            if row is None or not self.may_see(tx, context, row):
                raise PortForwardingNotFound(id=id)
            return shown(row) | {name: row[name] for name in (forwardings.FIP, "project_id")}

    def may_see(self, tx: ReadTransaction, context: Context, row: Object) -> bool:
        floating_ip = tx.get("floatingips", row[forwardings.FIP])
        return floating_ip is not None and self._policy.may_see(tx, context, floating_ip)
