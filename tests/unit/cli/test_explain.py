"""`netweft explain` as it is called: what it prints, and the three ways in which it ends."""

import json
from typing import Any

import httpx
import pytest

from netweft.api.resources.explain import described
from netweft.cli.explain import TYPES, NoAnswer
from netweft.cli.main import main

FINDING = {
    "code": "router-admin-down",
    "blocks": True,
    "object": {"type": "router", "id": "r-1", "name": "r"},
    "message": "The router is switched off.",
    "detail": "",
    "fix": "openstack router set --enable r-1",
    "fixed_by": "owner",
}
OTHER = FINDING | {
    "code": "port-host-dead",
    "object": {"type": "port", "id": "p-1", "name": "web"},
    "message": "The agent of the port's host does not answer.",
    "fix": "",
    "fixed_by": "admin",
}
PORT: dict[str, Any] = {
    "type": "port",
    "id": "p-1",
    "name": "web",
    "project_id": "red",
    "where": {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}], "binding:host_id": "hv1"},
    "should_be": {"admin_state_up": True, "status": "ACTIVE"},
    "is": {"admin_state_up": True, "status": "DOWN", "status_detail": ""},
    "created_at": "2026-11-29T12:00:00Z",
    "updated_at": "2026-11-29T12:00:00Z",
    "revision_number": 3,
    "works": True,
    "findings": [],
    "nodes": [{"host": "hv1", "alive": True, "feed": {"revision": 7, "revisions": 0}}],
    "changes": [{"revision": 6, "operation": "insert", "at": "2026-11-29T12:00:00Z", "by": "user u"}],
    "unseen": ["openvswitch"],
}
NAMED = {"type": "port", "id": "p-1", "name": "web", "project_id": "red"}


def run(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, named: Any = (NAMED,), told: Any = PORT, status: int = 200
) -> tuple[int, list[str]]:
    """The exit code, and what was asked for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url).removeprefix("http://a/v2.0/netweft/explain"))
        found = {"objects": list(named)} if "?name=" in str(request.url) else {"explanation": told}
        return httpx.Response(status, json=found)

    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=httpx.MockTransport(answer)))
    monkeypatch.setenv("OS_AUTH_URL", "http://a/v3")
    monkeypatch.setenv("OS_TOKEN", "t")
    with pytest.raises(SystemExit) as end:
        main(["explain", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code, asked


def test_what_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "web") == (0, ["?name=web", "/p-1"])
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "port web (p-1)"
    assert "  where      fixed_ips 10.0.0.5, binding:host_id hv1" in out
    assert "  should be  admin_state_up yes, status ACTIVE" in out
    assert "  node hv1   alive yes, revision 7, behind 0" in out
    assert "  changed    2026-11-29T12:00:00Z: insert by user u, revision 6" in out
    assert out[-2:] == ["it works, as far as the server knows", "not looked at: openvswitch"]


def test_nothing_is_said_of_what_nothing_is_missing_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "web", told=PORT | {"unseen": []})
    assert capsys.readouterr().out.splitlines()[-1] == "it works, as far as the server knows"


def test_what_does_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken = PORT | {"works": False, "findings": [OTHER, FINDING]}
    assert run(monkeypatch, "web", "--type", "port", told=broken)[0] == 1
    out = capsys.readouterr().out
    assert "it does not work:\n  ! port-host-dead: The agent" in out
    assert "fix: ask an administrator" in out
    assert "  ! router-admin-down: router r: The router is switched off.\n      fix: openstack router set" in out


def test_a_name_says_nothing_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "web", told=PORT | {"name": "a\x1b[2J\r\nit works", "works": False})[0] == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "port a?[2J??it works (p-1)"
    assert "\x1b" not in out


def test_an_error_says_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    NoAnswer("several are called a\x1b[2J\n b").show()
    assert capsys.readouterr().err == "netweft: several are called a?[2J b\n"


def test_what_a_switch_says_is_nothing_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"name": "switch:tor1", "status": "failing", "problem": "% \x1b[2Jall is well"}
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"followers": [told]}))
    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=answer))
    monkeypatch.setenv("OS_AUTH_URL", "http://a/v3")
    monkeypatch.setenv("OS_TOKEN", "t")
    with pytest.raises(SystemExit):
        main(["follower", "list"])
    assert capsys.readouterr().out == "switch:tor1\tfailing\t% ?[2Jall is well\n"


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "a b/c", "--json") == (0, ["?name=a+b%2Fc", "/p-1"])
    assert json.loads(capsys.readouterr().out) == PORT


@pytest.mark.parametrize(
    ("arguments", "answers", "said"),
    [
        ((), {}, "Missing argument"),
        (("web", "--type", "cat"), {}, "'cat' is not one of"),
        (("web",), {"named": ()}, "netweft: there is no object 'web', or it is not yours\n"),
        (("web",), {"named": (NAMED, NAMED | {"id": "p-2"})}, "several objects are called 'web'"),
        (("web",), {"status": 500}, "500"),
    ],
)
def test_what_is_ambiguous(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    answers: dict[str, Any],
    said: str,
) -> None:
    assert run(monkeypatch, *arguments, **answers)[0] == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_without_a_login(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("OS_AUTH_URL", raising=False)
    with pytest.raises(SystemExit) as end:
        main(["explain", "web"])
    assert end.value.code == 2
    assert "OS_AUTH_URL is not set" in capsys.readouterr().err


def test_it_knows_the_kinds_that_the_api_explains() -> None:
    assert set(TYPES) == set(described.TYPES)
