"""The last view on disk, so that an agent that starts while no server answers knows what to keep.

Owns one file, and the journal of what came since it was written: the file is written again once the journal has grown
to a part of it, so that a change costs what it is and not what there is.  A file that is missing, torn, of another node
or another version is no state, never an error; a disk that is full costs a log line and nothing else; what could not be
written is tried again.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from zlib import crc32

import msgspec
import structlog
from msgspec import Struct

from netweft.agent.journal import FORMAT, Journal, Record
from netweft.agent.sync import Changes
from netweft.model import EMPTY_VIEW, NodeView, key_of
from netweft.services.security.endings import Ended, ended

MAGIC = b"netweft-view-%d\n" % FORMAT
SETTLE_SECONDS = 1.0  # a burst of changes is written once
RETRY_SECONDS = 10.0
JOURNAL_BYTES = 65_536  # at the least, before the view is written whole
JOURNAL_PART = 8  # and that part of the view: an agent that starts reads both

log = structlog.get_logger(__name__)


class _Content(Struct, frozen=True):
    """owed: connections that have ended with what the view says, and may be tracked still."""

    node: str
    view: NodeView = EMPTY_VIEW
    owed: frozenset[Ended] = frozenset()


class StateFile:
    """owed: what is to be kept beside the view.  left: what the one before owed."""

    def __init__(self, path: Path, node: str, owed: Callable[[], frozenset[Ended]] = frozenset) -> None:
        self.left: frozenset[Ended] = frozenset()
        self._owed = owed
        self._path = path
        self._node = node
        self._journal = Journal(path.with_name(f"{path.name}.journal"))
        self._gap = False  # something is missing at the journal's end
        self._kept = EMPTY_VIEW
        self._written = _Content(node)
        self._size = 0  # of the file, as it was written
        self._problem = ""
        self._awake = asyncio.Event()
        self._writing = Lock()
        self._keeping = Lock()

    def load(self) -> NodeView:
        """As the last agent knew it."""
        self._written = self._base()
        view, left = self._written.view, set(self._written.owed)
        try:
            for record in self._journal.records():
                before, view = view, record.applied(view)
                left |= ended(before, view, [*map(key_of, record.upserts), *record.deletes])
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("journal not used to its end", path=str(self._path), problem=str(error))
            self._gap = True
        self._kept, self.left = view, frozenset(left)
        if view is not self._written.view or self._gap:
            self._awake.set()
        return view

    def settled(self) -> None:
        """Less is owed than was written, perhaps."""
        if self._written.owed:
            self._awake.set()

    def _base(self) -> _Content:
        nothing = _Content(self._node)
        try:
            data = self._path.read_bytes()
            content = _decode(data)
        except FileNotFoundError:
            return nothing
        except (OSError, ValueError) as error:
            log.warning("state file not used", path=str(self._path), problem=str(error))
            return nothing
        if content.node != self._node:
            log.warning("state file not used", path=str(self._path), problem=f"it is of node {content.node}")
            return nothing
        self._size = len(data)
        return content

    @property
    def on_disk(self) -> bool:
        """Whether the next agent would find the newest view there."""
        return self._kept is self._written.view or not self._gap

    def keep(self, changes: Changes) -> None:
        """In the journal when this returns; written whole soon, by `run`, if it is time.  What is owed is: once it has
        been paid, the journal would have the next agent pay it again."""
        with self._keeping:
            before, view = self._kept, changes.view
            self._kept = view
            if not self._gap:
                upserts = tuple(obj for key in changes.upserts if (obj := view.get(key)) is not None)
                deletes = tuple(changes.deletes)
                about = (before.history, before.revision)
                try:
                    self._journal.append(Record(about, view.history, view.revision, upserts, deletes))
                except OSError as error:
                    self._gap = True
                    self._complain(error)
        most = max(JOURNAL_BYTES, self._size // JOURNAL_PART)
        if self._gap or not self._size or self._journal.size > most or self._owed():
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
            content = _Content(self._node, self._kept, self._owed())
            if content.view is self._written.view and content.owed == self._written.owed and not self._gap:
                return
            try:
                data = _encode(content)
                _replace(self._path, data)
                self._written, self._size, self._problem = content, len(data), ""
                with self._keeping:
                    if content.view is self._kept:
                        self._journal.clear()
                        self._gap = False
            except OSError as error:
                self._complain(error)

    def _complain(self, error: OSError) -> None:
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
