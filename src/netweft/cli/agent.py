"""`netweft agent`: run the agent of this hypervisor, and ask the running one over its local socket."""

import socket
from typing import Any

import click
import msgspec

from netweft.cli.agent_start import start
from netweft.cli.errors import CommandError
from netweft.cli.lazy import Lazy, LazyGroup
from netweft.cli.options import from_options, settings_options
from netweft.settings import AgentSettings

PATIENCE = 10.0
# with all settings as their options, too: an agent that starts does not wait for them
QUESTIONS = {
    "plan": Lazy(
        "netweft.cli.agent_questions:plan",
        "Print what the running agent would change now; nothing when all is in sync.",
    ),
    "show": Lazy(
        "netweft.cli.agent_questions:show",
        "Print what this node has: networks with their local VLANs, ports, connections.",
    ),
}


class NobodyAnswers(CommandError):
    """There is no agent, or it hangs."""


@click.group(cls=LazyGroup, lazy=QUESTIONS, invoke_without_command=True)
@settings_options(AgentSettings)
@click.pass_context
def agent(context: click.Context, /, **options: Any) -> None:
    """Run the agent of this hypervisor."""
    settings = from_options(AgentSettings, options)
    if context.invoked_subcommand:
        context.obj = settings
        return
    start(settings)


def ask(path: str, question: str) -> str:
    """Raises CommandError."""
    text: str = answer_to(path, question)["text"]
    return text


def answer_to(path: str, question: str, patience: float = PATIENCE) -> dict[str, Any]:
    """Raises NobodyAnswers, CommandError."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience)
            connection.connect(path)
            connection.sendall(f"{question}\n".encode())
            reply = connection.makefile("rb").read()
    except OSError as error:
        raise NobodyAnswers(f"no agent answers on {path}: {error.strerror or error}") from None
    answer: dict[str, Any] = msgspec.json.decode(reply) if reply else {"error": "no answer"}
    if "error" in answer:
        raise CommandError(answer["error"])
    return answer
