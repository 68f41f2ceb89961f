"""The user that this server is to other services of the cloud: logged in by Keystone's own client library.

That library blocks: call it from a thread.  It renews its token by itself, and finds services in the catalogue.
It is imported by who logs in, and only then: it takes 15 MB and 0.1 s.
"""

from pathlib import Path
from typing import Any

from netweft.plugins import own_endpoint
from netweft.settings import ServerSettings, SettingsError


def session(settings: ServerSettings, *, timeout: float) -> Any:
    """timeout: of each request, in seconds.  Raises SettingsError."""
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    if not settings.service_username:
        raise SettingsError("service_username: needed to talk to other services of the cloud")
    auth = v3.Password(
        identity_url(settings),
        username=settings.service_username,
        password=_password(settings.service_password_file),
        user_domain_name=settings.service_user_domain,
        project_name=settings.service_project,
        project_domain_name=settings.service_project_domain,
    )
    return Session(auth, user_agent="netweft", timeout=timeout)


def identity_url(settings: ServerSettings) -> str:
    """Keystone's, with /v3; of this server's own identity as it reaches itself.  Raises SettingsError."""
    if settings.keystone_url:
        return f"{settings.keystone_url.rstrip('/').removesuffix('/v3')}/v3"
    reached = settings.public_url.rstrip("/") or own_endpoint.address_of(settings)
    if not reached:
        raise SettingsError("keystone_url: needed, since this server listens on no address of its own")
    return f"{reached}/identity/v3"


def _password(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"service_password_file: {file}: {error}") from None
