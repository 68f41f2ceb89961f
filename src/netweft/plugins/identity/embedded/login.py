"""Logging in: from what somebody can show, to a token that says who it is and where it may go."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from netweft.plugins.identity import Unauthorized
from netweft.plugins.identity.embedded import credentials, directory, grants, tokens
from netweft.plugins.identity.embedded.errors import Forbidden, Invalid
from netweft.plugins.identity.embedded.passwords import Passwords
from netweft.plugins.identity.embedded.request import (
    ApplicationCredentialMethod,
    DomainRef,
    NamedRef,
    PasswordMethod,
    Proof,
    Scope,
    TokenMethod,
)
from netweft.plugins.identity.embedded.tokens import Resolved, Token
from netweft.store import Object, ReadTransaction

T = TypeVar("T")


class Read(Protocol):
    """Runs this in a transaction."""

    async def __call__(self, work: Callable[[ReadTransaction], T]) -> T: ...


class Proven(Struct, frozen=True, kw_only=True):
    """Who it is, and what that proof is good for."""

    user: Object
    methods: tuple[str, ...]
    expires_at: float
    parent_audit_id: str | None = None
    application_credential: Object | None = None


class Prover:
    """lifetime: of a token, in seconds."""

    def __init__(self, read: Read, passwords: Passwords, lifetime: float) -> None:
        self._read = read
        self._passwords = passwords
        self._lifetime = lifetime

    async def prove(self, proof: Proof, software: str) -> Proven:
        match proof:
            case Proof(methods=("password",), password=PasswordMethod() as part):
                return await self._prove_password(part, software)
            case Proof(
                methods=("application_credential",), application_credential=ApplicationCredentialMethod() as part
            ):
                return await self._prove_application_credential(part, software)
            case Proof(methods=("token",), token=TokenMethod() as part):
                return await self._prove_token(part.id)
            case Proof(methods=("password" | "token" | "application_credential",)):
                raise Invalid(f"Expecting to find {proof.methods[0]} in identity.")
        raise Unauthorized

    async def _prove_password(self, part: PasswordMethod, software: str) -> Proven:
        if not part.user.well_formed:
            raise Invalid("Expecting to find id, or name and domain, in user.")
        async with self._passwords.attempt(_claim(part.user), software) as attempt:
            user = await self._read(lambda tx: named(tx, "users", part.user))
            hash = user["password_hash"] if user else None
            attempt.right = await self._passwords.verify(hash, part.user.password)
        if user is None or not attempt.right:
            raise Unauthorized
        return Proven(user=user, methods=("password",), expires_at=time.time() + self._lifetime)

    async def _prove_token(self, token: str) -> Proven:
        """A rescoped token lives no longer than the first one."""
        resolved = await self._read(lambda tx: tokens.load(tx, tokens.hash_of(token), time.time()))
        if resolved.application_credential is not None:
            raise Unauthorized  # it is for its one project
        first = resolved.token
        methods = tuple(dict.fromkeys((*first.methods, "token")))
        return Proven(
            user=resolved.user, methods=methods, expires_at=first.expires_at, parent_audit_id=first.audit_ids[-1]
        )

    async def _prove_application_credential(self, part: ApplicationCredentialMethod, software: str) -> Proven:
        def look_up(tx: ReadTransaction) -> tuple[Object | None, Object | None]:
            owner = named(tx, "users", part.user) if part.user else None
            found = credentials.find(tx, id=part.id, user_id=owner["id"] if owner else None, name=part.name)
            return found, tx.get("users", found["user_id"]) if found else None

        claimed = part.id or f"{_claim(part.user) if part.user else None} {part.name}"
        async with self._passwords.attempt(f"application credential {claimed}", software) as attempt:
            credential, user = await self._read(look_up)
            hash = credential["secret_hash"] if credential else None
            attempt.right = await self._passwords.verify(hash, part.secret)
        if credential is None or user is None or not attempt.right:
            raise Unauthorized
        expires_at = min(credential["expires_at"] or float("inf"), time.time() + self._lifetime)
        return Proven(
            user=user,
            methods=("application_credential",),
            expires_at=expires_at,
            application_credential=credential,
        )


def _claim(ref: NamedRef) -> str:
    """Who is claimed: only what is looked up by, so that nothing else that is sent makes it another claim."""
    if ref.id is not None:
        return f"user {ref.id}"
    domain = ref.domain and (ref.domain.id if ref.domain.id is not None else ref.domain.name)
    return f"user {ref.name} of {domain}"


def draft(tx: ReadTransaction, proven: Proven, scope: Scope | str | None) -> Resolved:
    """The token to issue, resolved.  Raises Unauthorized when the user may not go there."""
    now = time.time()
    target = _target(tx, proven, scope)
    audit_ids = (tokens.new_audit_id(),) + ((proven.parent_audit_id,) if proven.parent_audit_id else ())
    credential = proven.application_credential
    token = Token(
        user_id=proven.user["id"],
        generation=proven.user["token_generation"],
        methods=proven.methods,
        audit_ids=audit_ids,
        issued_at=now,
        expires_at=proven.expires_at,
        project_id=target.id if target and target.attribute == "project_id" else None,
        domain_id=target.id if target and target.attribute == "domain_id" else None,
        system=target == grants.ON_SYSTEM,
        application_credential_id=credential["id"] if credential else None,
    )
    return tokens.resolve(tx, token, now)


def named(tx: ReadTransaction, kind: str, ref: NamedRef) -> Object | None:
    """By its id, or by its name in its domain, which has a name or an id as well."""
    if ref.id is not None:
        return tx.get(kind, ref.id)
    domain = _domain(tx, ref.domain) if ref.domain else None
    return directory.find(tx, kind, name=ref.name, domain_id=domain["id"]) if domain else None


def _domain(tx: ReadTransaction, ref: DomainRef) -> Object | None:
    return directory.find(tx, "domains", id=ref.id, name=ref.name)


def _target(tx: ReadTransaction, proven: Proven, scope: Scope | str | None) -> grants.Target | None:
    """Where the token is to hold; None: nowhere.  Raises Unauthorized, Invalid, Forbidden."""
    if proven.application_credential is not None:
        if scope is not None:
            raise Unauthorized  # it has its own
        return grants.on_project(proven.application_credential["project_id"])
    if scope is None:
        id = _default_project(tx, proven.user)
        return grants.on_project(id) if id else None
    if scope == "unscoped" or (isinstance(scope, Scope) and scope.unscoped is not None):
        return None
    if isinstance(scope, Scope) and scope.trust is not None:
        raise Forbidden("There are no trusts here: an application credential does what a trust did.")
    if isinstance(scope, str) or (scope.project, scope.domain, scope.system).count(None) != 2:
        raise Invalid("Expecting to find one of project, domain, system or unscoped in scope.")
    if scope.system is not None:
        if scope.system != {"all": True}:
            raise Invalid('Expecting to find {"all": true} in system.')
        return grants.ON_SYSTEM
    found = _domain(tx, scope.domain) if scope.domain else named(tx, "projects", scope.project or NamedRef())
    if found is None:
        raise Unauthorized
    return (grants.on_domain if scope.domain else grants.on_project)(found["id"])


def _default_project(tx: ReadTransaction, user: Object) -> str | None:
    """Where the user has a role; else the token is unscoped."""
    id: str | None = user.get("default_project_id")
    project = tx.get("projects", id) if id else None
    usable = project is not None and project["enabled"] and grants.role_ids(tx, user["id"], grants.on_project(id or ""))
    return id if usable else None
