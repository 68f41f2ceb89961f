"""Commands for a real machine, over its second serial port, where LISTENER waits for them inside of it.

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

READY = "netweft: this machine is ready"
# a shell that reads loses what it has read of a line when a child of its own ends: so commands are no children of the
# shell that reads them, and that is not the first process, whose children all orphans become
LISTENER = f"""\
stty -F /dev/ttyS1 raw -echo
echo "{READY}" >/dev/console
exec 3>/dev/ttyS1
while read -r token command; do
  [ -n "$running" ] && kill -9 -$running 2>/dev/null
  running=$(setsid sh -c 'sh -c "$(echo "$2" | base64 -d)" </dev/null; echo "$1 $?"' sh "$token" "$command" >&3 2>&3 &
    echo $!)
done </dev/ttyS1 &
wait
"""


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
