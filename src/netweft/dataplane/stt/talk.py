"""What is said between the agent and the carrier: one question a connection, ended by its end, and one answer; JSON."""

import asyncio
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from netweft.dataplane.stt.values import SttSettings, SttTables

SOCKET: Final = "control"
SECONDS: Final = 5.0


class NotThere(Exception):
    """It does not answer."""


class Question(Struct, frozen=True):
    """tables: what is from now on; None: as it was."""

    tables: SttTables | None = None


class Answer(Struct, frozen=True):
    """unknown: the peers of which nobody knows yet how they are reached.  problem: why nothing is carried."""

    pid: int
    settings: SttSettings
    tables: SttTables
    counters: dict[str, int]
    unknown: list[str] = []
    problem: str = ""


async def ask(folder: Path, question: Question) -> Answer:
    """Raises NotThere."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(folder / SOCKET))
            try:
                writer.write(msgspec.json.encode(question))
                writer.write_eof()
                return msgspec.json.decode(await reader.read(-1), type=Answer)
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.MsgspecError) as error:
        raise NotThere(f"{folder / SOCKET}: {error or 'no answer'}") from None
