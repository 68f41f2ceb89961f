"""Connections of a port that moves, as its hosts tell of them: who is heard, of what, and who gets it."""

from collections.abc import Iterable

import pytest

from netweft.control.l2 import binding, moving
from netweft.feed import objects
from netweft.model import MovedConnections, NodeFacts, Tracked
from netweft.model.connections import FRESH_SECONDS, MOST, MOVED
from netweft.store import Object

from ..conftest import Cloud
from .test_port_bindings import HOST, Bindings

OUTSIDE = "192.0.2.7"


class Story(Bindings):
    """Of one port with 10.0.0.x, active on hv1."""

    def __init__(self, cloud: Cloud) -> None:
        for host in ("hv1", "hv2", "hv3"):
            with cloud.store.write() as tx:
                binding.node_connected(tx, host, NodeFacts(tunnel_ip=f"192.0.2.{host[-1]}"))
        network = cloud.network()
        cloud.subnet(network, "10.0.0.0/24")
        pairs = [{"ip_address": "172.16.0.0/24"}]
        super().__init__(cloud, cloud.port(network, allowed_address_pairs=pairs, **{HOST: "hv1"}))
        self.address = self.port["fixed_ips"][0]["ip_address"]

    def move(self, host: str) -> None:
        """As Nova does: wired ahead, activated, gone from where it was."""
        before = self.port[HOST]
        self.create(host)
        self.activate(host)
        self.delete(before)

    def asked(self, number: int = 1) -> Tracked:
        return Tracked(17, self.address, OUTSIDE, number, 53)

    def left(self, host: str, *told: Tracked) -> None:
        with self.cloud.store.write() as tx:
            moving.left(tx, host, self.id, told)

    def taken_up(self, host: str, at: float) -> None:
        with self.cloud.store.write() as tx:
            moving.taken_up(tx, host, self.id, at)

    @property
    def given(self) -> MovedConnections | None:
        """To the node where it is."""
        port = objects.port(self.port)
        assert port is not None
        return port.moved

    def has(self, *told: Tracked) -> bool:
        return set(self.given.connections if self.given else ()) == set(told)


@pytest.fixture
def story(cloud: Cloud) -> Story:
    return Story(cloud)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What it says, changed by writing into it."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(moving, "_now", lambda: now[0])
    return now


def test_the_old_host_is_heard_once_and_the_new_one_gets_it(story: Story) -> None:
    before = story.port
    story.move("hv2")
    story.left("hv1", story.asked())
    assert story.has(story.asked())
    assert story.port["revision_number"] - before["revision_number"] == 3, "no news to users"
    story.left("hv1", story.asked(2))
    assert story.has(story.asked())


def test_the_plain_change_of_its_host_is_a_move_too(story: Story) -> None:
    story.cloud.update("ports", story.port, **{HOST: "hv2"})
    story.left("hv1", story.asked())
    assert story.has(story.asked())


def test_no_other_host_is_heard_or_gets_it(story: Story) -> None:
    story.left("hv1", story.asked())
    assert story.given is None, "it has not left"
    story.create("hv2")
    story.create("hv3")
    story.activate("hv2")
    for host in ("hv2", "hv3", "hv9"):
        story.left(host, story.asked())
    assert story.given is None
    story.left("hv1", story.asked())
    assert story.has(story.asked())
    assert objects.port_ahead(story.port).moved is None
    with story.cloud.store.write() as tx:
        moving.left(tx, "hv1", "no such port", [story.asked()])


def nonsense(story: Story) -> Iterable[Tracked]:
    own = story.address
    yield Tracked(17, OUTSIDE, "192.0.2.8", 1, 2)
    yield Tracked(17, own, "fd00::1", 1, 2)
    yield Tracked(17, own, "nonsense", 1, 2)
    yield Tracked(17, own, OUTSIDE, 1 << 16, 2)
    yield Tracked(17, own, OUTSIDE, 1, -1)
    yield Tracked(256, own, OUTSIDE, 1, 2)
    yield Tracked(17, "172.16.1.1", OUTSIDE, 1, 2)


def test_only_what_the_port_has_a_part_in(story: Story) -> None:
    story.move("hv2")
    mac = story.port["mac_address"]
    high, low = int(mac[:2], 16) ^ 2, mac.replace(":", "")
    local = f"fe80::{high:02x}{low[2:4]}:{low[4:6]}ff:fe{low[6:8]}:{low[8:]}"
    sound = [
        story.asked(),
        Tracked(17, OUTSIDE, story.address, 1, 2),
        Tracked(1, "172.16.0.9", OUTSIDE, 7, 2048),
        Tracked(17, local, "fe80::1", 1, 2),
    ]
    story.left("hv1", *nonsense(story), *sound)
    assert story.has(*sound)


def test_a_long_list_is_cut(story: Story) -> None:
    story.move("hv2")
    story.left("hv1", *map(story.asked, range(2 * MOST)))
    assert story.given is not None
    assert len(story.given.connections) == MOST


def test_it_goes_along_until_it_is_taken_up(story: Story, clock: list[float]) -> None:
    """Whether its new node has it when it moves on, or hears of it after that."""
    story.move("hv2")
    story.left("hv1", story.asked(1))
    story.move("hv3")
    assert story.has(story.asked(1))
    first = story.given
    assert first is not None
    clock[0] += 1
    story.left("hv2", story.asked(1), story.asked(2))
    assert story.has(story.asked(1), story.asked(2))
    story.taken_up("hv3", first.at)
    assert story.has(story.asked(1), story.asked(2)), "that was another one"
    story.taken_up("hv2", clock[0])
    assert story.given is not None, "it is not there"
    story.taken_up("hv3", clock[0])
    assert story.given is None


def test_the_slower_of_two_old_nodes_is_heard_too(story: Story) -> None:
    story.move("hv2")
    story.move("hv3")
    story.left("hv2", story.asked(2))
    story.left("hv1", story.asked(1))
    assert story.has(story.asked(1), story.asked(2))


def test_back_where_it_was_its_own_node_knows_best(story: Story) -> None:
    story.move("hv2")
    story.move("hv1")
    story.left("hv1", story.asked(1))
    assert story.given is None
    story.left("hv2", story.asked(2))
    assert story.has(story.asked(2))


def test_what_is_old_is_neither_heard_nor_kept(story: Story, clock: list[float]) -> None:
    story.move("hv2")
    clock[0] += FRESH_SECONDS
    story.left("hv1", story.asked())
    assert story.given is None
    story.move("hv3")
    story.left("hv2", story.asked())
    clock[0] += FRESH_SECONDS
    story.move("hv1")
    assert story.port[MOVED] is None


def test_an_empty_list_is_none(story: Story) -> None:
    story.move("hv2")
    story.left("hv1")
    assert story.given is None


def test_sub_ports_go_along(cloud: Cloud) -> None:
    story = Story(cloud)
    network = cloud.network()
    cloud.subnet(network, "10.1.0.0/24")
    sub = cloud.port(network)
    cloud.trunk(story.port, {"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": 7})
    story.move("hv2")
    told = Tracked(17, sub["fixed_ips"][0]["ip_address"], OUTSIDE, 1, 2)
    with cloud.store.write() as tx:
        moving.left(tx, "hv1", sub["id"], [told])
    found: Object = cloud.get("ports", sub)
    port = objects.port(found)
    assert port is not None
    assert port.moved is not None
    assert port.moved.connections == (told,)
