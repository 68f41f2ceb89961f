"""`netweft check` as it is called: what it asks for, what it prints, and the ways in which it ends."""

import json
from typing import Any

import httpx
import pytest

from netweft.cli.main import main

WEB: dict[str, Any] = {
    "id": "c-1", "name": "web", "from": "db", "to": "web\x1b[2J", "protocol": "tcp", "port": 443, "must_pass": True,
    "status": "PASSING", "status_since": "2026-11-29T12:00:00Z", "code": None, "reason": "",
}  # fmt: skip
DOWN = WEB | {"status": "FAILING", "code": "no-rule-lets-it-in", "reason": "port p: no rule"}
REAL = httpx.Client
ODD = WEB | {"status": "UNKNOWN"}


class Server:
    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = list(found)
        self.asked: list[tuple[str, str]] = []
        self.body: Any = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = str(request.url).removeprefix("http://a/v2.0/netweft/checks")
        self.asked.append((request.method, path))
        if request.method == "POST" and request.content:
            self.body = json.loads(request.content)["check"]
        if path.startswith("?id="):
            return httpx.Response(200, json={"checks": []})
        if request.method == "GET":
            return httpx.Response(200, json={"checks": self.found})
        return httpx.Response(204) if request.method == "DELETE" else httpx.Response(200, json={"check": self.found[0]})


def run(monkeypatch: pytest.MonkeyPatch, server: Any, *arguments: str) -> int:
    monkeypatch.setattr(httpx, "Client", lambda **_: REAL(transport=httpx.MockTransport(server)))
    monkeypatch.setenv("OS_AUTH_URL", "http://a/v3")
    monkeypatch.setenv("OS_TOKEN", "t")
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    return int(ended.value.code or 0)


def test_one_is_saved_and_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(WEB)
    words = ("add", "web", "db", "web", "--proto", "tcp", "--port", "443", "--must-not-pass")
    assert run(monkeypatch, server, *words) == 0
    assert server.asked == [("POST", ""), ("POST", "/c-1/run")]
    assert (server.body["from"], server.body["port"], server.body["must_pass"]) == ("db", 443, False)
    printed = capsys.readouterr().out
    assert printed.startswith("PASSING  web: db -> web")
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    ("found", "code"), [([WEB], 0), ([WEB, DOWN, ODD], 1), ([ODD, WEB], 2), ([], 0), ([WEB | {"status": "PENDING"}], 2)]
)
def test_the_exit_code_says_how_they_are(monkeypatch: pytest.MonkeyPatch, found: list[Any], code: int) -> None:
    assert run(monkeypatch, Server(*found), "list") == code


def test_by_name_and_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(DOWN)
    assert run(monkeypatch, server, "show", "web") == 1
    assert "no-rule-lets-it-in" in (printed := capsys.readouterr().out)
    assert "port p: no rule" in printed
    assert run(monkeypatch, server, "run", "web") == 1
    assert server.asked[-1] == ("POST", "/c-1/run")
    assert run(monkeypatch, server, "delete", "web") == 0
    assert server.asked[-1] == ("DELETE", "/c-1")
    assert run(monkeypatch, Server(WEB, DOWN), "show", "web") == 2, "two of that name"
    assert run(monkeypatch, Server(), "show", "web") == 2
    assert "there is no check web" in capsys.readouterr().err


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, lambda request: httpx.Response(500, text="x"), "list") == 2
    assert capsys.readouterr().err.count("\n") == 1
