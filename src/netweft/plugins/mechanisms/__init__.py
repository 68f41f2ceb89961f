"""Mechanisms: followers of the feed that keep a device equal to the networks: physical switches, SDN controllers.

`desired` says, purely, what should be on the device; `read` what is there; `apply` makes it so, idempotently.
`feed.mechanisms` does the rest: one server of many runs it, level-triggered, again after failures with a back-off of
its own, drift repaired, a plan that can be printed, what failed reported on the ports that need it (decision 0620).

What a device has is a map: a key that is text (`tagged Ethernet1 101`) -> a value that is JSON.  A third party adds
mechanisms by an entry point of the group `netweft.mechanisms` that names a `Factory`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from netweft.model import Network, Node, NodeFacts, Peer, Port, PortStatus, RouterPort
from netweft.model.health import MemberHealth
from netweft.reconcile.plan import Step
from netweft.settings import ServerSettings

ENTRY_POINTS = "netweft.mechanisms"
Row: TypeAlias = Mapping[str, Any]
"""An object as the API has it."""
KIND = "device"  # of all steps


class Unreachable(Exception):
    """The device does not answer, or refuses us: everything has to be tried again.  The text says why."""


class Wanted(Struct, frozen=True):
    """value: what a key should have.  ports: whom it is for; their status says when it fails.
    refused: why it cannot be there by our own configuration; nothing is sent to the device.
    parts: those of balancers, and firewall groups, that it is for, by kind and id; their status says so, too."""

    value: Any
    ports: frozenset[str] = frozenset()
    refused: str = ""
    parts: frozenset[tuple[str, str]] = frozenset()


class Host(Struct, frozen=True):
    """What a host has, or will have soon: ports, and all networks whose frames it sends or gets on a wire, be it for a
    port, a router or a gateway.

    peers, nodes: what is on these networks elsewhere, and where; interfaces: routers' on them; of those that an
    `IsTunnelEnd` looks at."""

    ports: Mapping[str, Port] = {}
    networks: Mapping[str, Network] = {}
    peers: Mapping[str, Peer] = {}
    nodes: Mapping[str, Node] = {}
    interfaces: Mapping[str, RouterPort] = {}


class Link(Struct, frozen=True):
    """One entry of `local_link_information`: which port of which switch.  info: the switch's name."""

    port_id: str
    switch_id: str = ""
    switch_info: str = ""


def links_of(port: Mapping[str, Any]) -> tuple[Link, ...]:
    """Of a port's row.  What is no link says nothing: a profile is whatever somebody wrote there."""
    profile = port.get("binding:profile")
    found = profile.get("local_link_information") if isinstance(profile, dict) else None
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return tuple(
        Link(*(str(one.get(name) or "") for name in ("port_id", "switch_id", "switch_info"))) for one in entries
    )


class BareMetal(Struct, frozen=True):
    """A bound port with vnic_type=baremetal, and where it is plugged in.

    tagged: the networks of its trunk's sub-ports, by sub-port.  guarded: it has port security; groups: its security
    groups."""

    id: str
    network: Network
    links: tuple[Link, ...]
    tagged: Mapping[str, Network] = {}
    mac: str = ""
    guarded: bool = False
    groups: tuple[str, ...] = ()


class View(Protocol):
    """What there is, at one revision.  Who looks at something is notified when it changes."""

    def host(self, name: str) -> Host: ...

    def bare_metal(self) -> Sequence[BareMetal]: ...

    def rows(self, kind: str) -> Mapping[str, Row]:
        """All of a kind, by id; of those that the mechanism names in `kinds`."""
        ...


class Mechanism(Protocol):
    """name: its place and its lease in the database, and on ports what failed is said of it.
    hosts: those that it will look at, ever.  kinds: whose rows, all of them.
    changed: set by it when the device says that something changed there."""

    name: str
    hosts: frozenset[str]
    kinds: frozenset[str]
    changed: asyncio.Event

    def desired(self, view: View) -> Mapping[str, Wanted]:
        """All that should be there.  Pure."""
        ...

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        """Why a port on this network cannot be on this host, or at these links if it is bare metal; empty: it can.
        None: this device has nothing to do with it."""
        ...

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        """What is there of these; unless `anew`, what it said lately will do, with what we did since.  Raises
        Unreachable."""
        ...

    def commands(self, steps: Sequence[Step]) -> list[str]:
        """What `apply` would send to a device on which all of it has to be done, for a person."""
        ...

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """Ordered, what is created first.  Of what the device refused: key -> its words.  Raises Unreachable."""
        ...

    async def close(self) -> None: ...


class Seen(Struct, frozen=True):
    """A host that is no node of ours: what it can do, and all ports that are plugged in there.
    members: of balancers, of which it has found out something new."""

    facts: NodeFacts
    ports: tuple[PortStatus, ...] = ()
    members: tuple[MemberHealth, ...] = ()


@runtime_checkable
class Marks(Protocol):
    """A mechanism whose device has room for a mark on each thing.

    marks: True: what `read` gives is ours by its mark, also what was not asked for and no database of ours knows of."""

    marks: bool


@runtime_checkable
class HasHosts(Protocol):
    """A mechanism whose device has hosts, which ports are bound to: a controller with agents of its own."""

    async def seen(self) -> Mapping[str, Seen]:
        """host -> what is there, all of them.  Asked for before each `desired`.  Raises Unreachable."""
        ...


@runtime_checkable
class AsksMembers(Protocol):
    """A mechanism whose device probes the balancers' members."""

    def asks_in(self) -> frozenset[str] | None:
        """The subnets in which it needs an address to ask from, by what was last `desired`; None: it has just those."""
        ...


@runtime_checkable
class IsTunnelEnd(Protocol):
    """A mechanism whose device takes tunnels from hypervisors: a VTEP.  Its name is that of its host in the region.

    neighbourly: the hosts whose peers it looks at, itself among them."""

    name: str
    neighbourly: frozenset[str]

    def ends(self, links: Sequence[Link]) -> bool:
        """Whether what is plugged in at these links is behind it."""
        ...

    def rack_of(self, host: str) -> str:
        """The physical network on which hosts have VLANs that it maps to tunnels; empty: this host is not there."""
        ...

    def racked(self, view: View) -> Mapping[str, str]:
        """Network -> the physical network on which it needs a VLAN, for hosts there."""
        ...

    def answered(self, view: View) -> frozenset[str]:
        """The routers' interfaces, by their ids, that machines behind it use, so that a node has to answer them."""
        ...


@runtime_checkable
class GoesByNeighbours(Protocol):
    """A mechanism that is another one when hosts hear other neighbours.  made_of: equal where it is the same."""

    made_of: object


@runtime_checkable
class Notes(Protocol):
    """A mechanism that has something to say of ports that lack nothing that it could give."""

    def noted(self, port: Row) -> str:
        """Of a port's row; empty: nothing."""
        ...


class Rack(Struct, frozen=True):
    """Where a host has VLANs, and the host at which tunnels to them end."""

    physical_network: str
    tunnel_end: str


Factory: TypeAlias = Callable[[ServerSettings], Sequence[Mechanism]]
