"""Cuts the stream from ovsdb-server into JSON objects: they follow each other without any separator."""

import re

from netweft.dataplane.ovsdb.errors import OvsdbProtocolError

MAX_MESSAGE_BYTES = 256 * 2**20

# up to the next brace: whole strings, so that braces in them do not count, and what is between them
_STRETCH = re.compile(rb'[^"{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}]*+)*+', re.DOTALL)
_OPENING, _STRING = ord("{"), ord('"')


class Framer:
    def __init__(self) -> None:
        self._buffer = b""
        self._scanned = 0
        self._depth = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that are complete now.  Raises OvsdbProtocolError."""
        self._buffer = buffer = self._buffer + data
        objects: list[bytes] = []
        start, scanned = 0, self._scanned
        while stretch := _STRETCH.match(buffer, scanned):  # it matches nothing, too
            scanned = stretch.end()
            if scanned == len(buffer) or buffer[scanned] == _STRING:  # a string that has not ended yet
                break
            self._depth += 1 if buffer[scanned] == _OPENING else -1
            scanned += 1
            if self._depth <= 0:
                objects.append(buffer[start:scanned])
                start, self._depth = scanned, 0
        self._buffer = buffer[start:]
        self._scanned = scanned - start
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise OvsdbProtocolError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        if self._depth == 0 and self._buffer.strip():
            raise OvsdbProtocolError("not a JSON object")
        return objects
