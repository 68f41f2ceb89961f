"""A database's address: what may be said of it, and that a file is ours alone.  Its password is printed nowhere."""

import os
import stat
from pathlib import Path

import structlog
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from netweft.store.errors import UnknownAddress

_BESIDE = ("", "-wal", "-shm")  # SQLite's own files, besides the one that is named
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_log = structlog.get_logger(__name__)


def parse(url: str) -> URL:
    """Raises UnknownAddress."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise UnknownAddress(
            "its address is not sqlite:///PATH nor postgresql+psycopg://USER:PASSWORD@HOST/NAME"
            " (in a password, write what is no letter or digit as %XX)"
        ) from None
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise UnknownAddress(f"there is no driver for {found.drivername}")
    return found


def without_password(text: str, url: str) -> str:
    """What somebody said about this database, fit to be printed."""
    try:
        found = parse(url)
    except UnknownAddress:
        return text.replace(url, "...")
    said = [found.password, *(value for key, value in found.query.items() if "password" in key)]
    secrets = [secret for secret in said if isinstance(secret, str) and secret]
    for secret in [url.partition("://")[2].rpartition("@")[0].partition(":")[2], *secrets]:
        text = text.replace(secret, "***") if secret else text
    return text


def make_private(database: str | None) -> None:
    """Password hashes are in it.  Raises OSError for a file that others can read, and whose mode is not ours to set."""
    if not database or database == ":memory:" or database.startswith("file:"):
        return
    if not Path(database).exists():
        os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))
    for path in (Path(database + end) for end in _BESIDE):
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & _OTHERS:
            path.chmod(mode & ~_OTHERS)
            _log.warning("others could read the database", file=str(path), mode=f"{mode:o}", now=f"{mode & ~_OTHERS:o}")
