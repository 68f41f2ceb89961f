"""Routers' interfaces that hosts behind a VTEP use: one node answers them there, as it does on a wire (`wire_hosts`).

Which these are its mechanism sees, level-triggered, as it sees what racks need (`l2/dynamic_segments`).
"""

from collections.abc import Collection

from netweft.control.l3 import wire_hosts
from netweft.control.l3.wire_hosts import BEHIND
from netweft.model.router import INTERFACE_OWNER
from netweft.store import Claim, Object, WriteTransaction


def scope(switch: str) -> str:
    """Where interfaces are claimed, by their ids, that hosts behind this switch use."""
    return f"behind:{switch}"


def follow(tx: WriteTransaction, switch: str, interfaces: Collection[str]) -> None:
    """interfaces: all that hosts behind it use, by their ports' ids.  Those that are gone are no news."""
    held = {id for _, id in tx.held(scope(switch)).values()}
    other = held.symmetric_difference(interfaces)
    for id, port in sorted(tx.lock_many("ports", other).items() if other else ()):
        if id in held:
            _leave(tx, port, switch)
        elif port.get("device_owner") == INTERFACE_OWNER:
            tx.claim("ports", id, [Claim(scope(switch), id)])
            wire_hosts.added(tx, tx.update("ports", id, {BEHIND: sorted({*_switches(port), switch})}))


def _leave(tx: WriteTransaction, port: Object, switch: str) -> None:
    left = [one for one in _switches(port) if one != switch]
    tx.release("ports", port["id"], [Claim(scope(switch), port["id"])])
    port = tx.update("ports", port["id"], {BEHIND: left})
    network = tx.glance.get("networks", port["network_id"])
    if not left and not (network and wire_hosts.has_wire(network)):
        wire_hosts.removed(tx, port)


def _switches(port: Object) -> list[str]:
    return port.get(BEHIND) or []
