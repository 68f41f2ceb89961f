"""The stock `openstack` command.  One process takes many commands from its standard input, as in its interactive mode:
to start it takes longer than to answer."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from netweft.lab.layout import LabError

# follows each command, and asks nobody: its answer, which names this module, is the end of that command's
_END, _ITS_ANSWER = "module list", "openstackclient"


class StockClient:
    def __init__(self, process: "subprocess.Popen[str]", errors: TextIO) -> None:
        self._process = process
        self._errors = errors

    def ask(self, command: str) -> dict[str, Any]:
        """One that answers with one object.  Raises LabError."""
        answer, said = self._send(f"{command} -f json")
        if answer is None:
            raise LabError(f"openstack {command}: {self._complaint() or said or 'no answer'}")
        return answer

    def do(self, command: str) -> None:
        """One that says nothing, unless it fails.  Raises LabError."""
        _, said = self._send(command)
        if complaint := self._complaint() or said:
            raise LabError(f"openstack {command}: {complaint}")

    def _send(self, line: str) -> tuple[dict[str, Any] | None, str]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n{_END} -f json\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LabError(f"openstack has ended: {self._complaint()}") from None
        return self._answer()

    def _answer(self) -> tuple[dict[str, Any] | None, str]:
        """And what it said that is none."""
        assert self._process.stdout is not None
        answer: dict[str, Any] | None = None
        said, lines = "", list[str]()
        for line in self._process.stdout:
            if line == "{\n":
                said, lines = said + "".join(lines), []
            lines.append(line)
            if line == "}\n":
                found: dict[str, Any] = json.loads("".join(lines))
                lines = []
                if _ITS_ANSWER in found:
                    break
                answer = found
        return answer, (said + "".join(lines)).strip()

    def _complaint(self) -> str:
        """Since it was asked last."""
        return self._errors.read().strip()


@contextmanager
def stock_client(environment: Mapping[str, str]) -> Iterator[StockClient]:
    with tempfile.NamedTemporaryFile() as written, Path(written.name).open() as errors:
        process = subprocess.Popen(
            ("openstack",),
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        )
        with process:
            try:
                yield StockClient(process, errors)
            finally:
                assert process.stdin is not None
                with suppress(BrokenPipeError):  # it ended by itself
                    process.stdin.close()  # it ends
