"""What Keystone says of a token, as a `Context`.  Pure.  The form is that of `GET /v3/auth/tokens`."""

from datetime import datetime

from msgspec import Struct

from netweft.plugins.identity import Context
from netweft.plugins.identity.access import AccessRule


class _Domain(Struct, frozen=True):
    id: str | None = None


class _Named(Struct, frozen=True):
    id: str
    name: str = ""
    domain: _Domain = _Domain()


class _Role(Struct, frozen=True):
    name: str


class _Credential(Struct, frozen=True):
    access_rules: tuple[AccessRule, ...] | None = None


class Token(Struct, frozen=True):
    user: _Named
    expires_at: datetime
    project: _Named | None = None
    domain: _Domain | None = None
    system: dict[str, bool] | None = None
    roles: tuple[_Role, ...] = ()
    application_credential: _Credential | None = None


class Body(Struct, frozen=True):
    token: Token


def context(token: Token) -> Context:
    project = token.project
    return Context(
        user_id=token.user.id,
        user_name=token.user.name,
        user_domain_id=token.user.domain.id or "default",
        project_id=project.id if project else None,
        project_name=project.name if project else None,
        project_domain_id=project.domain.id if project else None,
        domain_id=token.domain.id if token.domain else None,
        system=bool(token.system),
        roles=frozenset(role.name for role in token.roles),
        expires_at=token.expires_at.timestamp(),
        access_rules=token.application_credential.access_rules if token.application_credential else None,
    )
