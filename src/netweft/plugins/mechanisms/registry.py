"""Which mechanisms this server may run: switches by their file, OVN, and those installed beside us."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points

from netweft.model import Neighbour
from netweft.plugins.mechanisms import ENTRY_POINTS, Factory, Mechanism
from netweft.settings import ServerSettings, SettingsError


def load_mechanisms(settings: ServerSettings, heard: Iterable[tuple[str, Neighbour]] = ()) -> list[Mechanism]:
    """heard: learned by hosts, by LLDP.  Raises SettingsError."""
    found: list[Mechanism] = []
    if settings.switches_file:
        from netweft.plugins.mechanisms.switches.load import load_switches  # only where there are any

        found += load_switches(settings.switches_file, heard)
    if settings.ovn_northbound:
        from netweft.plugins.mechanisms.ovn.load import load_ovn

        found.append(load_ovn(settings))
    found += [one for name, factory in _installed().items() for one in _made(name, factory, settings)]
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise SettingsError(f"mechanisms: two are called {twice}")
    return found


def hears_lldp(settings: ServerSettings) -> bool:
    """Whether it matters what hosts hear.  Raises SettingsError."""
    if not settings.switches_file:
        return False
    from netweft.plugins.mechanisms.switches import inventory

    return any(switch.lldp for switch in inventory.read(settings.switches_file).values())


@cache
def _installed() -> Mapping[str, Factory]:
    """Raises SettingsError."""
    found: dict[str, Factory] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            found[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            raise SettingsError(f"mechanisms: {point.name!r} cannot be loaded: {error}") from None
    return found


def _made(name: str, factory: Factory, settings: ServerSettings) -> Sequence[Mechanism]:
    """Raises SettingsError: a plug-in of somebody else that cannot begin is named."""
    try:
        return list(factory(settings))
    except SettingsError:
        raise
    except Exception as error:
        raise SettingsError(f"mechanisms: {name!r} cannot begin: {type(error).__name__}: {error}") from error
