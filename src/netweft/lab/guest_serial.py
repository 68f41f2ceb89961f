"""Commands for a real machine, over its second serial port, where LISTENER waits for them inside of it.

A line `TOKEN BASE64` is answered by a line `TOKEN`; then the shell command runs, and `TOKEN STATUS` follows its output.
"""

import base64
import secrets
import shlex
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from netweft.lab.layout import LabError

READY = "netweft: this machine is ready"
TAKEN_WITHIN = 120.0  # a machine under emulation, on a busy host
# the port is open before anybody is told of it: when a kernel opens it, what has come until then is lost, and of a
# command without its first letters there would be no answer
# a shell that reads loses what it has read of a line when a child of its own ends: so commands are no children of the
# shell that reads them, and that is not the first process, whose children all orphans become
LISTENER = f"""\
exec 3<>/dev/ttyS1
stty raw -echo <&3
echo "{READY}" >/dev/console
while read -r token command; do
  [ -n "$running" ] && kill -9 -$running 2>/dev/null
  echo "$token" >&3
  running=$(setsid sh -c 'sh -c "$(echo "$2" | base64 -d)" </dev/null; echo "$1 $?"' sh "$token" "$command" >&3 2>&3 &
    echo $!)
done <&3 &
wait
"""


def execute(path: Path, argv: Sequence[str], output: BinaryIO, seconds: float | None = None) -> int:
    """The exit status.  stderr comes with stdout; there is no stdin.  A new command ends the one before.

    seconds: for how long it may be silent; by default, for ever once it has taken the command.
    Raises LabError, with the end of the machine's console.
    """
    token = secrets.token_hex(8)
    command = base64.b64encode(shlex.join(argv).encode()).decode()
    with socket.socket(socket.AF_UNIX) as serial:
        try:
            serial.connect(str(path))
        except OSError as error:
            raise LabError(f"the VM cannot be reached: {error.strerror}") from None
        try:
            serial.settimeout(seconds or TAKEN_WITHIN)
            serial.sendall(f"{token} {command}\n".encode())
            said = _taken(serial, token.encode())
            serial.settimeout(seconds)
            return _copy_output(serial, said, token.encode(), output)
        except TimeoutError:
            what = f"has said nothing for {serial.gettimeout():.0f} s after: {shlex.join(argv)[:200]}"
            raise LabError(f"the VM {what}\n{_console(path)}") from None
        except OSError as error:
            raise LabError(f"the VM went away: {error.strerror}") from None


def _taken(serial: socket.socket, token: bytes) -> bytes:
    """What was said after that the command was taken.  Of what came before somebody else has asked."""
    pending = b""
    while chunk := serial.recv(65536):
        _, found, after = (pending := pending + chunk).partition(token + b"\n")
        if found:
            return after
    raise LabError("the VM went away")


def _copy_output(serial: socket.socket, said: bytes, token: bytes, output: BinaryIO) -> int:
    pending = said
    while True:
        before, found, after = pending.partition(token)
        if found and after.endswith(b"\n"):
            output.write(before)
            output.flush()
            return int(after)
        if not found:
            whole, newline, pending = pending.rpartition(b"\n")
            output.write(whole + newline)
            output.flush()
        if not (chunk := serial.recv(65536)):
            raise LabError("the VM went away")
        pending += chunk


def _console(commands: Path) -> str:
    """The end of what the machine says on its first serial port, which is a file beside the second one's socket."""
    with suppress(OSError):
        return commands.with_name("console.log").read_text(errors="replace")[-1000:]
    return ""
