"""From settings to the mechanism."""

from netweft.plugins.mechanisms.ovn.mechanism import OvnMechanism
from netweft.settings import SettingsError


def load_ovn(northbound: str, southbound: str) -> OvnMechanism:
    """Raises SettingsError."""
    for setting, remote in (("ovn_northbound", northbound), ("ovn_southbound", southbound)):
        method, _, where = remote.partition(":")
        host, _, port = where.rpartition(":")
        if not (method == "unix" and where.startswith("/")) and not (method == "tcp" and host and port.isdigit()):
            raise SettingsError(f"{setting}: {remote!r} is not unix:/PATH or tcp:HOST:PORT")
    return OvnMechanism(northbound, southbound)
