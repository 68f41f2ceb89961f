"""One switch as a mechanism: what it should have is `desired`'s, how it is read and written is its driver's."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from netweft.model import Network
from netweft.plugins.mechanisms import Link, View, Wanted
from netweft.plugins.mechanisms.switches import desired
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.reconcile.plan import Step
from netweft.settings import SettingsError


class Driver(Protocol):
    """Of one device.  ways: which kinds of keys it has (`vlan`, `tagged`, ...): others are not wanted of it.
    changed: called when the device says so."""

    ways: frozenset[str]

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]: ...

    def commands(self, steps: Sequence[Step]) -> list[str]: ...

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]: ...

    async def close(self) -> None: ...


MakeDriver = Callable[[Switch, Callable[[], None]], Driver]


class SwitchMechanism:
    def __init__(self, switch: Switch, all_hosts: Iterable[str], make: MakeDriver) -> None:
        """all_hosts: linked to any switch."""
        self.name = f"switch:{switch.name}"
        self.kinds: frozenset[str] = frozenset()
        self.hosts = frozenset(all_hosts if switch.transit else switch.hosts)
        self.changed = asyncio.Event()
        self._switch = switch
        self._driver = make(switch, self.changed.set)
        self._names: dict[str, Any] = {}  # of VLANs that are wanted

    def desired(self, view: View) -> Mapping[str, Wanted]:
        wanted = desired.desired(self._switch, self.hosts, view)
        found = {key: value for key, value in wanted.items() if key.partition(" ")[0] in self._driver.ways}
        self._names = {key: one.value for key, one in found.items() if key.startswith("vlan ")}
        return found

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        ports = [port for link in links for port in desired.named_in(self._switch, link)]
        ports += self._switch.hosts.get(host, ()) if not links else ()
        refusals = [desired.refusal(self._switch, network, port, bare_metal=bool(links)) for port in ports]
        return next(filter(None, refusals), "") if refusals else None

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        """A VLAN that is there will do, whatever it is called: who made it may have had a name of their own for it."""
        found = await self._driver.read(keys, anew=anew)
        return {key: self._names.get(key, value) for key, value in found.items()}

    def commands(self, steps: Sequence[Step]) -> list[str]:
        return self._driver.commands(ordered(steps))

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        return await self._driver.apply(ordered(steps))

    async def close(self) -> None:
        await self._driver.close()


def ordered(steps: Sequence[Step]) -> list[Step]:
    """A VLAN is there before ports are in it, and goes after them.  What a port was in untagged goes before it is in
    another: it is in one at a time."""
    made = sorted((step for step in steps if step.now is not None), key=_rank)
    gone = sorted((step for step in steps if step.now is None), key=_rank, reverse=True)
    first = [step for step in gone if desired.parts(str(step.key))[0] in ("untagged", "native")]
    return [*first, *made, *(step for step in gone if step not in first)]


def _rank(step: Step) -> tuple[int, str]:
    return desired.rank(str(step.key))


def refuse(switch: Switch, key: str, why: str) -> SettingsError:
    return SettingsError(f"switches_file: [genericswitch:{switch.name}] {key}: {why}")
