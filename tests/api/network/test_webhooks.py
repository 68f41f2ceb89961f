"""Webhooks: a real HTTP server is told of every change, in order, and again until it takes it."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.network.conftest import Api
from tests.api.network.webhook_receiver import Receiver

from netweft.api.app import resources
from netweft.api.stream import webhooks
from netweft.api.stream.policies import told
from netweft.api.stream.webhooks import Webhooks
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Store

SECONDS = 60.0


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhooks, "FIRST_SECONDS", 0.02)
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(webhooks, "TICK_SECONDS", 0.05)
    made = Receiver()
    yield made
    made.close()


def run(store: Store, settings: ServerSettings, until: Callable[[], object]) -> None:
    """As a server does, until that is so."""

    async def work() -> None:
        hooks = Webhooks(settings, store, told(resources(store, settings), store))
        async with hooks.running():
            end = time.monotonic() + SECONDS
            while not await asyncio.to_thread(until):
                assert time.monotonic() < end, "it does not come to be"
                await asyncio.sleep(0.01)

    asyncio.run(work())


def is_kept(store: Store, name: str) -> bool:
    """What was told last is remembered as taken."""
    with store.read() as tx:
        found = str(tx.followers.made(name).get("place", ""))
        return bool(found) and int(found.split(".")[1]) >= tx.revision()


def test_what_changes_is_posted_and_goes_on_after_a_restart(api: Api, store: Store, receiver: Receiver) -> None:
    settings = ServerSettings(webhooks=(receiver.url,))
    (name,) = Webhooks(settings, store, {}).names
    blue = api.make("admin", "network", name="blue")["id"]
    run(store, settings, lambda: blue in receiver.objects() and is_kept(store, name))
    assert receiver.objects()[blue]["name"] == "blue"
    assert json.loads(receiver.bodies[0])["events"][0]["event"] == "whole"
    told_before = len(receiver.bodies)
    red = api.make("admin", "network", name="red")["id"]
    assert api("admin", "DELETE", f"/networks/{blue}").status_code == 204
    run(store, settings, lambda: red in receiver.objects() and blue not in receiver.objects())
    anew = [event["event"] for body in receiver.bodies[told_before:] for event in json.loads(body)["events"]]
    assert "whole" not in anew, "it went on from its place"


def test_what_is_not_taken_comes_again_and_nothing_before_it(api: Api, store: Store, receiver: Receiver) -> None:
    settings = ServerSettings(webhooks=(receiver.url,))
    receiver.answers += [500, 302, 404]
    blue = api.make("admin", "network", name="blue")["id"]
    run(store, settings, lambda: blue in receiver.objects())
    assert receiver.refused == [receiver.bodies[0]] * 3


def test_one_that_is_away_delays_no_other_and_says_so(api: Api, store: Store, receiver: Receiver) -> None:
    settings = ServerSettings(webhooks=("http://127.0.0.1:9/nobody", receiver.url))
    hooks = Webhooks(settings, store, {})
    blue = api.make("admin", "network", name="blue")["id"]

    def problem() -> str:
        with store.read() as tx:
            found = tx.followers.get(hooks.names[0])
            return found.problem if found else ""

    run(store, settings, lambda: blue in receiver.objects() and "refused" in problem())


def test_requests_are_signed(api: Api, store: Store, receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("opensesame\n")
    settings = ServerSettings(webhooks=(receiver.url,), webhook_secret_file=str(tmp_path / "secret"))
    blue = api.make("admin", "network", name="blue")["id"]
    run(store, settings, lambda: blue in receiver.objects())
    assert receiver.signatures[0] == "sha256=" + hmac.new(b"opensesame", receiver.bodies[0], hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"webhooks": ("file:///etc/passwd",)}, "webhooks"),
        ({"webhooks": ("hook.example",)}, "webhooks"),
        ({"webhooks": ("http://[::1/hook",)}, "webhooks"),
        ({"webhooks": ("http://hook.example:99999/",)}, "webhooks"),
        ({"webhook_secret_file": "/nowhere/secret"}, "webhook_secret_file"),
    ],
)
def test_settings_that_are_none(store: Store, values: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        Webhooks(ServerSettings(**values), store, {})
