"""`netweft doctor`: what this host lacks before a role is started here."""

import dataclasses
import json
import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from netweft.cli.errors import CommandError
from netweft.cli.options import from_options, settings_options
from netweft.doctor.examine import as_json, examine
from netweft.doctor.facts import Facts
from netweft.doctor.results import Found
from netweft.settings import DEFAULT_FILE, SECTIONS, AgentSettings, ServerSettings

_READY, _NOT_READY = 0, 1
_JSON = click.option("--json", "as_json_", is_flag=True, help="findings with stable codes, and the facts")


@click.group(invoke_without_command=True)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file.  [default: /etc/netweft/netweft.toml]")
@_JSON
@click.pass_context
def doctor(context: click.Context, config: Path | None, *, as_json_: bool) -> int:
    """Say what this host lacks before the first start; ends with 0 if nothing, else with 1.

    Without a role: those that the TOML file has a table for, or the environment a setting; both if there are none.
    Changes nothing.  Ask as the user that the service will run as.
    """
    if context.invoked_subcommand:
        context.obj = (config, as_json_)
        return _READY
    return _tell({role: {"config": config} for role in roles(config)}, as_json_=as_json_)


@doctor.command
@settings_options(ServerSettings)
@_JSON
@click.pass_context
def server(context: click.Context, /, **options: Any) -> int:
    """For `netweft server`, with the same settings."""
    return _one_role("server", context, options)


@doctor.command
@settings_options(AgentSettings)
@_JSON
@click.pass_context
def agent(context: click.Context, /, **options: Any) -> int:
    """For `netweft agent`, with the same settings."""
    return _one_role("agent", context, options)


def _one_role(role: str, context: click.Context, options: dict[str, Any]) -> int:
    config, as_json_ = context.obj
    as_json_ |= options.pop("as_json_")
    return _tell({role: options | {"config": options["config"] or config}}, as_json_=as_json_)


def roles(config: Path | None) -> list[str]:
    """Those that somebody has written something for."""
    try:
        tables = tomllib.loads((config or DEFAULT_FILE).read_text())
    except (OSError, ValueError):  # what is wrong is said when it is read in earnest
        tables = {}
    meant = [one for one in SECTIONS if one in tables or any(f"NETWEFT_{one.upper()}_" in name for name in os.environ)]
    return meant or list(SECTIONS)


def look(given: dict[str, dict[str, Any]]) -> tuple[Facts, list[Found]]:
    """given: role -> the options of its command."""
    from netweft.doctor.gather import gather

    wrong: dict[str, str] = {}
    found: dict[str, Any] = {"server": None, "agent": None}
    for role, options in given.items():
        try:
            found[role] = from_options(ServerSettings if role == "server" else AgentSettings, options)
        except CommandError as error:
            wrong[role] = str(error)
    facts = gather(found["server"], found["agent"], wrong, _physical_mtu(found["server"], given))
    return facts, examine(facts)


def _physical_mtu(server: ServerSettings | None, given: dict[str, dict[str, Any]]) -> int:
    """The server's setting, as far as it is known here."""
    try:
        return (server or from_options(ServerSettings, {"config": given.get("agent", {}).get("config")})).physical_mtu
    except CommandError:
        return ServerSettings().physical_mtu


def _tell(given: dict[str, dict[str, Any]], *, as_json_: bool) -> int:
    facts, found = look(given)
    ready = not any(one.code.blocks for one in found)
    click.echo(json.dumps(report(list(given), facts, found), indent=2) if as_json_ else "\n".join(_text(given, found)))
    return _READY if ready else _NOT_READY


def report(roles: list[str], facts: Facts, found: list[Found]) -> dict[str, Any]:
    return {
        "roles": roles,
        "ready": not any(one.code.blocks for one in found),
        "findings": as_json(found),
        "facts": json.loads(json.dumps(dataclasses.asdict(facts), default=sorted)),
    }


def _text(roles: Iterable[str], found: list[Found]) -> Iterator[str]:
    for one in found:
        yield f"{'!' if one.code.blocks else '-'} {one.code.code}: {one.code.meaning}"
        if one.detail:
            yield f"    {one.detail}"
        yield f"    fix: {one.fix}"
    names = " and ".join(roles)
    blocking = sum(one.code.blocks for one in found)
    yield f"{names}: {blocking} to be mended first" if blocking else f"{names}: nothing is in the way"
