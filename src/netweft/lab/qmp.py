"""QEMU's monitor for programs (QMP) on a unix socket: commands, and what happens meanwhile."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netweft.lab.layout import LabError


class Qmp:
    """A context manager.  Each method raises LabError."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._pending = b""
        self._events: list[dict[str, Any]] = []
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise LabError(f"QEMU's monitor {path} cannot be reached: {error.strerror}") from None
        self._message(time.monotonic() + 10)  # its greeting
        self.execute("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def execute(self, command: str, **arguments: object) -> Any:
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        end = time.monotonic() + 30
        while True:
            message = self._message(end)
            if "error" in message:
                raise LabError(f"QEMU's {command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self._events.append(message)

    def events(self, seconds: float) -> Iterator[dict[str, Any]]:
        """As they come, also those that came while a command ran."""
        end = time.monotonic() + seconds
        while True:
            yield self._events.pop(0) if self._events else self._message(end)

    def _message(self, end: float) -> dict[str, Any]:
        while b"\n" not in self._pending:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                raise LabError("QEMU's monitor says nothing") from None
            if not chunk:
                raise LabError("QEMU ended")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


def when(event: dict[str, Any]) -> float:
    """Seconds, of the machine's clock."""
    stamp = event["timestamp"]
    return float(stamp["seconds"]) + float(stamp["microseconds"]) / 1e6
