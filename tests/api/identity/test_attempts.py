"""Logging in with wrong passwords, as the API answers it."""

import asyncio

import httpx
import pytest
from tests.api.identity.conftest import Caller

from netweft.plugins.identity.embedded import passwords
from netweft.plugins.identity.embedded.attempts import PAIR

USERS = "openstacksdk/4.8.0"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "REFUSED_SECONDS", 0.0)


async def test_too_many_get_429_after_a_delay_and_delay_no_other(
    nobody: Caller, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else clients that ask again at once keep all others of their address waiting."""
    for _ in range(int(PAIR.burst)):
        assert (await nobody.login("stranger", "wrong")).status_code == 401
    monkeypatch.setattr(passwords, "REFUSED_SECONDS", 1000.0)
    refused = [asyncio.create_task(nobody.login("stranger", "wrong")) for _ in range(50)]
    await asyncio.sleep(0.05)
    assert (await nobody.login("admin", password)).status_code == 201
    assert not any(task.done() for task in refused)
    for task in refused:
        task.cancel()
    await asyncio.gather(*refused, return_exceptions=True)


async def test_too_many_get_retry_after_and_nothing_else(nobody: Caller) -> None:
    """Nobody can tell from it who is there."""
    answers: dict[str, list[httpx.Response]] = {}
    for user in ("admin", "stranger"):
        answers[user] = [await nobody.login(user, "wrong") for _ in range(int(PAIR.burst) + 2)]
    for told in answers.values():
        assert [answer.status_code for answer in told] == [401] * int(PAIR.burst) + [429] * 2
        assert 1 <= int(told[-1].headers["Retry-After"]) <= 10
        assert told[-1].json()["error"]["title"] == "Too Many Requests"
    for known, unknown in zip(*answers.values(), strict=True):
        assert known.json() == unknown.json()
        assert known.headers.keys() == unknown.headers.keys()


async def test_the_other_doors_are_watched_too(nobody: Caller) -> None:
    """An application credential's secret, and the old password in a change of it."""
    statuses = []
    for _ in range(int(PAIR.burst) + 1):
        credential = {"id": "none", "secret": "x"}
        identity = {"methods": ["application_credential"], "application_credential": credential}
        answer = await nobody("POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity}})
        body = {"user": {"password": "new", "original_password": "x"}}
        change = await nobody("POST", "/identity/v3/users/none/password", body)
        statuses.append((answer.status_code, change.status_code))
    assert statuses == [(401, 401)] * int(PAIR.burst) + [(429, 429)]


async def test_guesses_from_a_users_own_address_are_few_and_do_not_lock_it_out(nobody: Caller, password: str) -> None:
    """Also when all of them come at once.  The guesser sends another User-Agent, or none."""
    nobody.http.headers["User-Agent"] = USERS
    await nobody.as_user("admin", password)
    guesser = Caller(nobody.http)
    guesser.http.headers["User-Agent"] = "guesser"
    answers = await asyncio.gather(*(guesser.login("admin", f"guess {number}") for number in range(60)))
    assert sorted(answer.status_code for answer in answers) == [401] * int(PAIR.burst) + [429] * 55
    del guesser.http.headers["User-Agent"]
    assert (await guesser.login("admin", "another guess")).status_code == 429
    nobody.http.headers["User-Agent"] = USERS
    await nobody.as_user("admin", password)
