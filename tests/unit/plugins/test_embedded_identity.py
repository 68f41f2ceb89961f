"""The embedded identity service below HTTP: its first start, its cache, several servers, and a flood of logins."""

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from netweft.plugins.identity import Context, IdentityUnavailable, Unauthorized
from netweft.plugins.identity.cache import TokenCache
from netweft.plugins.identity.embedded import directory, passwords
from netweft.plugins.identity.embedded.passwords import Passwords
from netweft.plugins.identity.embedded.request import (
    AuthRequest,
    DomainRef,
    NamedRef,
    PasswordMethod,
    Proof,
    Scope,
    UserWithPassword,
)
from netweft.plugins.identity.embedded.service import EmbeddedIdentity, create
from netweft.plugins.identity.registry import load_identity
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Store

DOMAIN = DomainRef(id="default")


@pytest.fixture
def settings(url: str, tmp_path: Path) -> ServerSettings:
    return ServerSettings(database=url, state_dir=str(tmp_path / "state"), listen=("0.0.0.0:1234",))


@pytest.fixture
async def identity(settings: ServerSettings, store: Store) -> AsyncIterator[EmbeddedIdentity]:
    identity = await asyncio.to_thread(create, settings, store)
    yield identity
    identity.close()


def openrc(settings: ServerSettings) -> dict[str, str]:
    text = (Path(settings.state_dir) / "admin-openrc").read_text()
    lines = [line.removeprefix("export ") for line in text.splitlines()]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


async def login(identity: EmbeddedIdentity, password: str) -> str:
    user = UserWithPassword(name="admin", domain=DOMAIN, password=password)
    proof = Proof(methods=("password",), password=PasswordMethod(user))
    token, _ = await identity.issue(AuthRequest(identity=proof, scope=Scope(NamedRef(name="admin", domain=DOMAIN))))
    return token


async def test_the_first_start_leaves_a_way_in_that_only_we_can_read(
    identity: EmbeddedIdentity, settings: ServerSettings
) -> None:
    path = Path(settings.state_dir) / "admin-openrc"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert openrc(settings)["OS_AUTH_URL"] == "http://127.0.0.1:1234/identity/v3"
    context = await identity.authenticate(await login(identity, openrc(settings)["OS_PASSWORD"]))
    assert (context.user_name, context.project_name, context.is_admin) == ("admin", "admin", True)
    assert context.roles == {"admin", "manager", "member", "reader"}


def test_the_second_start_changes_nothing(settings: ServerSettings, store: Store) -> None:
    create(settings, store).close()
    path = Path(settings.state_dir) / "admin-openrc"
    path.unlink()
    with store.read() as tx:
        before = tx.revision()
    create(settings, store).close()
    with store.read() as tx:
        assert tx.revision() == before
    assert not path.exists()


def test_an_unknown_plugin_is_named(settings: ServerSettings, store: Store) -> None:
    with pytest.raises(SettingsError, match="no plug-in 'ldap'; there are: embedded"):
        load_identity(ServerSettings(identity="ldap", database=settings.database), store)


async def test_another_servers_revocation_is_heard(
    identity: EmbeddedIdentity, settings: ServerSettings, store: Store
) -> None:
    """Two services on one store: as with two servers, only the change log tells the second one."""
    other = EmbeddedIdentity(settings, store)
    listening = asyncio.create_task(other.run())
    token = await login(identity, openrc(settings)["OS_PASSWORD"])
    await other.authenticate(token)
    await identity.revoke(token)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Unauthorized):
            while True:
                await other.authenticate(token)
                await asyncio.sleep(0.01)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    other.close()


async def test_other_changes_leave_the_cache_alone(
    identity: EmbeddedIdentity, settings: ServerSettings, store: Store
) -> None:
    token = await login(identity, openrc(settings)["OS_PASSWORD"])
    context = await identity.authenticate(token)
    listening = asyncio.create_task(identity.run())
    await asyncio.to_thread(_insert_network, store)
    await asyncio.sleep(0.1)
    assert await identity.authenticate(token) is context
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening


def _insert_network(store: Store) -> None:
    with store.write() as tx:
        tx.insert("networks", {"id": "n"})


async def test_tokens_expire(
    identity: EmbeddedIdentity, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await login(identity, openrc(settings)["OS_PASSWORD"])
    await identity.authenticate(token)
    expired = time.time() + settings.token_hours * 3600 + 1
    monkeypatch.setattr(time, "time", lambda: expired)
    with pytest.raises(Unauthorized):
        await identity.authenticate(token)


async def test_expired_tokens_do_not_pile_up(
    identity: EmbeddedIdentity, settings: ServerSettings, store: Store
) -> None:
    with store.write() as tx:
        tx.tokens.add("old", time.time() - 1, {"issued_at": 0.0})
    await login(identity, openrc(settings)["OS_PASSWORD"])
    with store.read() as tx:
        assert tx.tokens.get("old") is None


async def test_a_disabled_admin_cannot_log_in(identity: EmbeddedIdentity, settings: ServerSettings) -> None:
    user = await identity.read(lambda tx: directory.find(tx, "users", name="admin"))
    assert user is not None
    await identity.change(lambda tx: directory.update(tx, "users", user["id"], {"enabled": False}))
    with pytest.raises(Unauthorized):
        await login(identity, openrc(settings)["OS_PASSWORD"])


async def test_a_flood_of_logins_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "THREADS", 2)
    monkeypatch.setattr(passwords, "MAX_WAITING", 1)
    hasher = Passwords()
    answers = await asyncio.gather(*(hasher.verify(None, "x") for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [bool, bool, bool, IdentityUnavailable, IdentityUnavailable]
    assert await hasher.verify(None, "x") is False
    hasher.close()


def test_nobodys_password_takes_as_long_to_check_as_somebodys() -> None:
    hasher = Passwords()
    stored = hasher.hash_now("right")
    assert hasher.verify_now(stored, "right")
    assert not hasher.verify_now(None, "wrong"), "the first one also makes what is compared with"
    times = []
    for hash in (stored, None):
        tries = []
        for _ in range(5):
            started = time.process_time()
            assert not hasher.verify_now(hash, "wrong")
            tries.append(time.process_time() - started)
        times.append(min(tries))
    assert 0.3 < times[0] / times[1] < 3
    assert not hasher.verify_now("not a hash", "x")


def context(name: str, expires_at: float = 1e12) -> Context:
    return Context(user_id=name, user_name=name, expires_at=expires_at)


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache = TokenCache(size=2, seconds=10)
    for name in "abc":
        cache.put(name, context(name), 0, epoch=cache.epoch)
    assert [cache.get(name, 0) is not None for name in "abc"] == [False, True, True]


def test_the_cache_keeps_nothing_beyond_its_time() -> None:
    cache = TokenCache(size=9, seconds=10)
    cache.put("a", context("a"), 100, epoch=0)
    cache.put("b", context("b", expires_at=105), 100, epoch=0)
    assert [cache.get("a", 109) is None, cache.get("a", 110) is None] == [False, True]
    assert [cache.get("b", 104) is None, cache.get("b", 105) is None] == [False, True]


def test_a_validation_that_a_revocation_overtook_is_not_kept() -> None:
    cache = TokenCache()
    epoch = cache.epoch
    cache.clear()
    cache.put("a", context("a"), 0, epoch=epoch)
    assert cache.get("a", 0) is None
