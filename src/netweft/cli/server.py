"""`netweft server`: settings from everywhere, then the server until a signal."""

from typing import Any

import click

from netweft.cli.errors import CommandError
from netweft.cli.options import from_options, settings_options
from netweft.settings import ServerSettings, SettingsError
from netweft.starting import loading


@settings_options(ServerSettings)
@click.command
def server(**options: Any) -> None:
    """Run the API, identity and the feed.

    Each setting can also stand in the TOML file's table [server], or in the environment as NETWEFT_SERVER_NAME.
    """
    settings = from_options(ServerSettings, options)
    with loading():
        from netweft.listeners import ListenError
        from netweft.server.run import StateError, serve
        from netweft.spans.exporting import SpansError

    try:
        serve(settings)
    except (ListenError, StateError, SettingsError, SpansError) as error:
        raise CommandError(str(error)) from error
