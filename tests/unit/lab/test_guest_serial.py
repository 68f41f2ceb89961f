"""A real machine's second serial port: what listens inside of it, on a terminal in its place, and what does not."""

import io
import os
import pty
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from netweft.lab import guest_serial
from netweft.lab.layout import LabError

Machine = Callable[[socket.socket], None]


@contextmanager
def serial(folder: Path, machine: Machine) -> Iterator[Path]:
    """QEMU's socket: one connection after the other."""
    path = folder / "commands.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def play() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        machine(connection)

        playing = threading.Thread(target=play)
        playing.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            playing.join(PATIENCE)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """The listener, as machines have it."""
    inside, outside = pty.openpty()
    console = tmp_path / "console.log"
    script = guest_serial.LISTENER.replace("/dev/ttyS1", os.ttyname(outside)).replace("/dev/console", str(console))
    shell = subprocess.Popen(("busybox", "sh", "-c", script), start_new_session=True)
    os.close(outside)

    def carry(connection: socket.socket) -> None:
        def up() -> None:
            with suppress(OSError):
                while said := os.read(inside, 65536):
                    connection.sendall(said)

        threading.Thread(target=up, daemon=True).start()
        while told := connection.recv(65536):
            os.write(inside, told)

    while not console.exists() or guest_serial.READY not in console.read_text():
        assert shell.poll() is None
    with serial(tmp_path, carry) as path:
        yield path
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait(PATIENCE)
    os.close(inside)


def say(path: Path, *argv: str, seconds: float = PATIENCE) -> tuple[int, str]:
    output = io.BytesIO()
    return guest_serial.execute(path, argv, output, seconds), output.getvalue().decode()


def test_what_listens_gets_a_command_and_says_how_it_ended(machine: Path) -> None:
    assert say(machine, "sh", "-c", "echo one; printf two; exit 3") == (3, "one\ntwo")


def test_a_machine_that_lost_the_beginning_of_a_line_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """As one did whose port was opened after somebody had been told that it was ready."""
    (tmp_path / "console.log").write_text("it is up")

    def forgetful(connection: socket.socket) -> None:
        token = connection.recv(100).split()[0]
        connection.sendall(token[3:] + b"\nhello\n" + token[3:] + b" 0\n")
        connection.recv(100)

    with serial(tmp_path, forgetful) as path, pytest.raises(LabError, match="nothing for 0 s after: true\nit is up"):
        say(path, "true", seconds=0.2)


def test_somebody_elses_query_is_no_answer(tmp_path: Path) -> None:
    def late(connection: socket.socket) -> None:
        token = connection.recv(100).split()[0]
        connection.sendall(b"an answer\n0123456789abcdef 0\n" + token + b"\nmine" + token + b" 0\n")

    with serial(tmp_path, late) as path:
        assert say(path, "true") == (0, "mine")


def test_a_machine_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be reached"):
        say(tmp_path / "commands.sock", "true")
    with serial(tmp_path, lambda _: None) as path, pytest.raises(LabError, match="went away"):
        say(path, "true")
