"""One row shape for all benchmarks, and the table they end in.  Standard library only."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """value and bar in `unit`; bar None where there is none.  higher: more is better.  peers: what others took."""

    measure: str
    value: float
    unit: str
    bar: float | None = None
    higher: bool = False
    peers: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        met = self.value >= self.bar if self.higher else self.value <= self.bar
        return "met" if met else f"missed by {abs(self.value / self.bar - 1):.0%}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank.  Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def print_table(title: str, rows: Sequence[Row], out: Path | None = None) -> None:
    """Markdown on stdout; appended as JSON lines to `out` where given."""
    print(f"\n### {title}\n\n| measure | value | bar | | peers, same work |\n|---|--:|--:|---|---|")
    for row in rows:
        bar = "" if row.bar is None else f"{'≥' if row.higher else '≤'} {row.bar:g}"
        print(f"| {row.measure} | {row.value:,.4g} {row.unit} | {bar} | {row.verdict} | {row.peers} |")
    _keep(rows, out)


def print_comparison(
    title: str, columns: Sequence[str], rows: Sequence[tuple[Sequence[float], Row, str]], out: Path | None = None
) -> None:
    """Each row: what each of the columns reached, in the Row's unit; the Row: how the one that matters compares; and
    how far that varied."""
    head, line = " | ".join(columns), "|--:" * len(columns)
    print(f"\n### {title}\n\n| measure | {head} | | half of the rounds | |\n|---{line}|--:|--:|---|")
    for values, row, spread in rows:
        each = " | ".join(f"{value:,.4g}" for value in values)
        print(f"| {row.measure} | {each} | {row.value:.0%} | {spread} | {row.verdict} |")
    _keep([row for _, row, _ in rows], out)


def _keep(rows: Sequence[Row], out: Path | None) -> None:
    sys.stdout.flush()
    if out:
        with out.open("a") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def print_sizes(title: str, found: Mapping[int, Mapping[str, float]] | Mapping[str, Mapping[str, float]]) -> None:
    """Markdown on stdout: a column for each size."""
    sizes = (size if isinstance(size, str) else f"{size:,}" for size in found)
    print(f"\n### {title}\n\n| | {' | '.join(sizes)} |\n|---|{'--:|' * len(found)}")
    measures = dict.fromkeys(measure for figures in found.values() for measure in figures)
    for measure in measures:
        cells = (f"{figures[measure]:,.4g}" if measure in figures else "" for figures in found.values())
        print(f"| {measure} | {' | '.join(cells)} |")
    sys.stdout.flush()
