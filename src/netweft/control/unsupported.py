"""What mechanisms (OVN) say of balancers, their parts and firewall groups that they cannot carry.

Kept on each, as on ports (`l2.wires`): which mechanism does not, and why.  Of balancers it is shown as `status_detail`,
and by operating statuses: what is not carried is ERROR for a listener, and DEGRADED for what is carried without it
(`lb.shown`).  A firewall group is ERROR (`fwaas.status`), and `explain` says why.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from netweft.control.lb.vocabulary import BALANCERS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.store import Claim, Object, ReadTransaction, WriteTransaction

LACKS: Final = "netweft:lacks"
Part: TypeAlias = tuple[str, str]
"""Kind and id."""


def scope(mechanism: str) -> str:
    """Where the parts are claimed, by their ids, of which the mechanism has said something."""
    return f"lacking:{mechanism}"


def told(tx: ReadTransaction, mechanism: str) -> dict[Part, str]:
    held = tx.held(scope(mechanism)).values()
    kinds = {kind for kind, _ in held}
    rows = {kind: tx.get_many(kind, {id for of, id in held if of == kind}) for kind in kinds}
    return {(kind, id): row[LACKS].get(mechanism, "") for kind in kinds for id, row in rows[kind].items()}


def report(tx: WriteTransaction, mechanism: str, said: Mapping[Part, str]) -> None:
    """said: why; an empty text: no longer.  Parts that are gone meanwhile are no news."""
    by_kind: dict[str, dict[str, str]] = {}
    for (kind, id), why in said.items():
        by_kind.setdefault(kind, {})[id] = why
    found = {kind: tx.glance.get_many(kind, ids) for kind, ids in by_kind.items()}
    held = {_whole(kind, id, row) for kind in found for id, row in found[kind].items()}
    if not held:
        return
    tx.hold((), sorted(held))
    for kind, whys in sorted(by_kind.items()):
        for id, row in tx.lock_many(kind, whys).items():
            _say(tx, mechanism, kind, row, whys[id])


def _whole(kind: str, id: str, row: Object) -> Part:
    """What a change of this one holds: a part's balancer."""
    return (BALANCERS, row[LOAD_BALANCER]) if row.get(LOAD_BALANCER) else (kind, id)


def _say(tx: WriteTransaction, mechanism: str, kind: str, row: Object, why: str) -> None:
    before = row.get(LACKS) or {}
    lacks = {name: text for name, text in before.items() if name != mechanism} | ({mechanism: why} if why else {})
    if lacks == before:
        return
    tx.update(kind, row["id"], {LACKS: lacks})
    claim = [Claim(scope(mechanism), row["id"])]
    if why and mechanism not in before:
        tx.claim(kind, row["id"], claim)
    elif not why:
        tx.release(kind, row["id"], claim)


def detail(row: Object) -> str:
    """For a person."""
    return "; ".join(f"{name}: {why}" for name, why in sorted((row.get(LACKS) or {}).items()))
