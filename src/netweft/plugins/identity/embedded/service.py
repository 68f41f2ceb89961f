"""The plug-in `embedded`: validates tokens from memory, issues and revokes them.

A revocation (or anything else that changes what tokens are worth) holds in this process from the moment it is
answered.  Other servers learn of it from the change log, milliseconds later; should that news get lost, then after
`cache.SECONDS`.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from netweft.plugins.identity import Context, Unauthorized
from netweft.plugins.identity.cache import TokenCache
from netweft.plugins.identity.embedded import tokens
from netweft.plugins.identity.embedded.bootstrap import bootstrap
from netweft.plugins.identity.embedded.login import Prover, draft
from netweft.plugins.identity.embedded.passwords import Passwords
from netweft.plugins.identity.embedded.request import AuthRequest
from netweft.plugins.identity.embedded.tokens import Resolved
from netweft.settings import ServerSettings
from netweft.store import ChangesGone, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")

# changes of these make a validated token worth less, or more
KINDS = frozenset({
    "users", "projects", "groups", "domains", "roles", "role_assignments", "memberships", "implied_roles",
    "application_credentials", "tokens",
})  # fmt: skip
COALESCE_SECONDS = 0.02


def create(settings: ServerSettings, store: Store) -> "EmbeddedIdentity":
    """The plug-in's entry point."""
    identity = EmbeddedIdentity(settings, store)
    bootstrap(store, settings, identity.passwords.hash_now)
    return identity


class EmbeddedIdentity:
    def __init__(self, settings: ServerSettings, store: Store) -> None:
        self._store = store
        self._cache = TokenCache()
        self.passwords = Passwords()
        self._prover = Prover(self.read, self.passwords, lifetime=settings.token_hours * 3600)

    async def authenticate(self, token: str, service_token: str = "") -> Context:
        if len(token) != tokens.LENGTH:
            raise Unauthorized
        hash = tokens.hash_of(token)
        return self._cache.get(hash, time.time()) or await self._validate(hash)

    async def inspect(self, token: str) -> Resolved:
        """Raises Unauthorized."""
        return await self.read(lambda tx: tokens.load(tx, tokens.hash_of(token), time.time()))

    async def issue(self, request: AuthRequest, software: str = "") -> tuple[str, Resolved]:
        """software: of the client, as it says.  Raises Unauthorized, Invalid, IdentityUnavailable, TooManyAttempts."""
        proven = await self._prover.prove(request.identity, software)
        resolved = await self.read(lambda tx: draft(tx, proven, request.scope))
        secret = tokens.new_secret()
        token = resolved.token
        await self.write(
            lambda tx: tx.tokens.add(tokens.hash_of(secret), token.expires_at, msgspec.to_builtins(token)),
        )
        return secret, resolved

    async def revoke(self, token: str) -> None:
        await self.change(lambda tx: tx.revoke_token(tokens.hash_of(token)))

    async def read(self, work: Callable[[ReadTransaction], T]) -> T:
        def run() -> T:
            with self._store.read() as tx:
                return work(tx)

        return await self._store.turns.read(run)

    async def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """For what makes no token worth less; else `change`."""
        return await self._store.turns.write(lambda: self._store.run(work))

    async def change(self, work: Callable[[WriteTransaction], T]) -> T:
        def run() -> T:
            try:
                return self._store.run(work)
            finally:
                self._cache.clear()  # here, so that it happens even if nobody waits for the result any more

        return await self._store.turns.write(run)

    async def run(self) -> None:
        """Forget what other servers' changes may have invalidated."""
        revision = await self.read(lambda tx: tx.revision())
        with self._store.doorbell.subscribe() as bell:
            while True:
                await bell.wait(COALESCE_SECONDS)
                revision = await self._catch_up(revision)

    def close(self) -> None:
        self.passwords.close()

    async def _catch_up(self, revision: int) -> int:
        try:
            changes = await self.read(lambda tx: tx.changes(revision))
        except ChangesGone:
            self._cache.clear()
            return await self.read(lambda tx: tx.revision())
        if any(change.kind in KINDS for change in changes):
            self._cache.clear()
        return changes[-1].revision if changes else revision

    async def _validate(self, hash: str) -> Context:
        epoch = self._cache.epoch
        now = time.time()
        context = await self.read(lambda tx: tokens.load(tx, hash, now).context)
        self._cache.put(hash, context, now, epoch=epoch)
        return context
