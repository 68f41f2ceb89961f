"""What pytest says of each test, read off its output; and the table of it in docs/datapaths.md, in which a run writes
each file's line as soon as that is through: one that is interrupted leaves what it has learnt."""

import io
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[2] / "docs/datapaths.md"
BEGIN, END = "<!-- written by make test-kernel -->\n", "<!-- so far -->\n"
HEAD = "| tests | machine | when | seconds | passed | skipped | not passed |\n|---|---|---|---:|---|---|---|\n"
SPENT = "netweft: seconds of a processor: "  # and how many its machine has taken: a line in the output
PASSED, SKIPPED = "PASSED", "SKIPPED"
_SAID = re.compile(r"^(tests/\S+?\.py::.+) (PASSED|FAILED|ERROR|SKIPPED)\b")


class Result(NamedTuple):
    """test: as pytest names it, with its file.  outcome: as pytest says it.  spent: what the machine had taken by then,
    in seconds of a processor; 0: it did not say."""

    test: str
    outcome: str
    spent: int = 0


class Turn(NamedTuple):
    """What became of one file, or of tests of it, on one machine.  when: the day, and the commit.  finished: it came to
    its end.  seconds: of a processor; 0: nobody knows."""

    tests: str
    machine: str
    when: str
    results: tuple[Result, ...] = ()
    finished: bool = False
    seconds: int = 0

    @property
    def failures(self) -> Iterator[Result]:
        return (result for result in self.results if result.outcome not in (PASSED, SKIPPED))


def turns(asked: Sequence[str], machine: str, when: str, found: Sequence[Result], *, finished: bool) -> list[Turn]:
    """One for each, in the order in which they were tried.  finished: all of them were."""
    its = [tuple(one for one in found if _is_of(one.test, name)) for name in asked]
    ends = accumulate((max((one.spent for one in some), default=0) for some in its), max, initial=0)
    return [
        Turn(name, machine, when, some, finished or any(its[place + 1 :]), end - start)
        for place, (name, some, (start, end)) in enumerate(zip(asked, its, pairwise(ends), strict=True))
    ]


def _is_of(test: str, name: str) -> bool:
    """Of a file, of a test, or of one with some parameters."""
    return test == name or test.startswith((f"{name}::", f"{name}["))


def after(asked: Sequence[str], found: Sequence[Result]) -> list[str]:
    """What comes after the last one of which anything was heard, or after the first."""
    heard = (place for place, name in enumerate(asked) if any(_is_of(one.test, name) for one in found))
    return list(asked[max(heard, default=0) + 1 :])


class Output(io.BytesIO):
    """Takes what pytest writes, keeps it and what it says of each test, and shows the latter as it comes, with what is
    written after one that has failed: many may run at the same time, and each for long."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Result] = []
        self.spent = 0
        self._line = b""
        self._failed = False

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            if text.startswith(SPENT):
                self.spent = int(text.removeprefix(SPENT))
            elif said := _SAID.match(text):
                self.results.append(Result(said[1], said[2], self.spent))
                self._failed = said[2] not in (PASSED, SKIPPED)
                print(text, flush=True)
            elif self._failed:
                print(text, flush=True)
        return super().write(chunk)

    def text(self) -> str:
        return self.getvalue().decode(errors="replace").replace("\r", "")


def table(turns: Iterable[Turn]) -> str:
    return HEAD + "".join(map(_row, turns))


def _row(turn: Turn) -> str:
    counts = Counter(result.outcome for result in turn.results)
    said = [f"`{name}`" for name in sorted({result.test.partition("::")[2] for result in turn.failures})]
    if not turn.finished:
        said.append("the rest was not reached" if turn.results else "not reached")
    counted = f"{turn.seconds or ''} | {counts[PASSED]} | {counts[SKIPPED]}"
    return f"| `{turn.tests}` | {turn.machine} | {turn.when} | {counted} | {', '.join(said) or '-'} |\n"


class Table:
    """The one of the document.  A line stays, with its day, until a later run gets to that file on that machine."""

    def __init__(self, path: Path = DOCUMENT) -> None:
        self._path = path
        self._lock = threading.Lock()

    def put(self, turn: Turn) -> None:
        with self._lock:
            before, rows, after = self._read()
            row = _row(turn)
            if turn.results or _key(row) not in rows:
                rows[_key(row)] = row
            self._path.write_text(before + BEGIN + HEAD + "".join(rows[key] for key in sorted(rows)) + END + after)

    def oldest_first(self, files: Iterable[str], machine: str) -> tuple[str, ...]:
        """So that a run after one that was interrupted begins where that ended.  What has never passed: first.  Of one
        day the longest first: what is left in the end is short, and on all processors."""
        _, rows, _ = self._read()
        ended = {key: row.split(" | ")[2:4] for key, row in rows.items() if row.endswith("| - |\n")}

        def turn(name: str) -> tuple[str, int]:
            when, seconds = ended.get((f"| `{name}`", machine), ("", ""))
            return when[: len("2026-11-30")], -int(seconds or 0)

        return tuple(sorted(files, key=turn))

    def _read(self) -> tuple[str, dict[tuple[str, ...], str], str]:
        """What comes before the lines, they themselves, and what comes after them."""
        before, _, rest = self._path.read_text().partition(BEGIN)
        found, _, after = rest.partition(END)
        return before, {_key(row): row for row in found.splitlines(keepends=True)[HEAD.count("\n") :]}, after


def _key(row: str) -> tuple[str, ...]:
    return tuple(row.split(" | ", 2)[:2])
