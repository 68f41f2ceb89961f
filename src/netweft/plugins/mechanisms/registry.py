"""Which mechanisms this server may run: switches by their file, OVN, and those installed beside us."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points

from netweft.plugins.mechanisms import ENTRY_POINTS, Factory, Mechanism
from netweft.settings import ServerSettings


def load_mechanisms(settings: ServerSettings) -> list[Mechanism]:
    """Raises SettingsError."""
    found: list[Mechanism] = []
    if settings.switches_file:
        from netweft.plugins.mechanisms.switches.load import load_switches  # only where there are any

        found += load_switches(settings.switches_file)
    if settings.ovn_northbound:
        from netweft.plugins.mechanisms.ovn.load import load_ovn

        found.append(load_ovn(settings.ovn_northbound, settings.ovn_southbound))
    return [*found, *(one for factory in _installed() for one in factory(settings))]


@cache
def _installed() -> Sequence[Factory]:
    return [point.load() for point in entry_points(group=ENTRY_POINTS)]
