"""Asks the installed Open vSwitch: `python -m tests.ground.run [netdev | system | say DATAPATH [WORD...]]`.

say: prints a line for each probe (with one of these words in its name) instead of writing docs/ground.md: for whoever
runs it in a machine of its own.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime

from tests.ground import errors, groups, hand_ups, helpers, large_frames, recirculations, sctp, translation
from tests.ground.document import Answer, Document
from tests.ground.probe import Probe
from tests.ground.stage import DATAPATHS, stage

FILES = (recirculations, errors, translation, helpers, sctp, hand_ups, large_frames, groups)
PROBES: tuple[Probe, ...] = tuple(probe for file in FILES for probe in file.PROBES)
SAYS = "ground: "


async def ask(datapath_type: str, *words: str) -> AsyncIterator[Answer]:
    """One probe after the other.  Needs root."""
    async with stage(datapath_type) as there:
        for probe in asked(*words):
            seen = await probe.look(there)
            today = f"{datetime.now(UTC):%Y-%m-%d}"
            yield Answer(probe.name, DATAPATHS[datapath_type], there.version, today, seen.right, seen.words)


def asked(*words: str) -> tuple[Probe, ...]:
    return tuple(probe for probe in PROBES if not words or any(word in probe.name for word in words))


def said(output: str) -> Iterator[Answer]:
    """What a run elsewhere printed."""
    for line in output.splitlines():
        if line.startswith(SAYS):
            yield Answer(*json.loads(line.removeprefix(SAYS)))


async def _say(datapath_type: str, *words: str) -> None:
    async for answer in ask(datapath_type, *words):
        print(SAYS + json.dumps(answer), flush=True)


async def _write(datapath_type: str) -> None:
    async for answer in ask(datapath_type):
        print(f"{answer.probe}: {answer.verdict}: {answer.words}", flush=True)
        Document().put(PROBES, (answer,))


def main(words: Sequence[str]) -> None:
    match words:
        case ["say", datapath_type, *some]:
            asyncio.run(_say(datapath_type, *some))
        case []:
            asyncio.run(_write("netdev"))
        case ["netdev" | "system" as datapath_type]:
            asyncio.run(_write(datapath_type))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
