"""Runs `inside` in a namespace, by a process that forks: `inside/forks.py`."""

import functools
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tests.forking import fork_server

INSIDE = (sys.executable, "-I", "-S", str(Path(__file__).with_name("inside")))
LONGEST = 600.0  # seconds
_once = threading.Lock()


@functools.cache
def _server() -> socket.socket:
    """One for this process."""
    return fork_server((*INSIDE, "serve-forks"))


class Forked:
    """What it says on stderr goes to this process' own."""

    def __init__(self, namespace: str, words: Sequence[str]) -> None:
        with _once:
            server = _server()
        (read_in, write_in), (read_out, write_out), (read_told, write_told) = os.pipe(), os.pipe(), os.pipe()
        theirs = (read_in, write_out, 2, write_told)
        socket.send_fds(server, [json.dumps([namespace, words]).encode()], theirs)
        for one in (read_in, write_out, write_told):
            os.close(one)
        self.stdin: BinaryIO | None = os.fdopen(write_in, "wb", buffering=0)
        self.stdout: BinaryIO = os.fdopen(read_out, "rb", buffering=0)
        self._told = os.fdopen(read_told)
        self._pid = int(self._told.readline())
        self.status = ""  # "0" where it ended well

    def kill(self) -> None:
        """Of one that has ended the pid may be another's by now."""
        if not self.stdout.closed and not select.select([self._told], [], [], 0)[0]:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, None]:
        """Closes its stdin; what it said until its end.  Raises TimeoutError."""
        if self.stdin:
            with self.stdin as stdin, suppress(BrokenPipeError):
                stdin.write(input or b"")
            self.stdin = None
        end, said = time.monotonic() + (timeout or LONGEST), b""
        while not self.stdout.closed:
            left = max(0.0, end - time.monotonic())
            if not select.select([self.stdout], [], [], left)[0]:
                raise TimeoutError(f"it has not ended, and said {said!r}")
            chunk = os.read(self.stdout.fileno(), 65536)
            said += chunk
            if not chunk:
                self.stdout.close()
                with self._told:
                    self.status = self._told.read().strip()
        return said, None


def do(namespace: str, *words: str, stdin: str = "") -> str:
    """What it said; it must have ended well."""
    one = Forked(namespace, words)
    said, _ = one.communicate(stdin.encode())
    assert one.status == "0", f"{words} in {namespace} failed: see stderr"
    return said.decode()
