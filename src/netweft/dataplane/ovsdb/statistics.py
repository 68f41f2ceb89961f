"""What vswitchd counts of interfaces, as it stands in the database: a question and its answer.  Pure."""

from collections.abc import Iterator, Mapping
from typing import Any


def select_statistics(interface: str) -> dict[str, Any]:
    """An operation (RFC 7047)."""
    where = [["name", "==", interface]]
    return {"op": "select", "table": "Interface", "where": where, "columns": ["name", "statistics"]}


def statistics_of(result: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, int]]]:
    """Of the rows of such an operation: name, and what is counted."""
    for row in result.get("rows", ()):
        kind, pairs = row["statistics"]
        yield row["name"], {str(name): int(count) for name, count in pairs} if kind == "map" else {}
