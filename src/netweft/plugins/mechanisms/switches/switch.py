"""One switch as a mechanism: what it should have is `desired`'s, how it is read and written is its driver's."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from netweft.model import Network
from netweft.plugins.mechanisms import Link, Row, View, Wanted, links_of
from netweft.plugins.mechanisms.switches import acls, desired
from netweft.plugins.mechanisms.switches.inventory import Acls, Switch
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


@runtime_checkable
class Filters(Protocol):
    """A driver with ACLs.  What it reads of one is as the device says it."""

    def shows(self, key: str, value: Mapping[str, Any], said: Any) -> bool:
        """Whether a device that says this has what is wanted."""
        ...


MakeDriver = Callable[[Switch, Callable[[], None]], Driver]


class SwitchMechanism:
    def __init__(self, switch: Switch, all_hosts: Iterable[str], make: MakeDriver) -> None:
        """all_hosts: linked to any switch."""
        self.name = f"switch:{switch.name}"
        self.kinds: frozenset[str] = acls.KINDS if switch.acls == Acls.YES else frozenset()
        self.hosts = frozenset(all_hosts if switch.transit else switch.hosts)
        self.changed = asyncio.Event()
        self.made_of = (switch, self.hosts)
        self._switch = switch
        self._driver = make(switch, self.changed.set)
        if switch.acls == Acls.YES and not self._driver.ways & {acls.IN, acls.OUT}:
            raise refuse(switch, "netweft_acls", f"{switch.device_type} has no ACLs, or is told of none")
        self._names: dict[str, Any] = {}  # of VLANs that are wanted
        self._acls: dict[str, Any] = {}  # that are wanted

    def desired(self, view: View) -> Mapping[str, Wanted]:
        wanted = desired.desired(self._switch, self.hosts, view)
        found = {key: value for key, value in wanted.items() if key.partition(" ")[0] in self._driver.ways}
        self._names = {key: one.value for key, one in found.items() if key.startswith("vlan ")}
        self._acls = {key: one.value for key, one in found.items() if key.startswith((acls.IN, acls.OUT))}
        return found

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        ports = [port for link in links for port in desired.named_in(self._switch, link)]
        ports += [self._switch.carrier(port) for port in self._switch.hosts.get(host, ())] if not links else []
        refusals = [desired.refusal(self._switch, network, port, bare_metal=bool(links)) for port in ports]
        return next(filter(None, refusals), "") if refusals else None

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        """A VLAN that is there will do, whatever it is called: who made it may have had a name of their own for it."""
        found = await self._driver.read(keys, anew=anew)
        return {key: self._acls[key] if self._shows(key, value) else self._names.get(key, value)
                for key, value in found.items()}  # fmt: skip

    def _shows(self, key: str, said: Any) -> bool:
        return (
            key in self._acls and isinstance(self._driver, Filters) and self._driver.shows(key, self._acls[key], said)
        )

    def noted(self, port: Row) -> str:
        """Of a port whose security groups it does not keep, or not both ways."""
        if self._switch.acls == Acls.NO:
            return unfiltered(self._switch, port)
        if self._switch.acls == Acls.REFUSE or acls.OUT in self._driver.ways or not unfiltered(self._switch, port):
            return ""
        return f"{self.name}: filters only what the machine sends"

    def commands(self, steps: Sequence[Step]) -> list[str]:
        return self._driver.commands(ordered(steps))

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """ACLs first: what has not got its own is not let on."""
        lists = [step for step in ordered(steps) if acls.is_acl(str(step.key)) and step.now is not None]
        refused = dict(await self._driver.apply(lists)) if lists else {}
        open_ports = {key.partition(" ")[2]: words for key, words in refused.items()}
        rest = [step for step in ordered(steps) if step not in lists]
        kept = {str(step.key): open_ports[port] for step in rest if (port := _let_on(step)) in open_ports}
        rest = [step for step in rest if str(step.key) not in kept]
        return {**refused, **kept, **(await self._driver.apply(rest) if rest else {})}

    async def close(self) -> None:
        await self._driver.close()


def unfiltered(switch: Switch, port: Row) -> str:
    """What a port on this switch is told that has security groups; empty: it has none."""
    if not port.get("port_security_enabled") or not any(desired.named_in(switch, link) for link in links_of(port)):
        return ""
    return f"switch:{switch.name}: security groups are not in force there"


def _let_on(step: Step) -> str:
    """The port that the step lets a machine on to its network by; empty: none."""
    way, port, _ = desired.parts(str(step.key))
    return port if way == "untagged" and step.now is not None else ""


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
