"""QEMU's monitor: what happens while a command runs is not lost, and what goes wrong is said."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from netweft.lab.layout import LabError
from netweft.lab.qmp import Qmp, when

STOP = {"event": "STOP", "timestamp": {"seconds": 7, "microseconds": 250000}}
ANSWERS: list[list[dict[str, Any]]] = [
    [{"return": {}}],
    [STOP, {"return": {"status": "paused"}}],
    [{"error": {"desc": "no"}}],
]


def play(listener: socket.socket) -> None:
    """A QEMU that answers each command with the next of ANSWERS, then ends."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rw") as lines:
        greeting: list[dict[str, Any]] = [{"QMP": {}}]
        for number, messages in enumerate([greeting, *ANSWERS]):
            if number:
                lines.readline()
            lines.writelines(f"{json.dumps(message)}\r\n" for message in messages)
            lines.flush()


def test_commands_and_events(tmp_path: Path) -> None:
    path = tmp_path / "qmp.sock"
    with pytest.raises(LabError, match="cannot be reached"):
        Qmp(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        qemu = threading.Thread(target=play, args=(listener,))
        qemu.start()
        with Qmp(path) as qmp:
            assert qmp.execute("query-status") == {"status": "paused"}
            assert when(next(qmp.events(5))) == 7.25
            with pytest.raises(LabError, match="QEMU's migrate: no"):
                qmp.execute("migrate", uri="unix:nowhere")
            with pytest.raises(LabError, match="QEMU ended"):
                next(qmp.events(5))
        qemu.join()
