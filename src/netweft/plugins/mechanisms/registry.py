"""Which mechanisms this server may run: switches by their file, OVN, and those installed beside us."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import entry_points

from netweft.model import Neighbour
from netweft.plugins.mechanisms import ENTRY_POINTS, Factory, Mechanism
from netweft.settings import ServerSettings


def load_mechanisms(settings: ServerSettings, heard: Iterable[tuple[str, Neighbour]] = ()) -> list[Mechanism]:
    """heard: learned by hosts, by LLDP.  Raises SettingsError."""
    found: list[Mechanism] = []
    if settings.switches_file:
        from netweft.plugins.mechanisms.switches.load import load_switches  # only where there are any

        found += load_switches(settings.switches_file, heard)
    if settings.ovn_northbound:
        from netweft.plugins.mechanisms.ovn.load import load_ovn

        found.append(load_ovn(settings))
    return [*found, *(one for factory in _installed() for one in factory(settings))]


def hears_lldp(settings: ServerSettings) -> bool:
    """Whether it matters what hosts hear.  Raises SettingsError."""
    if not settings.switches_file:
        return False
    from netweft.plugins.mechanisms.switches import inventory

    return any(switch.lldp for switch in inventory.read(settings.switches_file).values())


@cache
def _installed() -> Sequence[Factory]:
    return [point.load() for point in entry_points(group=ENTRY_POINTS)]
