"""HAProxy's runtime API, by its sockets: one command a connection, text both ways."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from netweft.dataplane.haproxy.values import ServerState

SECONDS: Final = 5.0
_MOST: Final = 200  # commands of one line


class NotThere(Exception):
    """It does not answer."""


class Actual(NamedTuple):
    """What a server is like.  maintained: it gets nothing."""

    weight: int
    maintained: bool


async def ask(socket: Path, command: str) -> str:
    """Raises NotThere."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=2**20)
            try:
                writer.write(command.encode() + b"\n")
                await writer.drain()
                return (await reader.read(-1)).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise NotThere(f"{socket}: {error or 'no answer'}") from None


async def described(socket: Path) -> str:
    """What the configuration that runs calls itself.  Raises NotThere."""
    said = await ask(socket, "show info")
    found = (line.partition(":")[2].strip() for line in said.splitlines() if line.lower().startswith("description:"))
    return next(found, "")


class Counters(NamedTuple):
    """Of a worker, since it began.  pid: its process.  request_errors: by frontend, requests that it did not take."""

    pid: int
    request_errors: dict[str, int]


async def counters(socket: Path) -> Counters:
    """Raises NotThere."""
    lines = (await ask(socket, "show info;show stat -1 1 -1")).splitlines()
    pid = next((int(line.partition(":")[2]) for line in lines if line.startswith("Pid:")), 0)
    start = next((place for place, line in enumerate(lines) if line.startswith("# pxname")), len(lines))
    head = lines[start].lstrip("# ").split(",") if lines[start:] else []
    rows = (dict(zip(head, line.split(","), strict=False)) for line in lines[start + 1 :])
    return Counters(pid, {row["pxname"]: int(row["ereq"]) for row in rows if row.get("ereq")})


async def servers(socket: Path) -> dict[tuple[str, str], Actual]:
    """By backend and name.  Raises NotThere."""
    lines = (await ask(socket, "show servers state")).splitlines()
    head = next((line.lstrip("# ").split() for line in lines if line.startswith("# be_id")), [])
    found = {}
    for line in lines[lines.index("# " + " ".join(head)) + 1 :] if head else ():
        one = dict(zip(head, line.split(), strict=False))
        if "srv_name" in one:
            maintained = bool(int(one["srv_admin_state"]))
            found[one["be_name"], one["srv_name"]] = Actual(int(one["srv_uweight"]), maintained)
    return found


def commands(wanted: Iterable[ServerState], actual: Mapping[tuple[str, str], Actual]) -> list[str]:
    """That make servers as they should be.  One that gets nothing any more does so first."""
    maintenance: list[str] = []
    weights: list[str] = []
    ready: list[str] = []
    for one in wanted:
        now = actual.get((one.backend, one.server))
        named = f"{one.backend}/{one.server}"
        if now is None:
            continue
        if now.maintained == one.up:
            (ready if one.up else maintenance).append(f"set server {named} state {'ready' if one.up else 'maint'}")
        if now.weight != one.weight:
            weights.append(f"set server {named} weight {one.weight}")
    return [*maintenance, *weights, *ready]


async def put(socket: Path, wanted: Iterable[ServerState]) -> int:
    """Returns how many commands it took.  Raises NotThere."""
    todo = commands(wanted, await servers(socket))
    for start in range(0, len(todo), _MOST):
        await ask(socket, ";".join(todo[start : start + _MOST]))
    return len(todo)
