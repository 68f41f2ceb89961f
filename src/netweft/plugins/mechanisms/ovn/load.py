"""From settings to the mechanism."""

import ssl

from netweft.plugins.mechanisms.database import tls_context
from netweft.plugins.mechanisms.ovn.mechanism import OvnMechanism
from netweft.settings import ServerSettings, SettingsError

_FILES = ("ovn_ca_cert", "ovn_certificate", "ovn_private_key")


def load_ovn(settings: ServerSettings) -> OvnMechanism:
    """Raises SettingsError."""
    remotes = {name: getattr(settings, name) for name in ("ovn_northbound", "ovn_southbound")}
    for setting, remote in ((setting, one) for setting, all in remotes.items() for one in all.split(",")):
        method, _, where = remote.partition(":")
        host, _, port = where.rpartition(":")
        if not (method == "unix" and where.startswith("/")) and not (
            method in ("tcp", "ssl") and host and port.isdigit()
        ):
            raise SettingsError(f"{setting}: {remote!r} is not unix:/PATH, tcp:HOST:PORT or ssl:HOST:PORT")
    is_secured = "ssl:" in "".join(remotes.values())
    tls = _tls(settings) if is_secured else None
    return OvnMechanism(settings.ovn_northbound, settings.ovn_southbound, tls, domain=settings.dns_domain)


def _tls(settings: ServerSettings) -> ssl.SSLContext:
    files = [getattr(settings, name) for name in _FILES]
    for name, file in zip(_FILES, files, strict=True):
        if not file:
            raise SettingsError(f"{name}: is needed for ssl:")
    try:
        return tls_context(*files)
    except OSError as error:
        raise SettingsError(f"{', '.join(_FILES)}: {error}") from None
