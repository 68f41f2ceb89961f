"""One row shape for all benchmarks, and the table they end in.  Standard library only."""

import json
import math
import sys
from collections.abc import Sequence
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
    sys.stdout.flush()
    if out:
        with out.open("a") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)
