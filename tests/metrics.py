"""What /metrics says, as values."""

from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Said: TypeAlias = dict[str, dict[tuple[str, ...], float]]


def said(text: str) -> Said:
    """Series -> the labels' values, by the labels' names -> value."""
    found: Said = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def described(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
