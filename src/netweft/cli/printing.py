"""What a command prints: an answer as JSON for programs, or its lines for people."""

import json
from collections.abc import Iterable
from typing import Any

import click


def print_answer(answer: Any, lines: Iterable[str], *, as_json: bool) -> None:
    click.echo(json.dumps(answer, indent=2) if as_json else "\n".join(map(printable, lines)))


def printable(line: str) -> str:
    """Names are what users chose, problems what devices say: nothing in them is for the terminal."""
    return "".join(each if each.isprintable() else "?" for each in line)
