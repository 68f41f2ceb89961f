"""Which identity service the settings name: one of ours, or an entry point of the group `netweft.identity`."""

from importlib.metadata import entry_points

from netweft.plugins.identity import Identity
from netweft.plugins.identity.embedded import service
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Store

GROUP = "netweft.identity"


def load_identity(settings: ServerSettings, store: Store) -> Identity:
    """Raises SettingsError."""
    if settings.identity == "embedded":
        return service.create(settings, store)
    if settings.identity == "keystone":
        from netweft.plugins.identity.keystone.service import KeystoneIdentity  # its library: only where it is used

        return KeystoneIdentity(settings)
    found = {point.name: point for point in entry_points(group=GROUP)}
    if settings.identity not in found:
        there = ", ".join(sorted({"embedded", "keystone", *found}))
        raise SettingsError(f"identity: no plug-in {settings.identity!r}; there are: {there}")
    identity: Identity = found[settings.identity].load()(settings, store)
    return identity
