"""Which agents may have a router's gateway by the zones that the router requests: without hints any."""

from collections.abc import Iterable

from netweft.control.zones import HINTS, zone_of
from netweft.store import Object, ReadTransaction


def in_its_zones(tx: ReadTransaction, router_id: str, agents: Iterable[Object]) -> set[str]:
    """Their hosts."""
    hints = (tx.get("routers", router_id) or {}).get(HINTS)  # these do not change
    return {one["host"] for one in agents if not hints or zone_of(one) in hints}
