"""The stock `openstack` command.  One process takes many commands from its standard input, as in its interactive mode:
to start it takes longer than to answer."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.api.process.conftest import environment

COMMAND = str(Path(sys.executable).with_name("openstack"))


def stock_client(variables: Mapping[str, str], *commands: str) -> list[Any]:
    """What they print, one after the other; with `-f json`, for those that print something."""
    answers, problems = stock_client_tried(variables, *commands)
    assert problems == "", problems
    return answers


def stock_client_tried(variables: Mapping[str, str], *commands: str) -> tuple[list[Any], str]:
    """And what they complain of."""
    done = subprocess.run(
        [COMMAND], input="\n".join([*commands, ""]), capture_output=True, text=True, env=environment(variables)
    )
    return list(_documents(done.stdout)), done.stderr.strip()


def _documents(text: str) -> list[Any]:
    found, decode = [], json.JSONDecoder().raw_decode
    while text := text.strip():
        document, end = decode(text)
        found.append(document)
        text = text[end:]
    return found
