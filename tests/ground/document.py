"""docs/ground.md: a section for each probe, with a line for each datapath that was asked.  A line stays, with its day,
until that datapath is asked again."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.ground.probe import Probe

DOCUMENT: Final = Path(__file__).parents[2] / "docs/ground.md"
PREFACE: Final = """# The ground: what the installed Open vSwitch does

Written by `make ground` (and `make test-kernel` for the kernel's datapath) from the probes in `tests/ground`: what each
asks, what was seen, and what our design does about it. What is *right* needs no way around it any more.
"""
HEAD: Final = "| datapath | Open vSwitch | asked on | | seen |\n|---|---|---|---|---|\n"
_ROW: Final = re.compile(
    r"^\| (\w+) \| (\S+) \| (\d{4}-\d\d-\d\d) \| (\*\*(?:right|not right)\*\*|-) \| (.*) \|$", re.M
)
_VERDICTS: Final = {True: "**right**", False: "**not right**", None: "-"}


class Answer(NamedTuple):
    """What a probe saw.  probe: its name.  datapath: as people call it."""

    probe: str
    datapath: str
    version: str
    day: str
    right: bool | None
    words: str

    @property
    def verdict(self) -> str:
        return _VERDICTS[self.right]


class Document:
    def __init__(self, path: Path = DOCUMENT) -> None:
        self._path = path

    def answers(self) -> list[Answer]:
        """That are in it."""
        found = []
        rights = {verdict: right for right, verdict in _VERDICTS.items()}
        for section in self._path.read_text().split("\n## ")[1:] if self._path.exists() else ():
            name = section.partition("\n")[0]
            found += [
                Answer(name, datapath, version, day, rights[verdict], words)
                for datapath, version, day, verdict, words in _ROW.findall(section)
            ]
        return found

    def put(self, probes: Sequence[Probe], new: Iterable[Answer]) -> None:
        known = {(answer.probe, answer.datapath): answer for answer in (*self.answers(), *new)}
        self._path.write_text(written(probes, known.values()))


def written(probes: Sequence[Probe], answers: Iterable[Answer]) -> str:
    answers = list(answers)
    return "\n".join((PREFACE, *(_section(probe, answers) for probe in probes)))


def _section(probe: Probe, answers: Sequence[Answer]) -> str:
    ours = sorted((answer for answer in answers if answer.probe == probe.name), key=lambda answer: answer.datapath)
    rows = "".join(f"| {a.datapath} | {a.version} | {a.day} | {a.verdict} | {a.words} |\n" for a in reversed(ours))
    return f"## {probe.name}\n\n{probe.asks}\n\n{HEAD}{rows}\n**Our design**: {probe.design}\n"
