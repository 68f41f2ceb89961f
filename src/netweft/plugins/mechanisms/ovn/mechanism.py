"""OVN's databases as one mechanism: what they should have, what they have, and who is there."""

import asyncio
import ssl
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from netweft.model import Network, PortStatus
from netweft.plugins.mechanisms import Link, Seen, View, Wanted
from netweft.plugins.mechanisms.ovn import dhcp, firewalls, names, qos, router_firewalls, routing, security, switching
from netweft.plugins.mechanisms.ovn.balancing import Balancing
from netweft.plugins.mechanisms.ovn.members import Members, news
from netweft.plugins.mechanisms.ovn.northbound import Northbound, in_order
from netweft.plugins.mechanisms.ovn.rows import KINDS, Rows
from netweft.plugins.mechanisms.ovn.schema import Columns, table_of
from netweft.plugins.mechanisms.ovn.southbound import Chassis, Southbound
from netweft.reconcile.plan import Step


class OvnMechanism:
    name = "ovn"
    hosts: frozenset[str] = frozenset()
    kinds = KINDS
    marks = True

    def __init__(
        self, northbound: str, southbound: str, tls: ssl.SSLContext | None = None, *, domain: str = ""
    ) -> None:
        """domain: of names of networks without one."""
        self.changed = asyncio.Event()
        self._north = Northbound(northbound, self.changed.set, tls)
        self._south = Southbound(southbound, self.changed.set, tls)
        self._chassis: Mapping[str, Chassis] = {}
        self._domain = domain
        self._unsaid: Mapping[str, str] = {}  # port -> what it lacks, as it was looked at last
        self._members: Members | None = None  # as they were looked at last

    def desired(self, view: View) -> Mapping[str, Wanted]:
        rows = Rows(view)
        balancing = Balancing(rows)
        self._members = balancing.members
        if (unsaid := dhcp.unsaid(rows)) != self._unsaid:
            self._unsaid = unsaid
            self.changed.set()  # `seen` says it
        named = {id: (names.key_of(id), one) for id, one in names.desired(rows, self._domain).items()}
        return dict(
            [
                *balancing.wanted.items(),
                *named.values(),
                *switching.desired(rows, balancing.switches, {id: its for id, (its, _) in named.items()}),
                *qos.desired(rows),
                *dhcp.desired(rows, self._domain),
                *security.desired(rows),
                *firewalls.desired(rows),
                *router_firewalls.desired(rows),
                *routing.desired(rows, {host: one.name for host, one in self._chassis.items()}, balancing.routers),
            ]
        )

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        """What a chassis can carry is among its facts."""
        return None

    async def read(self, keys: Collection[str], *, anew: bool = True) -> Mapping[str, Columns]:
        return await self._north.read(keys)

    def commands(self, steps: Sequence[Step]) -> list[str]:
        return [_command(step) for step in in_order(steps)]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        return await self._north.apply(steps)

    async def seen(self) -> Mapping[str, Seen]:
        self._chassis = await self._south.read()
        asked = self._members.asked if self._members else {}
        return {
            host: replace(chassis.seen, members=news(chassis, asked), ports=self._told(chassis))
            for host, chassis in self._chassis.items()
        }

    def _told(self, chassis: Chassis) -> tuple[PortStatus, ...]:
        ports = chassis.seen.ports
        if self._unsaid.keys().isdisjoint(port.port_id for port in ports):
            return ports
        return tuple(replace(port, detail=self._unsaid.get(port.port_id, "")) for port in ports)

    def asks_in(self) -> frozenset[str] | None:
        return self._members.asks_in() if self._members else None

    async def close(self) -> None:
        await self._north.close()
        await self._south.close()


def _command(step: Step) -> str:
    """As ovn-nbctl's database commands would have it, for a person."""
    table, name = table_of(str(step.key)), str(step.key).partition(" ")[2]
    if step.now is None:
        return f"ovn-nbctl destroy {table} {name}"
    changed = {name: value for name, value in step.now.items() if (step.was or {}).get(name) != value}
    verb = "create" if step.was is None else f"set {name}"
    return f"ovn-nbctl {verb} {table} " + " ".join(f"{name}={value!r}" for name, value in sorted(changed.items()))
