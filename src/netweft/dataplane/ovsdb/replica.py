"""Our copy of the rows and columns of the Open_vSwitch database that we read."""

from collections.abc import Mapping, Set
from typing import TypeAlias

# table -> uuids of the rows that were inserted, changed or deleted
Changes: TypeAlias = Mapping[str, Set[str]]


class Replica:
    """Rows by table and uuid."""
