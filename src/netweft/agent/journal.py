"""What the feed has sent since the view was last written down, appended before anything is done about it.

So the agent that starts after one was killed has all that was received: what was forbidden in the last second stays
forbidden, also while no server answers.  It has to outlive the agent, not the machine, whose flow tables end with it:
so nothing waits for the disk.

    length │ crc32 │ record     again and again; what comes after a torn one does not count
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from netweft.model import Key, NodeView, Object

FORMAT = 6  # of what is on the disk, here and in state.py: raise it when a view's objects change
MAGIC = b"netweft-journal-%d\n" % FORMAT
_HEAD = struct.Struct("!II")


class Record(Struct, frozen=True):
    """How one view became the next.  before: the history and revision that it is about."""

    before: tuple[str, int]
    history: str
    revision: int
    upserts: tuple[Object, ...]
    deletes: tuple[Key, ...]

    def applied(self, view: NodeView) -> NodeView:
        """The view as it is if this is about another one."""
        if self.before != (view.history, view.revision):
            return view
        after = view.merged(self.revision, self.upserts, self.deletes)
        return msgspec.structs.replace(after, history=self.history)


class Journal:
    """size: bytes that this one has appended since it was cleared."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0

    def append(self, record: Record) -> None:
        """Raises OSError; part of it may have been written."""
        body = msgspec.msgpack.encode(record)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            data = (b"" if file.tell() else MAGIC) + _HEAD.pack(len(body), crc32(body)) + body
            if file.write(data) != len(data):
                raise OSError("no space left for all of it")
            self.size += len(data)

    def records(self) -> Iterator[Record]:
        """Raises ValueError where it is torn, or another version's (msgspec's errors are ValueErrors too); OSError."""
        data = self._path.read_bytes()
        if not data.startswith(MAGIC):
            raise ValueError("it is no journal of this version")
        at = len(MAGIC)
        while at < len(data):
            if at + _HEAD.size > len(data):
                raise ValueError("it is torn")
            length, checksum = _HEAD.unpack_from(data, at)
            body = data[at + _HEAD.size : at + _HEAD.size + length]
            if len(body) < length or crc32(body) != checksum:
                raise ValueError("it is torn")
            yield msgspec.msgpack.decode(body, type=Record)
            at += _HEAD.size + length

    def clear(self) -> None:
        """Raises OSError."""
        self._path.unlink(missing_ok=True)
        self.size = 0
