"""A regular expression is one if HAProxy takes it: the same answer as its own `-c` gives."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.services.lb.trees import policy, rule

from netweft.control.lb import expressions
from netweft.services.lb.proxy import policies

TAKEN = ["^/ok/(x|y)*$", "(?P<x>a)(?P=x)", "(?<=ab)c", "[éà]+", "a{1,9}?", "(" * 150 + ")" * 150]
NOT_TAKEN = [
    *(r"(a)\1", r"\N{DIGIT ONE}", "(?a)x", r"\u0041", "a{1,70000}", "((a{0,999}){0,999}){0,999}"),  # Python takes them
    *("(", "a**", "(?<=a|bc)x", "(a" * 5000),
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_is_one(text: str) -> None:
    assert expressions.problem(text) == ""


@pytest.mark.parametrize("text", NOT_TAKEN)
def test_what_is_none(text: str) -> None:
    assert expressions.problem(text)


@pytest.mark.skipif(not shutil.which("haproxy"), reason="needs HAProxy")
@pytest.mark.parametrize("text", [*TAKEN, *NOT_TAKEN[:6]])
def test_haproxy_says_the_same(tmp_path: Path, text: str) -> None:
    made = policies.in_order([policy("p", "REJECT")], [rule("r", "p", "PATH", "REGEX", text)])
    times = (f"timeout {one} 5s" for one in ("client", "server", "connect"))
    head = ["defaults", "mode http", *times, "frontend f", "bind 127.0.0.1:1"]
    config = tmp_path / "haproxy.cfg"
    config.write_text("\n".join([*head, *policies.lines(made, lambda _: None)]) + "\n")
    done = subprocess.run(["haproxy", "-c", "-f", str(config)], capture_output=True, check=False)
    assert (done.returncode == 0) == (expressions.problem(text) == "")
