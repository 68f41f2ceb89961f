"""What mechanisms look at, kept up to date in each server that runs one: hosts with their ports and networks, and bare
metal.

What a host has follows from the same rules as what its node is sent (`relevance`), cut down to what says which networks
are on its wires: so a router's and a gateway's networks are there, too.  Level-triggered: the doorbell only wakes it.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias, cast

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.control.l2.hosts import BARE_METAL, TUNNELLED_TO, VNIC_TYPE, is_bare_metal
from netweft.control.l2.placing import TRUNK
from netweft.control.l2.trunks import PART_OF
from netweft.feed import objects
from netweft.feed.interest import Interest, Updates
from netweft.feed.reader import StoreReader
from netweft.feed.relevance import RULES, RowKey, Rule
from netweft.model import Network, Node, Peer, Port, RouterPort
from netweft.plugins.mechanisms import BareMetal, Host, links_of
from netweft.store import ChangesGone, Object, Query, ReadTransaction, Store

BATCH: Final = 1000  # changes read at a time
TICK_SECONDS = 1.0  # for changes without a doorbell
SETTLE_SECONDS = 0.005
RETRY_SECONDS = 1.0

Fact: TypeAlias = tuple[
    str, str
]  # what somebody has looked at: ("host", its name), ("kind", a kind), or ALL_BARE_METAL
ALL_BARE_METAL: Final[Fact] = ("bare metal", "")

_TOPICS = frozenset({"host", "wire", "network", "router", "behind", "floating_ip"})
_KINDS = frozenset({"ports", "networks", "routers", "floatingips"})
_NEIGHBOURLY_TOPICS, _NEIGHBOURLY_KINDS = _TOPICS | {"endpoint"}, _KINDS | {"agents"}

log = structlog.get_logger(__name__)


def _lean(rule: Rule, topics: Collection[str]) -> Rule:
    leads = [(topic, attribute) for topic, attribute in rule.leads if topic in topics]
    return Rule(rule.topic, rule.kind, rule.by, rule.gives, leads, rule.not_for)


WIRE_RULES: Final = tuple(
    _lean(rule, _TOPICS)
    for rule in RULES
    if rule.topic in _TOPICS and rule.kind in _KINDS and rule.gives != objects.peer
)
# what a VTEP is sent: what a node with these ports would be
NEIGHBOURLY_RULES: Final = (
    *(
        _lean(rule, _NEIGHBOURLY_TOPICS)
        for rule in RULES
        if rule.topic in _NEIGHBOURLY_TOPICS and rule.kind in _NEIGHBOURLY_KINDS
    ),
    Rule(
        *("host", "ports", TUNNELLED_TO, objects.behind),
        leads=[("network", "network_id"), ("wire", "network_id")],
    ),
)


class Region:
    """told: called in the event loop with what changed; None: all of it may have."""

    def __init__(self, store: Store, told: Callable[[Collection[Fact] | None], None]) -> None:
        self._store, self._told = store, told
        self._thread = CapacityLimiter(1)
        self._hosts: frozenset[str] = frozenset()
        self._neighbourly: frozenset[str] = frozenset()
        self._kinds: frozenset[str] = frozenset()
        self._rows: dict[str, dict[str, Object]] = {}
        self._interests: Sequence[Interest] = ()
        self._views: dict[str, dict[Any, Any]] = {}
        self._bare: dict[str, Object] = {}  # bound bare-metal ports, and sub-ports of their trunks, by id
        self._networks: dict[str, Network] = {}  # of those
        self.revision: int | None = None
        self._follows = asyncio.Event()

    def follow(self, hosts: Iterable[str], kinds: Iterable[str] = (), neighbourly: Iterable[str] = ()) -> None:
        """From now on these.  kinds: of which all rows are kept.  neighbourly: the hosts whose peers are wanted."""
        self._hosts, self._kinds, self._neighbourly = frozenset(hosts), frozenset(kinds), frozenset(neighbourly)
        self.revision = None
        self._follows.set()

    def host(self, name: str) -> Host:
        found = self._views.get(name, {}).values()
        return Host(
            ports={one.id: one for one in found if isinstance(one, Port)},
            networks={one.id: one for one in found if isinstance(one, Network)},
            peers={one.id: one for one in found if isinstance(one, Peer)},
            nodes={one.name: one for one in found if isinstance(one, Node)},
            interfaces={one.id: one for one in found if isinstance(one, RouterPort)},
        )

    def rows(self, kind: str) -> Mapping[str, Object]:
        return self._rows.get(kind, {})

    def bare_metal(self) -> Sequence[BareMetal]:
        subs: dict[str, dict[str, Network]] = {}
        for row in self._bare.values():
            if (trunk := row.get(PART_OF)) and (network := self._networks.get(row["network_id"])):
                subs.setdefault(trunk, {})[row["id"]] = network
        return [
            BareMetal(
                *(row["id"], network, links_of(row), subs.get(row.get(TRUNK) or "", {}), row["mac_address"]),
                guarded=bool(row.get("port_security_enabled")),
                groups=tuple(row.get("security_groups") or ()),
            )
            for row in self._bare.values()
            if not row.get(PART_OF) and (network := self._networks.get(row["network_id"]))
        ]

    async def run(self) -> None:
        """Until cancelled."""
        await self._follows.wait()
        patience = 0.0
        with self._store.doorbell.subscribe() as bell:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await bell.wait()
                try:
                    patience = SETTLE_SECONDS if await self._step() else TICK_SECONDS
                except Exception as error:  # whatever it is, it starts over
                    if not isinstance(error, ChangesGone):
                        log.exception("what mechanisms look at cannot be read")
                    self.revision, patience = None, RETRY_SECONDS

    async def _step(self) -> bool:
        """Whether there is more that could not be read yet."""
        anew, followed = self.revision is None, self._followed()
        read = self._begin if anew else self._advance
        found = await to_thread.run_sync(read, followed, limiter=self._thread)
        if followed != self._followed() or (not anew and self.revision is None):
            return True  # others are to be followed meanwhile
        if anew:
            self._views, self._bare, self._networks = {host: {} for host in followed.hosts}, {}, {}
            self._rows = {kind: {} for kind in followed.kinds}
        for host, update in found.updates.items():
            _take(self._views[host], update)
        for kind, rows in found.rows.items():
            _take(self._rows[kind], rows)
        _take(self._bare, found.bare)
        self._networks |= found.networks
        self.revision = found.revision
        if anew:
            self._told(None)
        elif facts := found.facts():
            self._told(facts)
        return found.settling

    def _followed(self) -> "_Followed":
        return _Followed(self._hosts | self._neighbourly, self._kinds, self._neighbourly)

    # -- in a thread

    def _begin(self, followed: "_Followed") -> "_Read":
        with self._store.read() as tx:
            plain, neighbourly = Interest(WIRE_RULES), Interest(NEIGHBOURLY_RULES)
            self._interests = (plain, neighbourly)
            updates = plain.follow(StoreReader(tx), followed.hosts - followed.neighbourly)
            updates |= neighbourly.follow(StoreReader(tx), followed.neighbourly)
            parents = tx.query("ports", Query({VNIC_TYPE: [BARE_METAL]}))
            rows = {row["id"]: row for row in (*parents, *_sub_ports(tx, parents)) if _is_bare(row)}
            networks = _read_networks(tx, rows.values())
            every = {kind: {row["id"]: row for row in tx.query(kind)} for kind in followed.kinds}
            return _Read(tx.revision(), updates, dict(rows), networks, every, tx.is_settling())

    def _advance(self, followed: "_Followed") -> "_Read":
        with self._store.read() as tx:
            revision = cast(int, self.revision)
            touched: set[RowKey] = set()
            while changes := tx.changes(revision, BATCH):
                touched |= {(change.kind, change.id) for change in changes}
                revision = changes[-1].revision
                if len(changes) < BATCH:
                    break
            updates: Updates = {}
            for interest in self._interests if touched else ():
                updates |= interest.advance(StoreReader(tx), touched)
            bare = self._changed_bare(tx, {id for kind, id in touched if kind == "ports"})
            networks = {id for kind, id in touched if kind == "networks"} & self._networks.keys()
            new = {row["network_id"] for row in bare.values() if row} - self._networks.keys()
            rows = tx.get_many("networks", networks | new)
            found = {id: objects.network(row) for id, row in rows.items()}
            changed = {kind: {id for of, id in touched if of == kind} for kind in followed.kinds}
            every = {kind: dict.fromkeys(ids) | tx.get_many(kind, ids) for kind, ids in changed.items() if ids}
            return _Read(revision, updates, bare, found, every, tx.is_settling())

    def _changed_bare(self, tx: ReadTransaction, ids: Collection[str]) -> dict[str, Object | None]:
        rows = tx.get_many("ports", ids)
        found = {id: row for id, row in rows.items() if is_bare_metal(row)}
        found |= {row["id"]: row for row in _sub_ports(tx, list(found.values()))}
        trunks = {row[TRUNK] for row in self._bare.values() if row.get(TRUNK)}
        found |= {id: row for id, row in rows.items() if row.get(PART_OF) in trunks and row.get(PART_OF)}
        there = {id: row for id, row in found.items() if _is_bare(row)}
        gone = {id for id in (*ids, *found) if id in self._bare and id not in there}
        return {**{id: row for id, row in there.items() if self._bare.get(id) != row}, **dict.fromkeys(gone)}


class _Followed(NamedTuple):
    hosts: frozenset[str]
    kinds: frozenset[str]
    neighbourly: frozenset[str]


class _Read(NamedTuple):
    """None: it is not there any more."""

    revision: int
    updates: Updates
    bare: Mapping[str, Object | None]
    networks: Mapping[str, Network]
    rows: Mapping[str, Mapping[str, Object | None]]
    settling: bool

    def facts(self) -> list[Fact]:
        found = [("host", host) for host in self.updates]
        found += [("kind", kind) for kind in self.rows]
        return [*found, *([ALL_BARE_METAL] if self.bare or self.networks else [])]


def _take(into: dict[Any, Any], changed: Mapping[Any, Any]) -> None:
    for key, one in changed.items():
        if one is None:
            into.pop(key, None)
        else:
            into[key] = one


def _is_bare(row: Mapping[str, Any]) -> bool:
    return bool(row.get("binding:host_id"))


def _sub_ports(tx: ReadTransaction, parents: Sequence[Object]) -> list[Object]:
    trunks = tx.get_many("trunks", {row[TRUNK] for row in parents if row.get(TRUNK)})
    ids = {sub["port_id"] for trunk in trunks.values() for sub in trunk["sub_ports"]}
    return list(tx.get_many("ports", ids).values())


def _read_networks(tx: ReadTransaction, ports: Iterable[Object]) -> dict[str, Network]:
    rows = tx.get_many("networks", {port["network_id"] for port in ports})
    return {id: objects.network(row) for id, row in rows.items()}
