"""What pytest says of each test, read off its output; and the table of it in docs/datapaths.md."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[2] / "docs/datapaths.md"
BEGIN, END = "<!-- written by make test-kernel -->\n", "<!-- so far -->\n"
HEAD = "| tests | passed | skipped | not passed |\n|---|---|---|---|\n"
PASSED, SKIPPED = "PASSED", "SKIPPED"
_SAID = re.compile(r"^(tests/\S+?\.py::.+) (PASSED|FAILED|ERROR|SKIPPED)\b")


class Result(NamedTuple):
    """test: as pytest names it, with its file.  outcome: as pytest says it."""

    test: str
    outcome: str

    @property
    def file(self) -> str:
        return self.test.partition("::")[0]


class Output(io.BytesIO):
    """Takes what pytest writes, shows it, and keeps what it says of each test."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Result] = []
        self._line = b""

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            print(text, flush=True)
            if said := _SAID.match(text):
                self.results.append(Result(said[1], said[2]))
        return len(chunk)


def table(results: Iterable[Result], files: Iterable[str]) -> str:
    """files: all that were to run, in their order."""
    found = list(results)
    return HEAD + "".join(_row(file, [result for result in found if result.file == file]) for file in files)


def _row(file: str, results: list[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    failed = sorted({result.test.partition("::")[2] for result in results if result.outcome not in (PASSED, SKIPPED)})
    said = ", ".join(f"`{name}`" for name in failed) if results else "not reached in the time"
    return f"| `{file}` | {counts[PASSED]} | {counts[SKIPPED]} | {said or '-'} |\n"


def document(text: str) -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(before + BEGIN + text + END + after)


def failures(results: Iterable[Result]) -> Iterator[Result]:
    return (result for result in results if result.outcome not in (PASSED, SKIPPED))
