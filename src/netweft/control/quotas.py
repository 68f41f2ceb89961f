"""Quotas: how many of each a project may have.  Kept only where an admin has said something; -1 is no limit.

Exact: who counts a project's objects of a kind takes turns with others who do.  It is the last that a request does, so
that turns are short.
"""

from collections.abc import Mapping, Sequence

from netweft.control.errors import BadRequest, OverQuota
from netweft.store import Object, ReadTransaction, WriteTransaction

KIND = "quotas"
UNLIMITED = -1
Limits = Mapping[str, int]


class QuotaBelowUsage(BadRequest):
    type = "HTTPBadRequest"  # as Neutron has no name for it
    message = "Quota limit %(limit)s for %(resource)s must be greater than or equal to already used %(used)s"


def limits(tx: ReadTransaction, project_id: str, defaults: Limits, *, kind: str = KIND) -> dict[str, int]:
    """member -> how many.  kind: which quotas, in the store."""
    kept = tx.get(kind, project_id)
    return dict(defaults) | (kept["limits"] if kept else {})


def change(tx: WriteTransaction, project_id: str, changes: Limits, *, force: bool, kind: str = KIND) -> None:
    """Below what is used already only with force.  Raises QuotaBelowUsage."""
    for member, limit in sorted(changes.items()) if not force else ():
        _take_turns(tx, member, project_id)
        in_use = used(tx, member, project_id) if limit != UNLIMITED else 0
        if limit != UNLIMITED and in_use > limit:
            raise QuotaBelowUsage(limit=limit, resource=member, used=in_use)
    kept = tx.lock(kind, project_id)
    if kept is None:
        tx.insert(kind, {"id": project_id, "project_id": project_id, "limits": dict(changes)})
    else:
        tx.update(kind, project_id, {"limits": kept["limits"] | changes})


def reset(tx: WriteTransaction, project_id: str, *, kind: str = KIND) -> None:
    """Back to the defaults."""
    if tx.lock(kind, project_id) is not None:
        tx.delete(kind, project_id)


def used(tx: ReadTransaction, member: str, project_id: str) -> int:
    kind = f"{member[:-1]}ies" if member.endswith("y") else f"{member}s"
    return tx.count(kind, {"project_id": [project_id]})


def check(tx: WriteTransaction, member: str, default: int, made: Sequence[Object], *, kind: str = KIND) -> None:
    """After these were made.  Raises OverQuota."""
    for project_id in sorted({one["project_id"] for one in made}):
        _take_turns(tx, member, project_id)
        limit = limits(tx, project_id, {member: default}, kind=kind)[member]
        if limit != UNLIMITED and used(tx, member, project_id) > limit:
            raise OverQuota(overs=[member])


def _take_turns(tx: WriteTransaction, member: str, project_id: str) -> None:
    tx.take_turns(f"quota:{member}:{project_id}")
