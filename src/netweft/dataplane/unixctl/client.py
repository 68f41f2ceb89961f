"""One command to ovs-vswitchd over its control socket (JSON-RPC), as `ovs-appctl` would give it.

For the few things that neither OVSDB nor OpenFlow can ask for.  Knows no commands.
"""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

COMMAND_SECONDS = 5.0


class CommandFailed(Exception):
    """The daemon does not answer, or says no."""


class CommandRefused(CommandFailed):
    """It says no."""


async def command(run_dir: Path, *words: str, daemon: str = "ovs-vswitchd") -> str:
    """Its answer.  Raises CommandFailed, CommandRefused."""
    request = {"id": 0, "method": words[0], "params": words[1:]}
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            pid = (run_dir / f"{daemon}.pid").read_text().strip()
            reader, writer = await asyncio.open_unix_connection(str(run_dir / f"{daemon}.{pid}.ctl"))
            try:
                writer.write(json.dumps(request).encode())
                answer = await _answer(reader)
            finally:
                writer.close()
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise CommandFailed(f"{daemon}: {words[0]}: {str(error) or 'no answer'}") from None
    if not isinstance(answer, dict) or answer.get("error") is not None:
        raise CommandRefused(f"{daemon}: {words[0]}: {answer}")
    return str(answer.get("result") or "")


async def _answer(reader: asyncio.StreamReader) -> object:
    """One JSON value; nothing says where it ends but its own syntax."""
    text = b""
    while chunk := await reader.read(65536):
        text += chunk
        if chunk.rstrip().endswith(b"}"):  # a long listing is not parsed for each part of it
            with suppress(ValueError):
                return json.loads(text)
    raise ValueError("it closed the connection")
