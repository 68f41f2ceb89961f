"""Settings as command line options: each field of a settings object is one option, so none is out of reach."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from netweft.cli.errors import CommandError
from netweft.settings import AgentSettings, Field, ServerSettings, SettingsError, fields, load

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=ServerSettings | AgentSettings)


def settings_options(kind: type[ServerSettings] | type[AgentSettings]) -> Callable[[F], F]:
    """A decorator: the command gets `--config FILE` and one option per setting, to be handed to `from_options`."""

    def decorate(command: F) -> F:
        for field in reversed(fields(kind)):
            command = _option(field)(command)
        return click.option(
            "--config", type=click.Path(path_type=Path), help="TOML file.  [default: /etc/netweft/netweft.toml]"
        )(command)

    return decorate


def from_options(kind: type[S], options: dict[str, Any]) -> S:
    """Raises CommandError."""
    given = {name: value for name, value in options.items() if name != "config" and value not in (None, ())}
    try:
        return load(kind, file=options["config"], overrides={k: _joined(v) for k, v in given.items()})
    except SettingsError as error:
        raise CommandError(str(error)) from None


def _option(field: Field) -> Callable[[F], F]:
    name = f"--{field.name.replace('_', '-')}"
    if field.is_flag:
        return click.option(f"{name}/--no-{name[2:]}", default=None, help=field.description)
    shown = ",".join(field.default) if field.is_list else str(field.default)
    return click.option(
        name,
        multiple=field.is_list,
        metavar="TEXT[,...]" if field.is_list else "TEXT",
        help=f"{field.description}{f'  [default: {shown}]' if shown else ''}",
    )


def _joined(value: Any) -> Any:
    """A list option may be given several times, and each time hold several."""
    return ",".join(value) if isinstance(value, tuple) else value
