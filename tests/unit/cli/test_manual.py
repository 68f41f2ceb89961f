"""Man pages and completions are current and in the wheel; what a shell asks is answered."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from netweft.cli.commands import COMMANDS
from netweft.cli.manual import files

TOP = Path(__file__).parents[3]


def test_they_are_current() -> None:
    there = {
        f"{path.parent.name}/{path.name}": path.read_text() for path in [*TOP.glob("man/*"), *TOP.glob("completions/*")]
    }
    assert there == files(), "run: python -m netweft.cli.manual"


def test_they_are_in_the_wheel() -> None:
    data = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    packed = {str(path.relative_to(TOP)) for globs in data.values() for one in globs for path in TOP.glob(one)}
    assert packed == set(files())


def test_a_page_has_each_option_and_command() -> None:
    pages = files()
    assert "\\-\\-integration\\-bridge" in pages["man/netweft-agent.1"]
    assert '.SS "netweft agent plan"' in pages["man/netweft-agent.1"]
    assert '.SS "netweft lab vm add"' in pages["man/netweft-lab.1"]
    assert all(name.replace("-", "\\-") in pages["man/netweft.1"] for name in COMMANDS)


def test_no_line_is_a_command_that_we_did_not_mean() -> None:
    meant = {".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi"}
    for path, text in files().items():
        if path.startswith("man/"):
            assert {line.split()[0] for line in text.splitlines() if line.startswith((".", "'"))} <= meant


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_a_shell_completes() -> None:
    script = f"""
    source {TOP}/completions/netweft
    COMP_WORDS=(netweft agent pl); COMP_CWORD=2
    _netweft_completion netweft; echo "${{COMPREPLY[@]}}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, env={"PATH": path})
    assert (done.stdout.strip(), done.stderr) == ("plan", "")
