"""man/ and completions/ out of the commands themselves: `python -m netweft.cli.manual` writes them anew.

A page for `netweft`, and one for each of its commands with all that is below it.  Completions are click's own scripts,
which ask `netweft` while somebody types.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import FishComplete, ShellComplete, ZshComplete, get_completion_class

from netweft import __version__
from netweft.cli.commands import COMMANDS, cli

NAME, VARIABLE = "netweft", "_NETWEFT_COMPLETE"
_PREFORMATTED = "\b\n"  # click's mark


def files() -> dict[str, str]:
    """Path below the repository's top -> what is in it."""
    root = click.Context(cli, info_name=NAME, **cli.context_settings)
    pages = {f"man/{NAME}.1": page(root)}
    for name in COMMANDS:
        pages[f"man/{NAME}-{name}.1"] = page(_below(root, name))
    return pages | {
        f"completions/{NAME}": _script(get_completion_class("bash")),
        f"completions/_{NAME}": _script(ZshComplete),
        f"completions/{NAME}.fish": _script(FishComplete),
    }


def page(context: click.Context) -> str:
    return "\n".join(_page(context)) + "\n"


def _page(context: click.Context) -> Iterator[str]:
    title, short = context.command_path.replace(" ", "-"), context.command.get_short_help_str(200)
    yield f'.TH {_text(title.upper())} 1 "" "{NAME} {__version__}" "{NAME}"'
    yield from (".SH NAME", f"{_text(title)} \\- {_text(short.rstrip('.'))}")
    yield from (".SH SYNOPSIS", *_usage(context))
    yield from (".SH DESCRIPTION", *_prose(context.command.help or ""))
    if options := list(_options(context)):
        yield from (".SH OPTIONS", *options)
    if context.command is cli:
        yield ".SH COMMANDS"
        for name, lazy in COMMANDS.items():
            yield from (".TP", f"\\fB{_text(f'{NAME}-{name}')}\\fR(1)", _text(lazy.help))
        return
    if below := list(_all_below(context)):
        yield ".SH COMMANDS"
    for one in below:
        yield f'.SS "{_text(one.command_path)}"'
        yield from (*_usage(one), ".PP", *_prose(one.command.help or ""), *_options(one))
    yield from (".SH SEE ALSO", f"\\fB{NAME}\\fR(1)")


def _all_below(context: click.Context) -> Iterator[click.Context]:
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            one = _below(context, name)
            if not isinstance(one.command, click.Group):
                yield one
            yield from _all_below(one)


def _below(context: click.Context, name: str) -> click.Context:
    assert isinstance(context.command, click.Group)
    command = context.command.get_command(context, name)
    assert command is not None
    return click.Context(command, info_name=name, parent=context)


def _usage(context: click.Context) -> Iterator[str]:
    yield f"\\fB{_text(context.command_path)}\\fR {_text(' '.join(context.command.collect_usage_pieces(context)))}"


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        if record := parameter.get_help_record(context):
            yield from (".TP", f"\\fB{_text(record[0])}\\fR", _text(record[1]))


def _prose(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith(_PREFORMATTED):
            yield from (".nf", *map(_text, paragraph.removeprefix(_PREFORMATTED).splitlines()), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """Nothing of it is a command of roff's."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe


def _script(shell: type[ShellComplete] | None) -> str:
    assert shell is not None
    made = shell(cli, {}, NAME, VARIABLE)
    return (made.source_template % made.source_vars()).strip() + "\n"  # source() would start a bash


def write(top: Path) -> None:
    made = files()
    for folder in {path.partition("/")[0] for path in made}:
        (top / folder).mkdir(exist_ok=True)
        for old in (top / folder).iterdir():
            old.unlink()
    for path, text in made.items():
        (top / path).write_text(text)


if __name__ == "__main__":
    write(Path.cwd())
