"""Commands for a real machine, over its second serial port, where `guest_image`'s init waits for them.

A line `TOKEN BASE64` runs a shell command, whose output is followed by `TOKEN STATUS`.
"""

import base64
import secrets
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from netweft.lab.layout import LabError


def execute(path: Path, argv: Sequence[str], output: BinaryIO) -> int:
    """The exit status.  stderr comes with stdout; there is no stdin.  A new command ends the one before."""
    token = secrets.token_hex(8)
    command = base64.b64encode(shlex.join(argv).encode()).decode()
    with socket.socket(socket.AF_UNIX) as serial:
        try:
            serial.connect(str(path))
        except OSError as error:
            raise LabError(f"the VM cannot be reached: {error.strerror}") from None
        serial.sendall(f"{token} {command}\n".encode())
        return _copy_output(serial, token.encode(), output)


def _copy_output(serial: socket.socket, token: bytes, output: BinaryIO) -> int:
    pending = b""
    while chunk := serial.recv(65536):
        pending += chunk
        before, found, after = pending.partition(token)
        if found and after.endswith(b"\n"):
            output.write(before)
            output.flush()
            return int(after)
        if not found:
            whole, newline, pending = pending.rpartition(b"\n")
            output.write(whole + newline)
            output.flush()
    raise LabError("the VM went away")
