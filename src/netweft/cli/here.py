"""`explain` and `trace` on a hypervisor without a server: what this node alone knows of its own ports, from its agent,
or where that does not run from Open vSwitch itself.  For who may read both: root.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from netweft.cli.agent import NobodyAnswers, answer_to
from netweft.cli.errors import CommandError
from netweft.cli.options import from_options
from netweft.cli.printing import print_answer
from netweft.settings import AgentSettings

PATIENCE = 3.0  # seconds; of an agent that hangs
_ENDS = {True: 0, False: 1, None: 2}

here_option = click.option(
    "--here",
    "here_alone",
    is_flag=True,
    help="ask this hypervisor alone, as root; done by itself where no server answers",
)
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="of --here: the agent's TOML file.  [default: /etc/netweft/netweft.toml]",
)


def told(config: Path | None, question: str | Mapping[str, Any]) -> dict[str, Any]:
    """question: a port here, or a packet, as `netweft.agent.queries.local.Packet`.  Raises CommandError."""
    settings = from_options(AgentSettings, {"config": config})
    word = f"explain {question}" if isinstance(question, str) else f"trace {json.dumps(dict(question))}"
    if "\n" in word:
        raise CommandError("a name is one line")
    try:
        found: dict[str, Any] = answer_to(settings.socket, word, PATIENCE)["told"]
    except NobodyAnswers as nobody:
        found = _looked(settings, question, str(nobody))
    return found


def _looked(settings: AgentSettings, question: str | Mapping[str, Any], nobody: str) -> dict[str, Any]:
    """Raises CommandError."""
    from netweft.agent.offline import look
    from netweft.agent.queries.local import Packet
    from netweft.agent.queries.trace_input import NotHere

    try:
        asked = question if isinstance(question, str) else msgspec.convert(dict(question), Packet)
        found = look(settings, asked)
    except (NotHere, OSError) as problem:
        raise CommandError(f"{problem}; {nobody}") from None
    made: dict[str, Any] = msgspec.to_builtins(found)
    return made


def finish(found: Mapping[str, Any], *, as_json: bool, packet: bool) -> int:
    """Prints it.  The exit code: 1 something is wrong here; 0 a packet arrives here; else 2, others were not asked."""
    print_answer(found, text(found, packet=packet), as_json=as_json)
    if found.get("findings") or found.get("passes") is False:
        return 1
    return _ENDS[found.get("passes") if packet else None]


def text(found: Mapping[str, Any], *, packet: bool) -> Iterator[str]:
    yield f"port {found['port_id']} on {found['node']}, as this node alone sees it"
    for name, value in found["facts"].items():
        yield f"  {name:<10} {value}"
    if packet and found.get("answer"):
        yield from _way(found["answer"])
    if packet:
        words = {True: "it arrives, on this node", False: "it does not pass", None: "not found out whether it passes"}
        yield words[found.get("passes")]
    codes = known_codes()
    for one in found.get("findings", ()):
        code = codes.get(one["code"])
        kind, id = one["about"]
        yield f"  ! {one['code']}: {kind} {id}{f': {code.meaning}' if code else ''}"
        if one.get("detail"):
            yield f"      {one['detail']}"
    if not found.get("findings") and not packet:
        yield "nothing is wrong with it here, as far as this node knows"
    for one in found.get("unseen", ()):
        yield f"not seen: {one}"


def _way(answer: Mapping[str, Any]) -> Iterator[str]:
    for hop in answer.get("hops", ()):
        whose = " ".join(filter(None, (hop.get("reason"), hop.get("object", "").strip("0") and hop["object"])))
        yield f"  {hop['bridge']} {hop['table']}: {hop['flow'] or 'no flow'}{f'  [{whose}]' if whose else ''}"


def known_codes() -> Mapping[str, Any]:
    from netweft.control.explain import codes as objects
    from netweft.control.trace import codes as packets

    return {one.code: one for one in (*objects.CODES, *packets.CODES)}
