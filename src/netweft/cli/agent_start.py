"""Starts the agent of this hypervisor.  Imports neither what reads command lines nor, before it has to, the agent."""

from pathlib import Path
from typing import TYPE_CHECKING

from netweft.cli.errors import CommandError
from netweft.starting import loading

if TYPE_CHECKING:
    from netweft.settings import AgentSettings

UNUSED = "typing_extensions"  # msgspec and structlog ask for what Python has itself by now


def start_by(file: Path) -> None:
    """With the settings of this file and of the environment.  Raises CommandError."""
    with loading(UNUSED):
        from netweft.settings import AgentSettings, SettingsError, load
    try:
        settings = load(AgentSettings, file=file)
    except SettingsError as error:
        raise CommandError(str(error)) from None
    start(settings)


def start(settings: "AgentSettings") -> None:
    """Until it gets SIGTERM or SIGINT.  Raises CommandError."""
    with loading(UNUSED):
        from netweft.agent.main import AgentError, run

    try:
        run(settings)
    except AgentError as error:
        raise CommandError(str(error)) from None
