"""What every resource has: an id, times, a revision number.  And the contract of a use case."""

import uuid
from datetime import UTC, datetime
from typing import Protocol

from netweft.store import Object, WriteTransaction


class UseCases(Protocol):
    """How one kind of resource comes, changes and goes; each call is part of one transaction, all or nothing.

    What arrives is well-formed and allowed: the API has checked types, defaults and policy.  Raises `Refused`.
    """

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]: ...

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        """current: locked in this transaction."""
        ...

    def delete(self, tx: WriteTransaction, current: Object) -> None: ...


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def born(wanted: Object, **values: object) -> Object:
    """A new object."""
    time = now()
    return (
        {"id": str(uuid.uuid4()), "tags": []}
        | wanted
        | values
        | {"created_at": time, "updated_at": time, "revision_number": 1}
    )


def bumped(current: Object, changes: Object) -> Object:
    """What an update changes besides what was requested."""
    return changes | {"updated_at": now(), "revision_number": current["revision_number"] + 1}


class Plain:
    """The use cases of a resource without rules of its own."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        objects = [born(one) for one in wanted]
        for one in objects:
            tx.insert(self._kind, one)
        return objects

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        return tx.update(self._kind, current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete(self._kind, current["id"])
