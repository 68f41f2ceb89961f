"""Each command of the stock clients for firewalls, load balancers and secrets, with each of its options, once.

`commands.txt` has the commands; what options there are the clients say themselves, so that a new one is missed.
Run by `make conformance`, or alone: `python -m tests.conformance.stock`.  In one process, as `openstack` would.
"""

import argparse
import contextlib
import io
import json
import logging
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from string import Template
from typing import Any, Final, NamedTuple
from unittest.mock import Mock

from tests import certificates
from tests.api.process.conftest import Server
from tests.conformance.report import Result

HERE: Final = Path(__file__).parent
BARBICANS: Final = next(iter((HERE.parents[1] / ".venv/conformance/lib").glob("python3*/site-packages")), None)
GROUPS: Final = ("openstack.network.v2.fwaas", "openstack.load_balancer.v2", "openstack.key_manager.v1")
SECTIONS: Final = ("firewall group", "loadbalancer", "secret", "acl", "ca ")
_OF_CLIFF: Final = (  # how any command prints
    *("-f", "-c", "--quote", "--noindent", "--max-width", "--fit-width", "--print-empty", "--prefix", "--variable"),
    "--sort-",
)
_IDS: Final = ("id", "ID", "Secret href", "Container href")


class Line(NamedTuple):
    """name: of what it makes.  refusal: a part of what is said then; None: it works."""

    command: str
    name: str = ""
    refusal: str | None = None


def lines() -> list[Line]:
    text = (HERE / "commands.txt").read_text()
    return [_line(line) for line in text.splitlines() if line and not line.startswith("#")]


def _line(line: str) -> Line:
    if line.startswith("! "):
        command, _, refusal = line[2:].rpartition(" => ")
        return Line(command, refusal=refusal)
    name, is_named, command = line.partition(" = ")
    return Line(command, name) if is_named and name.isupper() else Line(line)


def options() -> dict[str, set[frozenset[str]]]:
    """Of each command: each option, by all its spellings."""
    found: dict[str, set[frozenset[str]]] = {}
    for group in GROUPS:
        for entry in entry_points(group=group):
            name = entry.name.replace("_", " ")
            if name.startswith(SECTIONS):
                parser = entry.load()(Mock(), Mock()).get_parser(name)
                found[name] = {frozenset(one.option_strings) for one in parser._actions if _is_its_own(one)}
    return found


def _is_its_own(action: argparse.Action) -> bool:
    if isinstance(action, argparse._HelpAction):
        return False
    return bool(action.option_strings) and not action.option_strings[0].startswith(_OF_CLIFF)


def untried() -> Iterator[str]:
    """Commands and options that no line has."""
    said = [shlex.split(line.command) for line in lines()]
    known = options()
    for name, its in sorted(known.items()):
        mine = [words for words in said if _command(words, known) == name]
        if not mine:
            yield name
        used = {word for words in mine for word in words}
        yield from (f"{name} {max(one, key=len)}" for one in its if not one & used and mine)


def _command(words: list[str], known: Mapping[str, object]) -> str:
    starts = (" ".join(words[:length]) for length in range(len(words), 0, -1))
    return next((start for start in starts if start in known), "")


def results(server: Server) -> Iterator[Result]:
    """server: one that runs, with nothing in it."""
    if BARBICANS is not None:
        sys.path.append(str(BARBICANS))
    from openstackclient import shell

    with tempfile.TemporaryDirectory() as folder:
        known = _files(Path(folder)) | {"DIR": folder}
        for line in lines():
            command = Template(line.command).safe_substitute(known)
            status, told, problem = _run(shell.OpenStackShell, shlex.split(command), server.openrc())
            name = f"openstack {line.command}"
            if line.refusal is None and status:
                yield Result(name, "failed", problem)
            elif line.refusal is not None and (not status or line.refusal not in problem):
                yield Result(name, "failed", f"refused as: {problem}" if status else "it is not refused")
            else:
                yield Result(name, "passed", "")
            if line.name:
                known |= _identity(line.name, told)
    yield from (Result(f"openstack {name}", "failed", "commands.txt has none") for name in untried())


def _files(folder: Path) -> dict[str, str]:
    """TLS material; SECRET0 is a secret that is not there."""
    authority = certificates.authority()
    mine = certificates.signed(authority, "www.example.com")
    (folder / "tls.pem").write_text(mine.pem + mine.key_pem)
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "crl.pem").write_text(certificates.revoked(authority, mine))
    return {}


def _identity(name: str, told: str) -> dict[str, str]:
    try:
        found: Any = json.loads(told)
    except ValueError:
        return {}
    one = found[0] if isinstance(found, list) and found else found
    id = next((one[key] for key in _IDS if key in one), "") if isinstance(one, dict) else ""
    gone = f"{str(id)[:-4]}0000" if id else ""
    return {name: str(id), f"{name}0": gone}


def _run(shell: Any, words: list[str], variables: Mapping[str, str]) -> tuple[int, str, str]:
    told, problem = io.StringIO(), io.StringIO()
    argv = [f"--os-{name.removeprefix('OS_').lower().replace('_', '-')}={value}" for name, value in variables.items()]
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(problem):
        try:
            status = shell().run([*argv, *words])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    for handler in logging.getLogger().handlers[:]:
        logging.getLogger().removeHandler(handler)
    return int(status or 0), told.getvalue(), " ".join((problem.getvalue() + told.getvalue()).split())


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            failed = 0
            for one in results(server):
                print(f"{one.outcome:8} {one.test}  {one.reason[:400]}", flush=True)
                failed += one.outcome == "failed"
        finally:
            server.stop()
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
