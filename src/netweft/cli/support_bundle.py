"""`netweft support-bundle`: what a maintainer needs of this host, in one file, and no secret in it."""

import io
import os
import socket
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

import click

from netweft.cli.errors import CommandError
from netweft.settings import AgentSettings, ServerSettings, SettingsError, load
from netweft.support import parts
from netweft.support.redact import redactor
from netweft.support.secrets import secrets


@click.command("support-bundle")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file.  [default: /etc/netweft/netweft.toml]")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="a new file  [default: netweft-HOST-TIME.tar.gz]")
@click.option("--explain", "objects", multiple=True, metavar="OBJECT", help="with what explain says of it (needs OS_*)")
@click.option("--log", "logs", multiple=True, type=click.Path(path_type=Path), help="with the end of this log")
def support_bundle(config: Path | None, output: Path | None, objects: tuple[str, ...], logs: tuple[Path, ...]) -> None:
    """Write a tar.gz of what a maintainer needs: versions, settings, ends of logs, what doctor and explain say, what
    Open vSwitch has.

    Secrets are taken out: those of the settings, their files and OS_* variables, and whatever looks like one.
    Addresses and names stay: look through it before you give it to strangers.
    """
    server, agent = _settings(ServerSettings, config), _settings(AgentSettings, config)
    of_server = server if isinstance(server, ServerSettings) else None
    of_agent = agent if isinstance(agent, AgentSettings) else None
    redact = redactor(secrets(of_server, of_agent, os.environ))
    path = output or Path(f"netweft-{socket.gethostname()}-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    found = [
        *parts.of_host(),
        parts.of_settings("server", server),
        parts.of_settings("agent", agent),
        *parts.of_ourselves(config, objects),
        *parts.of_open_vswitch((of_agent or AgentSettings()).ovs_run_dir),
        *parts.of_load_balancers(Path((of_agent or AgentSettings()).socket).parent / parts.LOAD_BALANCERS),
        *parts.of_logs(logs),
    ]
    _write(path, ((redact(name), redact(text)) for name, text in found))
    click.echo(path)


def _settings(
    kind: type[ServerSettings] | type[AgentSettings], config: Path | None
) -> ServerSettings | AgentSettings | str:
    try:
        return load(kind, file=config)
    except SettingsError as error:
        return str(error)


def _write(path: Path, found: Iterable[parts.Part]) -> None:
    """For us alone to read; never over what is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    folder = path.name.removesuffix(".tar.gz").removesuffix(".tgz")
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, text in found:
            member = tarfile.TarInfo(f"{folder}/{name}")
            data = text.encode()
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
            bundle.addfile(member, io.BytesIO(data))
