"""Which followers this server may run, by its settings."""

from netweft.plugins.followers import Follower
from netweft.settings import ServerSettings


def load_followers(settings: ServerSettings) -> list[Follower]:
    """Raises SettingsError."""
    return [_nova(settings)] if settings.nova_events else []


def _nova(settings: ServerSettings) -> Follower:
    from netweft.plugins.followers.nova.client import NovaClient  # its library takes 15 MB: only where it is used
    from netweft.plugins.followers.nova.follower import NovaEvents

    return NovaEvents(NovaClient(settings))
