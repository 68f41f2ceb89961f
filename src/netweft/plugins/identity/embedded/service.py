"""The plug-in `embedded`: validates tokens from memory, issues and revokes them.

A revocation (or anything else that changes what tokens are worth) holds in this process from the moment it is
answered.  Other servers learn of it from the change log, milliseconds later; should that news get lost, then after
`cache.SECONDS`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from netweft.plugins.identity import Context, Unauthorized
from netweft.plugins.identity.embedded import credentials, directory, grants, tokens
from netweft.plugins.identity.embedded.bootstrap import bootstrap
from netweft.plugins.identity.embedded.cache import TokenCache
from netweft.plugins.identity.embedded.errors import Invalid
from netweft.plugins.identity.embedded.passwords import Passwords
from netweft.plugins.identity.embedded.request import (
    ApplicationCredentialMethod,
    AuthRequest,
    PasswordMethod,
    Proof,
    Scope,
)
from netweft.plugins.identity.embedded.tokens import Resolved, Token
from netweft.settings import ServerSettings
from netweft.store import Busy, ChangesGone, Object, ReadTransaction, Store, WriteTransaction

T = TypeVar("T")

# changes of these make a validated token worth less, or more
KINDS = frozenset({"users", "projects", "roles", "role_assignments", "application_credentials", "tokens"})
ATTEMPTS = 5
COALESCE_SECONDS = 0.02


class _Proven(Struct, frozen=True, kw_only=True):
    """Who it is, and what that proof is good for."""

    user: Object
    methods: tuple[str, ...]
    expires_at: float
    parent_audit_id: str | None = None
    application_credential: Object | None = None


def create(settings: ServerSettings, store: Store) -> "EmbeddedIdentity":
    """The plug-in's entry point."""
    identity = EmbeddedIdentity(settings, store)
    bootstrap(store, settings, identity.passwords.hash_now)
    return identity


