"""`netweft agent plan` and `netweft agent show`: what the running agent says over its local socket."""

from typing import Any

import click

from netweft.cli.agent import ask
from netweft.cli.options import from_options, settings_options
from netweft.settings import AgentSettings


def _asking(command: Any) -> Any:
    """A question may bring its own settings: `netweft agent plan --config FILE`."""
    return click.command(settings_options(AgentSettings)(click.pass_context(command)))


@_asking
def plan(context: click.Context, /, **options: Any) -> None:
    """Print what the running agent would change now; nothing when all is in sync.  Changes nothing."""
    _print_answer("plan", context, options)


@_asking
def show(context: click.Context, /, **options: Any) -> None:
    """Print what this node has: networks with their local VLANs, ports, connections."""
    _print_answer("show", context, options)


def _print_answer(question: str, context: click.Context, options: dict[str, Any]) -> None:
    given = any(value not in (None, ()) for value in options.values())
    settings = from_options(AgentSettings, options) if given else context.obj
    answer = ask(settings.socket, question)
    if answer:
        click.echo(answer)
