"""Facts about a host that each role needs: out of /proc, the package's metadata, and systemd where it is."""

import ctypes
import importlib.metadata as metadata
import os
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from netweft.doctor.facts import Host, Place

COMMAND_SECONDS = 5.0
_CAPABILITIES = {1: "dac_override", 12: "net_admin", 13: "net_raw"}
_CLOCK_UNKNOWN, _CLOCK_ERROR = -1, 5  # adjtimex(2)


def host(roles: Sequence[str]) -> Host:
    packages, missing = _packages()
    return Host(
        python=(sys.version_info.major, sys.version_info.minor),
        packages=packages,
        missing=missing,
        capabilities=_capabilities(),
        open_files={role: _open_files(role) for role in roles},
        clock_kept=_clock_kept(),
    )


def said(*command: str) -> str:
    """What a command prints; nothing if it is not there, or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def folder(path: str) -> Place:
    """One that is not there yet is made in the nearest that is."""
    place = Path(path)
    try:
        if place.exists() and not place.is_dir():
            return Place(path, "it is no folder")
        nearest = next(one for one in (place, *place.absolute().parents) if one.exists())
        if not os.access(nearest, os.W_OK | os.X_OK):
            return Place(path, f"{nearest} is not writable")
        return Place(path, open_to_all=place.exists() and bool(place.stat().st_mode & (stat.S_IWOTH | stat.S_IWGRP)))
    except OSError as error:
        return Place(path, error.strerror or str(error))


def secret(path: str) -> Place:
    """A file that holds one; what it holds is not kept."""
    try:
        if not Path(path).read_bytes().strip():
            return Place(path, "it is empty")
        return Place(path, open_to_all=bool(Path(path).stat().st_mode & stat.S_IRWXO))
    except OSError as error:
        return Place(path, error.strerror or str(error))


def _packages() -> tuple[dict[str, str], tuple[str, ...]]:
    there: dict[str, str] = {}
    missing: list[str] = []
    try:
        wanted = metadata.requires("netweft") or []
    except metadata.PackageNotFoundError:  # run out of a folder
        return {}, ()
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is None or "extra ==" in requirement:
            continue
        try:
            there[name[0]] = metadata.version(name[0])
        except metadata.PackageNotFoundError:
            missing.append(name[0])
    return there, tuple(missing)


def _capabilities() -> frozenset[str]:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("CapEff:"))
    bits = int(line.split()[1], 16)
    return frozenset(name for number, name in _CAPABILITIES.items() if bits >> number & 1)


def _open_files(role: str) -> int:
    """Of the unit, where there is one; else of this shell's.  A server raises its own as far as it may."""
    unit = f"netweft-{role}.service"
    shown = dict(
        line.partition("=")[::2] for line in said("systemctl", "show", unit, "-p", "LoadState,LimitNOFILE").splitlines()
    )
    if shown.get("LoadState") == "loaded" and shown.get("LimitNOFILE", "").isdigit():
        return int(shown["LimitNOFILE"])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if role == "server" else soft
    return 2**20 if limit == resource.RLIM_INFINITY else limit


def _clock_kept() -> bool | None:
    """As the kernel was configured."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state == _CLOCK_UNKNOWN else bool(state != _CLOCK_ERROR)
