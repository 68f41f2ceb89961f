"""What a token stands for.  It is opaque and random; the store has its hash and, as a `Token`, what it was issued for.

What its user may do is looked up whenever it is resolved: a role that was taken away is gone at once.
"""

import base64
import hashlib
import secrets

import msgspec
from msgspec import Struct

from netweft.plugins.identity import Context, Unauthorized
from netweft.plugins.identity.access import AccessRule
from netweft.plugins.identity.embedded import directory, grants
from netweft.plugins.identity.embedded.implied import with_implied
from netweft.store import Object, ReadTransaction

LENGTH = 43  # of 32 bytes in base64, without padding


class Token(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """generation: of the user, see directory.  audit_ids: its own, and that of the first one it was rescoped from."""

    user_id: str
    generation: int
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: float
    expires_at: float
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    application_credential_id: str | None = None


class Resolved(Struct, frozen=True, kw_only=True):
    """A valid token, with everything that it refers to.  domains: id -> how it is shown, of all of it."""

    token: Token
    user: Object
    project: Object | None
    roles: tuple[Object, ...]
    domains: dict[str, dict[str, str]]
    application_credential: Object | None = None

    @property
    def context(self) -> Context:
        return Context(
            user_id=self.user["id"],
            user_name=self.user["name"],
            user_domain_id=self.user["domain_id"],
            project_id=self.project["id"] if self.project else None,
            project_name=self.project["name"] if self.project else None,
            project_domain_id=self.project["domain_id"] if self.project else None,
            domain_id=self.token.domain_id,
            system=self.token.system,
            roles=frozenset(role["name"] for role in self.roles),
            expires_at=self.token.expires_at,
            access_rules=self.access_rules,
        )

    @property
    def access_rules(self) -> tuple[AccessRule, ...] | None:
        rules = (self.application_credential or {}).get("access_rules")
        return None if rules is None else msgspec.convert(rules, tuple[AccessRule, ...])


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def new_audit_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def hash_of(token: str) -> str:
    """Random 256 bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def load(tx: ReadTransaction, hash: str, now: float) -> Resolved:
    """Raises Unauthorized."""
    attributes = tx.tokens.get(hash)
    if attributes is None:
        raise Unauthorized
    return resolve(tx, msgspec.convert(attributes, Token), now)


def resolve(tx: ReadTransaction, token: Token, now: float) -> Resolved:
    """Raises Unauthorized when it has expired, its user may not, or has no role (any more) where it is for."""
    user = tx.get("users", token.user_id)
    if now >= token.expires_at or user is None or user["token_generation"] != token.generation:
        raise Unauthorized
    project = tx.get("projects", token.project_id) if token.project_id else None
    domain = tx.get("domains", token.domain_id) if token.domain_id else None
    if (token.project_id and project is None) or (token.domain_id and not (domain and domain["enabled"])):
        raise Unauthorized
    if not all(directory.is_usable(tx, one) for one in (user, project) if one):
        raise Unauthorized
    credential = None
    if token.application_credential_id:
        credential = tx.get("application_credentials", token.application_credential_id)
        if credential is None:
            raise Unauthorized
    target = _target(token)
    roles = _roles(tx, token.user_id, target, credential) if target else []
    if target and not roles:
        raise Unauthorized
    named = [directory.domain_of(tx, one) for one in (user, project) if one]
    named += [{"id": domain["id"], "name": domain["name"]}] if domain else []
    return Resolved(
        token=token,
        user=user,
        project=project,
        roles=tuple(roles),
        domains={one["id"]: one for one in named},
        application_credential=credential,
    )


def _target(token: Token) -> grants.Target | None:
    if token.project_id:
        return grants.on_project(token.project_id)
    if token.domain_id:
        return grants.on_domain(token.domain_id)
    return grants.ON_SYSTEM if token.system else None


def _roles(tx: ReadTransaction, user_id: str, target: grants.Target, credential: Object | None) -> list[Object]:
    roles = with_implied(tx, grants.role_ids(tx, user_id, target))
    if credential is None:
        return roles
    delegated = {role["id"] for role in credential["roles"]}
    return with_implied(tx, [role["id"] for role in roles if role["id"] in delegated])
