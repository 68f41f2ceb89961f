"""Cuts the stream from ovsdb-server into JSON objects: they follow each other without any separator."""

import re

from netweft.dataplane.ovsdb.errors import OvsdbProtocolError

MAX_MESSAGE_BYTES = 256 * 2**20

# Without possessive quantifiers, which Debian 12's Python (3.11.2) matches wrongly: the parts exclude each other, so
# that backtracking finds nothing else, and costs no more than another look.
# up to the next brace: whole strings, so that braces in them do not count, and what is between them
_STRETCH = re.compile(rb'[^"{}]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"{}]*)*', re.DOTALL)
_REST = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)  # of a string that has begun
_OPENING, _STRING = ord("{"), ord('"')


class Framer:
    """What has been looked at is not looked at again, however slowly an object comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that are complete now.  Raises OvsdbProtocolError."""
        self._buffer += data
        objects: list[bytes] = []
        start = 0
        while self._to_a_brace():
            self._depth += 1 if self._buffer[self._scanned] == _OPENING else -1
            self._scanned += 1
            if self._depth <= 0:
                objects.append(bytes(self._buffer[start : self._scanned]))
                start, self._depth = self._scanned, 0
        del self._buffer[:start]
        self._scanned -= start
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise OvsdbProtocolError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        if self._depth == 0 and self._buffer.strip():
            raise OvsdbProtocolError("not a JSON object")
        return objects

    def _to_a_brace(self) -> bool:
        """Whether there is a next one by now."""
        buffer, scanned = self._buffer, self._scanned
        if self._in_string:
            scanned = _end(_REST, buffer, scanned)
            self._in_string = scanned == len(buffer) or buffer[scanned] != _STRING  # else it is a lone backslash
            scanned += not self._in_string
        if not self._in_string:
            scanned = _end(_STRETCH, buffer, scanned)
            if scanned < len(buffer) and buffer[scanned] == _STRING:  # it has not ended yet
                self._in_string, scanned = True, _end(_REST, buffer, scanned + 1)
        self._scanned = scanned
        return not self._in_string and scanned < len(buffer)


def _end(pattern: re.Pattern[bytes], buffer: bytearray, at: int) -> int:
    found = pattern.match(buffer, at)  # it matches nothing, too
    return found.end() if found else at
