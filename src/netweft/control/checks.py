"""Saved checks: whether a packet passes that must, or must not.  `api/resources/checks` runs them, says how they are.

Their state is written without a new revision number: it is not a change of what was requested.
"""

from typing import Final

from netweft.control.errors import NotFound
from netweft.control.standard import born, bumped, now
from netweft.store import Object, WriteTransaction

KIND: Final = "checks"
PENDING, PASSING, FAILING, UNKNOWN = STATUSES = ("PENDING", "PASSING", "FAILING", "UNKNOWN")
_NOT_RUN: Final = {"status": PENDING, "code": None, "reason": ""}


class CheckNotFound(NotFound):
    message = "Check '%(id)s' does not exist."


class Checks:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        made = [born(one, **_NOT_RUN) for one in wanted]
        for one in made:
            one["status_since"] = one["created_at"]
            tx.insert(KIND, one)
        return made

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        asks = {name for name in changes if name not in ("name", "description")}
        again = _NOT_RUN | {"status_since": now()} if any(changes[name] != current[name] for name in asks) else {}
        return tx.update(KIND, current["id"], bumped(current, changes | again))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete(KIND, current["id"])


def settle(tx: WriteTransaction, id: str, revision: int, status: str, code: str | None, reason: str) -> Object | None:
    """How a check is that was run.  revision: of what was requested then.  None: it is gone, or is another one now."""
    current = tx.lock(KIND, id)
    if current is None or current["revision_number"] != revision:
        return None
    if (current["status"], current["code"], current["reason"]) == (status, code, reason):
        return current
    since = {} if current["status"] == status else {"status_since": now()}
    return tx.update(KIND, id, {"status": status, "code": code, "reason": reason} | since)
