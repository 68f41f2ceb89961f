"""The kinds of things that a node should have: of each its types, its key, and who keeps it in order.

A new kind is one more line here, and whoever keeps it in `agent/parts` (`keepers`).
"""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

from msgspec import Struct

from netweft.dataplane.haproxy.values import Instance
from netweft.dataplane.host.values import Address, Endpoint, Guarantee, VethPair
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.ovsdb.rows import BridgeRow, KeptNumber, PortRow, VifTag, row_key
from netweft.dataplane.stt.values import SttNetwork
from netweft.model import PortStatus
from netweft.services.health.watched import Watched
from netweft.services.l3.values import LocalRouter
from netweft.services.names import Named
from netweft.services.pipeline import BridgeFlow
from netweft.services.service import Wanted
from netweft.services.values import Advertised, Lease


class Broken(Struct, frozen=True):
    """An object, not a port, of which nothing can be made.  why: for a person."""

    kind: str
    id: str
    why: str


Item: TypeAlias = Wanted | Instance | PortStatus | Broken | LocalRouter | Watched
ItemKey: TypeAlias = tuple[str, Any]  # the part, and the item's key in it

ROW: Final = "row"
LINK: Final = "link"
METER: Final = "meter"
GUARANTEE: Final = "guarantee"
LEASE: Final = "lease"
ADVERTISED: Final = "advertised"
NAMED: Final = "named"
WATCHED: Final = "watched"
STATUS: Final = "status"
BROKEN: Final = "broken"
PROXY: Final = "proxy"
STT: Final = "stt"
ROUTER: Final = "router"  # as it is rendered: not kept, for use between two refreshes


class Kind(Struct, frozen=True):
    """part: where it is kept with others: its name, or how to tell from the item.  key: unique in the part.
    value: what its keeper gets."""

    types: tuple[type, ...]
    part: str | Callable[[Any], str]
    key: Callable[[Any], Hashable]
    value: Callable[[Any], Any] = lambda item: item


KINDS: Final = (
    Kind((BridgeFlow,), lambda item: item.bridge, lambda item: item.flow.key, lambda item: item.flow),
    Kind((BridgeRow, PortRow, KeptNumber, VifTag), ROW, row_key),
    Kind((VethPair,), LINK, lambda item: item.name),
    Kind((Address,), LINK, lambda item: (item.interface, item.ip)),
    Kind((Endpoint,), LINK, lambda item: item.interface),
    Kind((DropMeter,), METER, lambda item: item.id),
    Kind((Guarantee,), GUARANTEE, lambda item: item.key),
    Kind((Lease,), LEASE, lambda item: item.number),
    Kind((Advertised,), ADVERTISED, lambda item: item.number),
    Kind((Named,), NAMED, lambda item: (item.port_id, item.place)),
    Kind((Instance,), PROXY, lambda item: item.id),
    Kind((SttNetwork,), STT, lambda item: item.vlan),
    Kind((Watched,), WATCHED, lambda item: item.member_id),
    Kind((PortStatus,), STATUS, lambda item: item.port_id),
    Kind((Broken,), BROKEN, lambda item: (item.kind, item.id)),
    Kind((LocalRouter,), ROUTER, lambda item: item.router.id),
)
_KIND_OF: Final = {type_: kind for kind in KINDS for type_ in kind.types}


def item_key(item: Item) -> ItemKey:
    kind = _KIND_OF[type(item)]
    return (kind.part if isinstance(kind.part, str) else kind.part(item), kind.key(item))


def value(item: Item) -> Any:
    return _KIND_OF[type(item)].value(item)
