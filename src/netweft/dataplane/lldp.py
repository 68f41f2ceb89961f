"""What Debian's `lldpd` has learned on this host's NICs (IEEE 802.1AB): to which port of which switch each is wired.

Whoever is on the wire says what he likes: what is no text is marked as such, a neighbour that is not understood is left
out, and costs no other NIC what was learned there.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

PROGRAM: Final = "lldpcli"
SECONDS: Final = 10.0  # that it may take
# what a port is called by; else its description is, which is its name on most switches
_NAMES: Final = frozenset({"ifname", "ifalias", "local"})
LONGEST: Final = 255  # characters of what is said, as in IEEE 802.1AB


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
        text = json.loads(said.decode(errors="replace"), strict=False)
        interfaces = [one for part in text["lldp"] for one in part.get("interface", ())]
        names = Counter(str(one["name"]) for one in interfaces)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LldpError(f"{PROGRAM}: what it says is not understood: {error!r}"[:LONGEST]) from None
    found = {str(one["name"]): _neighbour(one) for one in interfaces if names[str(one["name"])] == 1}
    return {name: heard for name, heard in found.items() if heard is not None and heard.port}


def _neighbour(interface: Mapping[str, Any]) -> Heard | None:
    """None where there are several, or it is not understood who it is."""
    try:
        ((chassis,), (port,)) = interface["chassis"], interface["port"]
        id = port["id"][0]
        called = _text(id["value"]) if id["type"] in _NAMES else _first(port, "descr")
        return Heard(_first(chassis, "id"), _first(chassis, "name"), called)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _first(of: Mapping[str, Any], name: str) -> str:
    return _text(next((one.get("value", "") for one in of.get(name, ())), ""))


def _text(said: object) -> str:
    """For logs, a database and a terminal: nothing in it that one of them would take for more than text."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(said)[:LONGEST])