class EmbeddedIdentity:
    def __init__(self, settings: ServerSettings, store: Store) -> None:
        self._store = store
        self._lifetime = settings.token_hours * 3600
        self._cache = TokenCache()
        self.passwords = Passwords()

    async def authenticate(self, token: str) -> Context:
        hash = tokens.hash_of(token)
        return self._cache.get(hash, time.time()) or await self._validate(hash)

    async def inspect(self, token: str) -> Resolved:
        """Raises Unauthorized."""
        return await self.read(lambda tx: tokens.load(tx, tokens.hash_of(token), time.time()))

    async def issue(self, request: AuthRequest) -> tuple[str, Resolved]:
        """Raises Unauthorized, Invalid, IdentityUnavailable."""
        proven = await self._prove(request.identity)
        resolved = await self.read(lambda tx: _draft(tx, proven, request.scope))
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

        return await self._blocking(run)

    async def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """For what makes no token worth less; else `change`."""
        return await self._blocking(lambda: self._write(work))

    async def change(self, work: Callable[[WriteTransaction], T]) -> T:
        def run() -> T:
            try:
                return self._write(work)
            finally:
                self._cache.clear()  # here, so that it happens even if nobody waits for the result any more

        return await self._blocking(run)

    async def run(self) -> None:
        """Forget what other servers' changes may have invalidated."""
        revision = await self.read(lambda tx: tx.revision())
        with self._store.doorbell.subscribe() as bell:
            while True:
                await bell.wait()
                await asyncio.sleep(COALESCE_SECONDS)
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

    async def _blocking(self, run: Callable[[], T]) -> T:
        """An SQLite transaction is shorter than handing it to a thread and back (decision 0004)."""
        return run() if self._store.embedded else await asyncio.to_thread(run)

    def _write(self, work: Callable[[WriteTransaction], T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                with self._store.write() as tx:
                    return work(tx)
            except Busy:
                continue
        with self._store.write() as tx:
            return work(tx)

    async def _prove(self, proof: Proof) -> _Proven:
        match proof:
            case Proof(methods=("password",), password=PasswordMethod() as part):
                return await self._prove_password(part)
            case Proof(
                methods=("application_credential",), application_credential=ApplicationCredentialMethod() as part
            ):
                return await self._prove_application_credential(part)
            case Proof(methods=("token",), token=part) if part is not None:
                return await self._prove_token(part.id)
            case Proof(methods=("password" | "token" | "application_credential",)):
                raise Invalid(f"Expecting to find {proof.methods[0]} in identity.")
        raise Unauthorized

    async def _prove_password(self, part: PasswordMethod) -> _Proven:
        if not part.user.well_formed:
            raise Invalid("Expecting to find id, or name and domain, in user.")
        user = await self.read(lambda tx: directory.find(tx, "users", **part.user.key))
        good = await self.passwords.verify(user["password_hash"] if user else None, part.user.password)
        if user is None or not good:
            raise Unauthorized
        return _Proven(user=user, methods=("password",), expires_at=time.time() + self._lifetime)

    async def _prove_token(self, token: str) -> _Proven:
        """A rescoped token lives no longer than the first one."""
        resolved = await self.inspect(token)
        if resolved.application_credential is not None:
            raise Unauthorized  # it is for its one project
        first = resolved.token
        methods = tuple(dict.fromkeys((*first.methods, "token")))
        return _Proven(
            user=resolved.user, methods=methods, expires_at=first.expires_at, parent_audit_id=first.audit_ids[-1]
        )

    async def _prove_application_credential(self, part: ApplicationCredentialMethod) -> _Proven:
        def look_up(tx: ReadTransaction) -> tuple[Object | None, Object | None]:
            owner = directory.find(tx, "users", **part.user.key) if part.user else None
            found = credentials.find(tx, id=part.id, user_id=owner["id"] if owner else None, name=part.name)
            return found, tx.get("users", found["user_id"]) if found else None

        credential, user = await self.read(look_up)
        good = await self.passwords.verify(credential["secret_hash"] if credential else None, part.secret)
        if credential is None or user is None or not good:
            raise Unauthorized
        expires_at = min(credential["expires_at"] or float("inf"), time.time() + self._lifetime)
        return _Proven(
            user=user,
            methods=("application_credential",),
            expires_at=expires_at,
            application_credential=credential,
        )


def _draft(tx: ReadTransaction, proven: _Proven, scope: Scope | str | None) -> Resolved:
    """The token to issue, resolved.  Raises Unauthorized when the user may not go there."""
    now = time.time()
    project_id, domain_id = _target(tx, proven, scope)
    audit_ids = (tokens.new_audit_id(),) + ((proven.parent_audit_id,) if proven.parent_audit_id else ())
    credential = proven.application_credential
    token = Token(
        user_id=proven.user["id"],
        generation=proven.user["token_generation"],
        methods=proven.methods,
        audit_ids=audit_ids,
        issued_at=now,
        expires_at=proven.expires_at,
        project_id=project_id,
        domain_id=domain_id,
        application_credential_id=credential["id"] if credential else None,
    )
    return tokens.resolve(tx, token, now)


def _target(tx: ReadTransaction, proven: _Proven, scope: Scope | str | None) -> tuple[str | None, str | None]:
    """The project's id, or the domain's."""
    if proven.application_credential is not None:
        if scope is not None:
            raise Unauthorized  # it has its own
        return proven.application_credential["project_id"], None
    if scope is None:
        return _default_project(tx, proven.user), None
    if scope == "unscoped" or (isinstance(scope, Scope) and scope.unscoped is not None):
        return None, None
    if isinstance(scope, str) or (scope.project is None) == (scope.domain is None):
        raise Invalid("Expecting to find one of project, domain or unscoped in scope.")
    if scope.domain is not None:
        if not scope.domain.exists:
            raise Unauthorized
        return None, directory.DOMAIN_ID
    assert scope.project is not None
    project = directory.find(tx, "projects", **scope.project.key)
    if project is None:
        raise Unauthorized
    return project["id"], None


def _default_project(tx: ReadTransaction, user: Object) -> str | None:
    """Where the user has a role; else the token is unscoped."""
    id: str | None = user.get("default_project_id")
    project = tx.get("projects", id) if id else None
    usable = project is not None and project["enabled"] and grants.role_ids(tx, user["id"], grants.on_project(id or ""))
    return id if usable else None
