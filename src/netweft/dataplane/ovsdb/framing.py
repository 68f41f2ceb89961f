"""Cuts the stream from ovsdb-server into JSON objects: they follow each other without any separator."""

import re

from netweft.dataplane.ovsdb.errors import OvsdbProtocolError

MAX_MESSAGE_BYTES = 256 * 2**20

# a whole string (so that braces in it do not count), a brace, or the start of a string that has not ended yet
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}]|"', re.DOTALL)


class Framer:
    def __init__(self) -> None:
        self._buffer = b""
        self._scanned = 0
        self._depth = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that are complete now.  Raises OvsdbProtocolError."""
        self._buffer = buffer = self._buffer + data
        objects: list[bytes] = []
        start, scanned = 0, len(buffer)
        for token in _TOKEN.finditer(buffer, self._scanned):
            text = token.group()
            if text == b"{":
                self._depth += 1
            elif text == b"}":
                self._depth -= 1
                if self._depth <= 0:
                    objects.append(buffer[start : token.end()])
                    start, self._depth = token.end(), 0
            elif text == b'"':
                scanned = token.start()
                break
        self._buffer = buffer[start:]
        self._scanned = scanned - start
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise OvsdbProtocolError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        if self._depth == 0 and self._buffer.strip():
            raise OvsdbProtocolError("not a JSON object")
        return objects
