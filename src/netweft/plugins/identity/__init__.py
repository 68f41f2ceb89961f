"""The caller's identity: the one Protocol between the API and whatever knows users, projects and tokens.

A third party adds an identity service as an entry point of the group `netweft.identity`: a callable that takes
(ServerSettings, Store) and returns an `Identity`; see `registry`.  Ours (`embedded`) is the part of Keystone v3 that
OpenStack clients use.  Nothing here knows HTTP.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from msgspec import Struct

from netweft.plugins.identity.access import AccessRule


class Unauthorized(Exception):
    """The token is unknown, expired or revoked: 401.  Says no more than that to whoever sent it."""


class IdentityUnavailable(Exception):
    """The identity service cannot answer now: 503.  The token may be good."""


class Context(Struct, frozen=True, kw_only=True):
    """Who makes a request, in which project, and what they may do.

    project_id: None for a token that is not scoped to a project; it may touch nothing that belongs to one.
    roles: names, with the roles they imply (admin implies manager, that member, that reader).
    domain_id: of a token that is for a domain.  system: for the system as a whole.
    expires_at: seconds since the epoch.
    access_rules: the only requests that it is good for; None for all.
    """

    user_id: str
    user_name: str
    user_domain_id: str = "default"
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    roles: frozenset[str] = frozenset()
    expires_at: float = 0.0
    access_rules: tuple[AccessRule, ...] | None = None

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def is_wider(self) -> bool:
        """For a domain or the system.  No rule for what projects have is about it, whatever its roles."""
        return self.system or self.domain_id is not None

    @property
    def sees_all(self) -> bool:
        """Acts for every project: an admin, or another service of the cloud."""
        return self.is_admin or "service" in self.roles


class Identity(Protocol):
    async def authenticate(self, token: str, service_token: str = "") -> Context:
        """On the path of every request: an implementation keeps what it has validated in memory.

        service_token: of another service of the cloud that acts for the token's user; checked only where it is sent.
        Raises Unauthorized, IdentityUnavailable.
        """
        ...

    async def run(self) -> None:
        """What has to go on beside the requests.  Cancelled when the server ends; may return at once."""
        ...

    def close(self) -> None:
        """Let go of threads and connections."""
        ...


Authenticate: TypeAlias = Callable[..., Awaitable[Context]]
"""`Identity.authenticate`."""
