"""What Debian's `lldpd` has learned on this host's NICs (IEEE 802.1AB): to which port of which switch each is wired."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

PROGRAM: Final = "lldpcli"
SECONDS: Final = 10.0  # that it may take
# what a port is called by; else its description is, which is its name on most switches
_NAMES: Final = frozenset({"ifname", "ifalias", "local"})


class LldpError(Exception):
    """It cannot be read.  The text says why."""


class Heard(NamedTuple):
    """switch_id: its chassis id, mostly a MAC address.  switch_name: its system name.  Empty where it said none."""

    switch_id: str
    switch_name: str
    port: str


async def ask(socket: str) -> dict[str, Heard]:
    """NIC -> what was learned there.  A NIC with several neighbours is on a hub: it is left out.  Raises LldpError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "-u", socket, "-f", "json0", "show", "neighbors"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise LldpError(f"{PROGRAM}: {error.strerror}") from None
    try:
        async with asyncio.timeout(SECONDS):
            said, complaint = await process.communicate()
    except BaseException as error:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise LldpError(f"{PROGRAM}: no answer from {socket}") from None
        raise
    if process.returncode:
        words = complaint.decode(errors="replace").strip().splitlines()
        raise LldpError(f"{PROGRAM}: {words[-1] if words else f'exit status {process.returncode}'}")
    return parsed(said)


def parsed(said: bytes) -> dict[str, Heard]:
    """Of what `lldpcli -f json0` says.  Raises LldpError."""
    try:
        found = list(_interfaces(json.loads(said)))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise LldpError(f"{PROGRAM}: what it says is not understood: {error!r}") from None
    names = [name for name, _ in found]
    return {name: heard for name, heard in found if names.count(name) == 1 and heard.port}


def _interfaces(said: Mapping[str, Any]) -> Iterator[tuple[str, Heard]]:
    for part in said["lldp"]:
        for interface in part.get("interface", ()):
            for chassis, port in zip(interface["chassis"], interface["port"], strict=True):
                id = port["id"][0]
                called = id["value"] if id["type"] in _NAMES else _first(port, "descr")
                yield interface["name"], Heard(_first(chassis, "id"), _first(chassis, "name"), str(called))


def _first(of: Mapping[str, Any], name: str) -> str:
    return str(next((one.get("value", "") for one in of.get(name, ())), ""))
