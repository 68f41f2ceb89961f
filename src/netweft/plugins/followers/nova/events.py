"""Which events of a port Nova has to be notified of, and in which order.  Pure.

    row of a port ──desired──▶ Told ◀──what Nova was told last      events(was, now) ──▶ POST os-server-external-events

Names and moments are Neutron's (`neutron/notifiers/nova.py`): a port of a server is plugged when it becomes ACTIVE,
unplugged when it is no longer, deleted with its row, and changed when what Nova's network info cache shows is other.
What is compared is a state, not a history, so nothing is lost while Nova is away; `plugged` counts, so that a port that
went down and came back in the meantime is sent all the same.
"""

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from netweft.model.status import PLUGGED
from netweft.store import Object

COMPUTE = "compute:"
# what Nova's info cache has of a port
SHOWN = (
    "mac_address", "fixed_ips", "network_id", "binding:vnic_type", "binding:vif_type", "binding:vif_details",
    "binding:profile", "dns_name",
)  # fmt: skip

Event: TypeAlias = dict[str, str]


class Told(Struct, frozen=True, omit_defaults=True):
    """server: whose port it is, empty: no server's.  plugged: which of its pluggings is in place, 0: none.
    shown: a digest of what Nova's cache has of it."""

    server: str = ""
    plugged: int = 0
    shown: str = ""


def desired(row: Object) -> Told:
    server = row.get("device_id") or ""
    if not row.get("device_owner", "").startswith(COMPUTE) or not _is_uuid(server):
        return Told()
    plugged = int(row.get(PLUGGED, 1)) if row.get("status") == "ACTIVE" else 0
    return Told(server, plugged, _digest({name: row.get(name) for name in SHOWN}))


def events(port_id: str, was: Told, now: Told | None) -> Iterator[Event]:
    """In order.  A port that Nova was never notified of is no change to it: it made that port itself.
    now: None when the row is deleted."""
    if now is None or was.server != now.server:
        if was.server:
            yield _event("network-vif-deleted" if now is None else "network-changed", was.server, port_id)
        was = Told()
    if now is None or not now.server:
        return
    if was.plugged and was.plugged != now.plugged:
        yield _event("network-vif-unplugged", now.server, port_id)
    if was.server and was.shown != now.shown:
        yield _event("network-changed", now.server, port_id)
    if now.plugged and was.plugged != now.plugged:
        yield _event("network-vif-plugged", now.server, port_id)


def _event(name: str, server: str, port_id: str) -> Event:
    return {"name": name, "server_uuid": server, "tag": port_id, "status": "completed"}


def _digest(value: Any) -> str:
    return hashlib.blake2s(msgspec.json.encode(value, order="sorted"), digest_size=8).hexdigest()


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
