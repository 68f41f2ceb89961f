"""A client's authentication request: values with Keystone's field names, decoded straight from its JSON."""

from msgspec import Struct, field


class DomainRef(Struct, frozen=True):
    id: str | None = None
    name: str | None = None


class NamedRef(Struct, frozen=True):
    """By id, or by name within a domain."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None

    @property
    def well_formed(self) -> bool:
        return self.id is not None or (self.name is not None and self.domain is not None)


class UserWithPassword(NamedRef, frozen=True, kw_only=True):
    password: str


class PasswordMethod(Struct, frozen=True):
    user: UserWithPassword


class TokenMethod(Struct, frozen=True):
    id: str


class ApplicationCredentialMethod(Struct, frozen=True, kw_only=True):
    id: str | None = None
    name: str | None = None
    user: NamedRef | None = None
    secret: str


class Proof(Struct, frozen=True):
    """Keystone's `identity`: exactly one method, with its part."""

    methods: tuple[str, ...]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: ApplicationCredentialMethod | None = None

    @property
    def who(self) -> str:
        """For the log: what is claimed, nothing of what proves it."""
        if self.password is not None:
            return f"user {self.password.user.id or self.password.user.name}"
        if self.application_credential is not None:
            return f"application credential {self.application_credential.id or self.application_credential.name}"
        return ", ".join(self.methods)


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    project: NamedRef | None = None
    domain: DomainRef | None = None
    system: dict[str, bool] | None = None
    unscoped: dict[str, object] | None = None
    trust: object = field(default=None, name="OS-TRUST:trust")


class AuthRequest(Struct, frozen=True):
    """scope: None is the user's default project, if there is one; the text is "unscoped"."""

    identity: Proof
    scope: Scope | str | None = None
