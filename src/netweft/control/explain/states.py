"""Checks that rows of many kinds have alike, each with its own code."""

from collections.abc import Iterator

from netweft.control.explain.codes import Code
from netweft.control.explain.snapshot import Find, Row, Snapshot, Told


def admin_down(code: Code) -> Find:
    def find(seen: Snapshot, one: Row) -> Iterator[Told]:
        if not one["admin_state_up"]:
            yield Told(code)

    return find


def unused(code: Code) -> Find:
    """It works only where other objects name it, and none does."""

    def find(seen: Snapshot, one: Row) -> Iterator[Told]:
        if one["id"] in seen.unused:
            yield Told(code)

    return find
