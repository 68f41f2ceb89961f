"""How our commands log in, and what they say when it does not work."""

import json
from typing import Any

import httpx
import pytest

from netweft.cli.client import LOGIN_SECONDS, TIMEOUT_SECONDS, Client, Login, login_from
from netweft.cli.errors import CommandError

PASSWORD = {
    "OS_AUTH_URL": "http://a/identity/v3/",
    "OS_USERNAME": "u",
    "OS_PASSWORD": "p",
    "OS_PROJECT_NAME": "x",
    "OS_PROJECT_DOMAIN_ID": "default",
}


def client(answers: dict[str, httpx.Response], login: Login | None = None) -> tuple[Client, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers[f"{request.method} {request.url}"]

    return Client(login or login_from(PASSWORD), httpx.MockTransport(answer)), seen


def issued(network_url: str | None = None) -> httpx.Response:
    catalog: list[Any] = []
    if network_url:
        catalog = [{"type": "network", "endpoints": [{"interface": "public", "url": network_url}]}]
    return httpx.Response(201, headers={"X-Subject-Token": "t"}, json={"token": {"catalog": catalog}})


def test_password_login_by_names_and_domains() -> None:
    login = login_from(PASSWORD)
    assert login.auth_url == "http://a/identity/v3"
    assert login.body == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "u", "domain": {"name": "Default"}, "password": "p"}},
            },
            "scope": {"project": {"name": "x", "domain": {"id": "default"}}},
        }
    }


def test_other_logins() -> None:
    assert login_from({"OS_AUTH_URL": "http://a", "OS_TOKEN": "t"}) == Login("http://a/v3", None, "t")
    credential = {"OS_AUTH_URL": "u", "OS_APPLICATION_CREDENTIAL_ID": "i", "OS_APPLICATION_CREDENTIAL_SECRET": "s"}
    body = login_from(credential).body
    assert body is not None
    assert body["auth"]["identity"]["application_credential"] == {"id": "i", "secret": "s"}
    assert "scope" not in body["auth"]


@pytest.mark.parametrize("missing", ["OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"])
def test_a_missing_variable_is_named(missing: str) -> None:
    with pytest.raises(CommandError, match=f"^{missing} is not set"):
        login_from({name: value for name, value in PASSWORD.items() if name != missing})


def test_one_login_for_several_calls_and_the_catalogues_address() -> None:
    one, seen = client(
        {
            "POST http://a/identity/v3/auth/tokens": issued("http://b/"),
            "GET http://b/x": httpx.Response(200, json={"ok": 1}),
            "DELETE http://b/x": httpx.Response(204),
        }
    )
    with one:
        assert one.call("GET", "/x") == {"ok": 1}
        assert one.call("DELETE", "/x") is None
    assert [request.headers.get("X-Auth-Token") for request in seen] == [None, "t", "t"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(409, json={"NeutronError": {"message": "There is a node."}}), "There is a node."),
        (httpx.Response(401, json={"error": {"message": "authentication"}}), "authentication"),
        (httpx.Response(502, text="<html>"), "GET http://a/x: 502 Bad Gateway"),
        (httpx.Response(500, text=json.dumps([1])), "500"),
    ],
)
def test_a_refusal_is_the_servers_own_words(answer: httpx.Response, words: str) -> None:
    one, _ = client({"GET http://a/x": answer}, Login("http://a/v3", None, "t"))
    with one, pytest.raises(CommandError) as caught:
        one.call("GET", "/x")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(201, json={"token": {}}),
        httpx.Response(201, headers={"X-Subject-Token": "t"}, json={"token": {"catalog": [{"type": "network"}]}}),
    ],
)
def test_who_is_no_keystone(answer: httpx.Response) -> None:
    one, _ = client({"POST http://a/identity/v3/auth/tokens": answer})
    with one, pytest.raises(CommandError, match="OS_AUTH_URL"):
        one.call("GET", "/x")


def test_who_is_no_netweft() -> None:
    one, _ = client({"GET http://a/x": httpx.Response(200, text="<html>")}, Login("http://a/v3", None, "t"))
    with one, pytest.raises(CommandError, match="http://a/x"):
        one.call("GET", "/x")


def test_an_address_that_is_none() -> None:
    one, _ = client({}, Login("http://[::1/v3", None, "t"))
    with one, pytest.raises(CommandError, match=r"http://\[::1"):
        one.call("GET", "/x")


def test_a_server_that_is_not_there() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    one = Client(Login("http://a/v3", None, "t"), httpx.MockTransport(refuse))
    with one, pytest.raises(CommandError, match=r"GET http://a/x: Connection refused"):
        one.call("GET", "/x")


def test_a_login_is_waited_for_less_long_than_an_answer() -> None:
    """Else who may ask without a server (`trace --here`) waits for one that hangs."""
    login = "POST http://a/identity/v3/auth/tokens"
    asking, seen = client({login: issued("http://b"), "GET http://b/x": httpx.Response(204)})
    with asking:
        asking.call("GET", "/x", seconds=5.0)
    assert [request.extensions["timeout"]["read"] for request in seen] == [LOGIN_SECONDS, TIMEOUT_SECONDS + 5.0]
    assert LOGIN_SECONDS < TIMEOUT_SECONDS
