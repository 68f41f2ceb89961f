"""Whatever is created, moved and deleted, in whatever order and by however many at once: a segmentation id carries one
network, and plain users' networks have ids from the ranges that are meant for them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import TypeVar

import pytest

from netweft.control.errors import Refused
from netweft.control.ipam.subnets import Subnets
from netweft.control.l2.networks import Networks
from netweft.control.l2.segment_ranges import KIND, SegmentRanges
from netweft.control.l2.segments import NoNetworkAvailable, Segments
from netweft.plugins.segments import segment_types
from netweft.settings import ServerSettings
from netweft.store import Busy, Missing, Object, Query, Store, WriteTransaction

T = TypeVar("T")
WORKERS = 6
STEPS = 40
VLAN = "provider:network_type"
PROJECTS = ("red", "blue")
SETTINGS = ServerSettings(tenant_network_types=("vlan", "vxlan"), vlan_ranges=("a:1:6", "b:1:3"), vni_ranges=("1:9",))


class Server:
    """One of several, as far as they share nothing but the database."""

    def __init__(self, url: str) -> None:
        self.store = Store.open(url)
        types = segment_types()
        self.ranges = SegmentRanges(SETTINGS, types)
        self.networks = Networks(Segments(SETTINGS, types, self.ranges), Subnets())
        self.again(self.ranges.prepare)

    def again(self, work: Callable[[WriteTransaction], T]) -> T:
        """In a transaction, once more when another one was in the way."""
        while True:
            try:
                with self.store.write() as tx:
                    return work(tx)
            except Busy:
                continue

    def step(self, random: Random) -> None:
        """One random thing; that it is refused, or that another one was faster, is all right."""
        steps = [self.create, self.create, self.create_asked, self.move, self.delete, self.add_range, self.delete_range]
        with suppress(Refused, Missing):
            random.choice(steps)(random)

    def create(self, random: Random) -> None:
        self.again(lambda tx: self.networks.create(tx, [_network(random.choice(PROJECTS))]))

    def create_asked(self, random: Random) -> None:
        asked = {VLAN: "vlan", "provider:physical_network": "a", "provider:segmentation_id": random.randint(1, 12)}
        self.again(lambda tx: self.networks.create(tx, [_network("red") | asked]))

    def move(self, random: Random) -> None:
        changes = {"provider:segmentation_id": random.randint(1, 12)}
        self.again(lambda tx: self.networks.update(tx, _any(tx, "networks", random), changes))

    def delete(self, random: Random) -> None:
        self.again(lambda tx: self.networks.delete(tx, _any(tx, "networks", random)))

    def add_range(self, random: Random) -> None:
        first = random.randint(1, 12)
        bounds = {"network_type": "vlan", "physical_network": "a", "minimum": first, "maximum": first + 2}
        owner = {"name": "", "shared": random.random() < 0.3, "project_id": random.choice(PROJECTS)}
        self.again(lambda tx: self.ranges.create(tx, [bounds | owner]))

    def delete_range(self, random: Random) -> None:
        self.again(lambda tx: self.ranges.delete(tx, _any(tx, KIND, random)))


def _any(tx: WriteTransaction, kind: str, random: Random) -> Object:
    """Locked, as the API does it."""
    ids = sorted(each["id"] for each in tx.query(kind)) or ["none"]
    found = tx.lock(kind, random.choice(ids))
    if found is None:
        raise Missing(kind)
    return found


def _network(project: str) -> Object:
    return {"name": "", "project_id": project, "shared": False, "port_security_enabled": True}


@pytest.fixture
def servers(url: str) -> Iterator[list[Server]]:
    started = [Server(url) for _ in range(2)]
    yield started
    for server in started:
        server.store.close()


@pytest.mark.parametrize("seed", range(3))
def test_an_id_carries_one_network(servers: list[Server], seed: int) -> None:
    def work(worker: int) -> None:
        random = Random(f"{seed} {worker}")
        for _ in range(STEPS):
            servers[worker % len(servers)].step(random)

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, range(WORKERS)))

    with servers[0].store.read() as tx:
        networks, ranges = tx.query("networks"), tx.query(KIND, Query({"network_type": ["vlan"]}))
    carried = [_segment(network) for network in networks]
    assert len(carried) == len(set(carried))
    assert drawn_to_the_end(servers[1]) == free(ranges, set(carried))


def test_many_at_once_get_all_that_there_is_and_no_more(servers: list[Server]) -> None:
    def work(worker: int) -> int:
        made = 0
        while True:
            try:
                servers[worker % len(servers)].create(Random(worker))
            except NoNetworkAvailable:
                return made
            made += 1

    with ThreadPoolExecutor(WORKERS) as threads:
        assert sum(threads.map(work, range(WORKERS))) == 6 + 3 + 9


def drawn_to_the_end(server: Server) -> set[tuple[object, ...]]:
    """What a project without ranges of its own still gets, until there is no more."""
    result: set[tuple[object, ...]] = set()
    while True:
        try:
            (made,) = server.again(lambda tx: server.networks.create(tx, [_network("green")]))
        except NoNetworkAvailable:
            return result
        result.add(_segment(made))


def free(ranges: list[Object], carried: set[tuple[object, ...]]) -> set[tuple[object, ...]]:
    """The same, worked out from the ranges alone."""
    tunnels: set[tuple[object, ...]] = {("vxlan", None, number) for number in range(1, 10)}
    shared, owned = _numbers(ranges, shared=True), _numbers(ranges, shared=False)
    return ((shared - owned) | tunnels) - carried


def _numbers(ranges: list[Object], *, shared: bool) -> set[tuple[object, ...]]:
    return {
        ("vlan", each["physical_network"], number)
        for each in ranges
        if each["shared"] is shared
        for number in range(each["minimum"], each["maximum"] + 1)
    }


def _segment(network: Object) -> tuple[object, ...]:
    return tuple(network[f"provider:{name}"] for name in ("network_type", "physical_network", "segmentation_id"))
