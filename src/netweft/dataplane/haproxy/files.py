"""The files of an instance: written whole or not at all, readable by root alone."""

import os
from pathlib import Path


def write(path: Path, content: bytes) -> bool:
    """False: it was there with this content already."""
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        pass
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)
    return True


def folder(path: Path) -> None:
    """For root alone: what is in it names tenants' servers, and holds their keys."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def keep_only(path: Path, suffix: str, names: frozenset[str]) -> None:
    for one in path.glob(f"*{suffix}"):
        if one.name not in names:
            one.unlink(missing_ok=True)
