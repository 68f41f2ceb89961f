"""The stock `openstack` command.  One process takes many commands from its standard input, as in its interactive mode,
and is forked by one that has imported it (`stock_forks`): to start it takes longer than to answer."""

import functools
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.api.process.conftest import environment
from tests.forking import fork_server

COMMAND = str(Path(sys.executable).with_name("openstack"))


def stock_client(variables: Mapping[str, str], *commands: str) -> list[Any]:
    """What they print, one after the other; with `-f json`, for those that print something."""
    answers, problems = stock_client_tried(variables, *commands)
    assert problems == "", problems
    return answers


def stock_client_tried(variables: Mapping[str, str], *commands: str) -> tuple[list[Any], str]:
    """And what they complain of."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write("\n".join([*commands, ""]).encode())
        stdin.seek(0)
        told, tell = os.pipe()
        descriptors = [stdin.fileno(), stdout.fileno(), stderr.fileno(), tell]
        socket.send_fds(_forks(), [json.dumps(environment(variables)).encode()], descriptors)
        os.close(tell)
        with os.fdopen(told) as status:
            assert status.read(), "it has not ended"
        stdout.seek(0)
        stderr.seek(0)
        return list(_documents(stdout.read().decode())), stderr.read().decode().strip()


@functools.cache
def _forks() -> socket.socket:
    """One for this process."""
    return fork_server((sys.executable, str(Path(__file__).with_name("stock_forks.py"))))


def _documents(text: str) -> list[Any]:
    """A line that is none is left out: what a command says to a person."""
    found, decode = [], json.JSONDecoder().raw_decode
    while text := text.strip():
        try:
            document, end = decode(text)
        except json.JSONDecodeError:
            text = text.partition("\n")[2]
            continue
        found.append(document)
        text = text[end:]
    return found
