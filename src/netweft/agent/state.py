"""The last view on disk, so that an agent that starts while no server answers knows what to keep.

Owns one file.  A file that is missing, torn, of another node or another version is no state, never an error; a disk
that is full costs a log line and nothing else; what could not be written is tried again.
"""

import asyncio
import os
from pathlib import Path
from threading import Lock
from zlib import crc32

import msgspec
import structlog
from msgspec import Struct

from netweft.model import EMPTY_VIEW, NodeView

MAGIC = b"netweft-view-3\n"  # the version of the format: change it when NodeView does
SETTLE_SECONDS = 1.0  # a burst of changes is written once
RETRY_SECONDS = 10.0

log = structlog.get_logger(__name__)


class _Content(Struct, frozen=True):
    node: str
    view: NodeView


class StateFile:
    def __init__(self, path: Path, node: str) -> None:
        self._path = path
        self._node = node
        self._kept: NodeView | None = None
        self._written: NodeView | None = None
        self._problem = ""
        self._awake = asyncio.Event()
        self._writing = Lock()

    def load(self) -> NodeView:
        try:
            content = _decode(self._path.read_bytes())
        except FileNotFoundError:
            return EMPTY_VIEW
        except (OSError, ValueError) as error:
            log.warning("state file not used", path=str(self._path), problem=str(error))
            return EMPTY_VIEW
        if content.node != self._node:
            log.warning("state file not used", path=str(self._path), problem=f"it is of node {content.node}")
            return EMPTY_VIEW
        return content.view

    @property
    def on_disk(self) -> bool:
        """Whether the newest view is."""
        return self._kept is self._written

    def keep(self, view: NodeView) -> None:
        """Written soon, by `run`; the latest wins."""
        self._kept = view
        self._awake.set()

    async def run(self) -> None:
        """Writes until cancelled, and what is left then."""
        try:
            while True:
                await self._awake.wait()
                await asyncio.sleep(SETTLE_SECONDS)
                self._awake.clear()
                await asyncio.to_thread(self.flush)
                if self._problem:
                    asyncio.get_running_loop().call_later(RETRY_SECONDS, self._awake.set)
        finally:
            self.flush()

    def flush(self) -> None:
        with self._writing:  # a cancelled `run` may find its thread still at it
            view = self._kept
            if view is None or view is self._written:
                return
            try:
                _replace(self._path, _encode(_Content(self._node, view)))
                self._written, self._problem = view, ""
            except OSError as error:
                if self._problem != str(error):
                    log.error("state file not written", path=str(self._path), problem=str(error))
                self._problem = str(error)


def _encode(content: _Content) -> bytes:
    body = msgspec.msgpack.encode(content)
    return MAGIC + crc32(body).to_bytes(4, "big") + body


def _decode(data: bytes) -> _Content:
    """Raises ValueError (msgspec's errors are ValueErrors too)."""
    head, body = data[: len(MAGIC) + 4], data[len(MAGIC) + 4 :]
    if not head.startswith(MAGIC):
        raise ValueError("it is no state file of this version")
    if head[len(MAGIC) :] != crc32(body).to_bytes(4, "big"):
        raise ValueError("it is torn")
    return msgspec.msgpack.decode(body, type=_Content)


def _replace(path: Path, data: bytes) -> None:
    """Whoever reads finds the old file or the new one, whenever the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
