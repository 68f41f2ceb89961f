"""What mechanisms (switches, controllers) say of the ports that need something of them.

Kept on a port, not shown by itself: which mechanism has not what the port needs, and why; `status_detail` says so.
A bare-metal port is nothing but that: it is ACTIVE once its switch has it.
"""

from collections.abc import Collection, Mapping
from typing import Final

from netweft.control.l2.hosts import HOST, in_a_switch, is_bare_metal
from netweft.control.standard import bumped
from netweft.model.status import PLUGGED
from netweft.plugins.mechanisms import links_of, vetoes
from netweft.store import Claim, Object, ReadTransaction, WriteTransaction

LACKS: Final = "netweft:lacks"  # kept on a port: mechanism -> why


def scope(mechanism: str) -> str:
    """Where the ports are claimed, by their ids, of which the mechanism has said something."""
    return f"lacks:{mechanism}"


def told(tx: ReadTransaction, mechanism: str) -> dict[str, str]:
    """port -> what the mechanism has said of it."""
    rows = tx.get_many("ports", {id for _, id in tx.held(scope(mechanism)).values()})
    return {id: (row.get(LACKS) or {}).get(mechanism, "") for id, row in rows.items()}


def report(tx: WriteTransaction, mechanism: str, failed: Mapping[str, str], well: Collection[str]) -> None:
    """failed: port -> why; an empty text: no longer.  well: ports that have all that they need there.

    Ports that are gone meanwhile are no news."""
    bare = {id for id, row in tx.glance.get_many("ports", well).items() if is_bare_metal(row)}
    ports = tx.lock_many("ports", {*failed, *bare})
    changed = []
    for id, port in ports.items():
        before = port.get(LACKS) or {}
        lacks = {name: why for name, why in before.items() if name != mechanism}
        if why := failed.get(id) or (before.get(mechanism) if id not in well and id not in failed else ""):
            lacks[mechanism] = why
        changes: Object = {LACKS: lacks} if lacks != before else {}
        changes |= _status(port, is_well=not lacks and id in well) if is_bare_metal(port) else {}
        if changes.items() <= port.items():
            continue
        changed.append(port | bumped(port, changes))
        claim = [Claim(scope(mechanism), id)]
        if mechanism in lacks and mechanism not in before:
            tx.claim("ports", id, claim)
        elif mechanism in before and mechanism not in lacks:
            tx.release("ports", id, claim)
    tx.update_many("ports", changed)


def _status(port: Object, *, is_well: bool) -> Object:
    if not is_well or not port["admin_state_up"] or not port[HOST]:
        return {"status": "DOWN"}
    again = {} if port["status"] == "ACTIVE" else {PLUGGED: port.get(PLUGGED, 0) + 1}
    # one that was bound before its switch was known is bound now that it has it
    return {"status": "ACTIVE"} | again | in_a_switch(links_of(port))


def detail(port: Object) -> str:
    """For a person: what the node says, then the mechanisms."""
    lacks = port.get(LACKS) or {}
    said = (f"{name}: {why}" for name, why in sorted(lacks.items()))
    noted = vetoes.noted(port) if is_bare_metal(port) and port[HOST] else ()
    return "; ".join(filter(None, (port.get("status_detail") or "", *said, *noted)))
