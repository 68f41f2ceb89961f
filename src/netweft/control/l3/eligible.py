"""Which agents may have a router's gateway: those that are switched on, in the zones that the router asks for."""

from collections.abc import Iterable

from netweft.control.zones import HINTS, zone_of
from netweft.store import Object, ReadTransaction


def for_router(tx: ReadTransaction, router_id: str, agents: Iterable[Object]) -> list[Object]:
    router = tx.get("routers", router_id)  # hints do not change
    hints = (router or {}).get(HINTS)
    return [one for one in agents if one["admin_state_up"] and (not hints or zone_of(one) in hints)]
