"""The command line's frame: fast to list, one line when it fails, each setting an option."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from netweft.cli import commands
from netweft.cli import main as frame
from netweft.cli.errors import CommandError
from netweft.cli.lazy import Lazy
from netweft.cli.options import from_options, settings_options
from netweft.settings import AgentSettings, ServerSettings, fields


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        frame.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """`netweft fail` raises the exception that the test puts into the list."""
    errors: list[BaseException] = []

    @click.command
    def fail() -> None:
        raise errors[0]

    monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
    monkeypatch.setitem(commands.COMMANDS, "fail", Lazy(f"{__name__}:fail", "Fails."))
    return errors


def test_help_lists_each_command_and_imports_none_of_them() -> None:
    code = (
        "import sys, netweft.cli.main as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('starlette', 'httpx', 'sqlalchemy', 'msgspec')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.endswith("[]\n")
    assert [name for name in commands.COMMANDS if f"  {name} " not in shown] == []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CommandError("no such\nlab"), "netweft: no such lab\n"),
        (
            OSError(2, "No such file", "/x"),
            "netweft: FileNotFoundError: [Errno 2] No such file: '/x' (NETWEFT_DEBUG=1 shows where)\n",
        ),
    ],
)
def test_an_error_is_one_line_and_a_status(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: BaseException, line: str
) -> None:
    failing.append(error)
    assert run("fail") == 1
    assert capsys.readouterr().err == line


def test_wrong_usage_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nonsense") == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [ServerSettings, AgentSettings])
def test_every_setting_is_an_option(kind: type[ServerSettings] | type[AgentSettings]) -> None:
    @settings_options(kind)
    @click.command
    def command() -> None: ...

    options = {option for parameter in command.params for option in parameter.opts}
    assert options == {"--config"} | {f"--{field.name.replace('_', '-')}" for field in fields(kind)}


def test_list_options_join_and_errors_name_the_option() -> None:
    options = {"config": None, "listen": ("127.0.0.1:1,127.0.0.1:2", "unix:/run/x"), "token_hours": None}
    assert from_options(ServerSettings, options).listen == ("127.0.0.1:1", "127.0.0.1:2", "unix:/run/x")
    with pytest.raises(CommandError, match=r"^--token-hours: "):
        from_options(ServerSettings, {"config": None, "token_hours": "-1"})


@pytest.mark.parametrize("more", [[], ["--log-level", "info"]], ids=["its file alone", "more"])
def test_an_agent_says_what_is_wrong_with_its_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, more: list[str]
) -> None:
    """Whether or not the command line is read by the library for it."""
    file = tmp_path / "netweft.toml"
    assert run("agent", "--config", str(file), *more) == 1
    assert capsys.readouterr().err == f"netweft: {file}: no such file\n"
    file.write_text("[agent]\nnonsense = 1\n")
    assert run("agent", "--config", str(file), *more) == 1
    assert capsys.readouterr().err == f"netweft: {file}: [agent] nonsense: unknown setting\n"
    file.write_text('[agent]\ntunnel_ip = "nowhere"\n')
    assert run("agent", "--config", str(file), *more) == 1
    assert capsys.readouterr().err == "netweft: tunnel_ip: nowhere is not an IP address\n"
