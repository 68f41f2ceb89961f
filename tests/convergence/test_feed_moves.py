"""A move, as the nodes are told of it: wired ahead, activated, gone from where it was."""

from typing import Any

from tests.convergence.feed_events import Put
from tests.convergence.feed_world import Region

from netweft.control.l2.placing import AHEAD
from netweft.feed.interest import Interest, Updates
from netweft.feed.relevance import RowKey
from netweft.model import Key, Object, Peer, Port, Trunk

NODES = ("hv1", "hv2", "hv3")


def row(id: str, host: str, *ahead: str) -> dict[str, Any]:
    bindings = [{"binding:host_id": other} for other in ahead]
    return {"id": id, "network_id": "n", "mac_address": "m", "binding:host_id": host, AHEAD: bindings}


class Story:
    """hv3 has a port of the same network, and one of hv1's moves to hv2."""

    def __init__(self) -> None:
        self.region = Region()
        self.region.write(Put("networks", {"id": "n", "provider:network_type": "vxlan"}))
        self.region.write(Put("ports", row("other", "hv3")))
        self.region.write(Put("ports", row("moving", "hv1")))
        self.interest = Interest()
        self.interest.follow(self.region, NODES)

    def write(self, *puts: Put) -> Updates:
        for put in puts:
            self.region.write(put)
        keys: list[RowKey] = [(put.kind, put.row["id"]) for put in puts]
        return self.interest.advance(self.region, keys)

    def sees(self, node: str) -> tuple[bool | None, str | None]:
        """Whether its own port is active, and where the peer is, of the one that moves."""
        view = self.interest.view(node)
        port, peer = view.get(("port", "moving")), view.get(("peer", "moving"))
        assert port is None or isinstance(port, Port)
        assert peer is None or isinstance(peer, Peer)
        return (port.active if port else None, peer.host_id if peer else None)


def test_a_move() -> None:
    story = Story()
    assert [story.sees(node) for node in NODES] == [(True, None), (None, None), (None, "hv1")]

    ahead = story.write(Put("ports", row("moving", "hv1", "hv2")))
    assert [story.sees(node) for node in NODES] == [(True, None), (False, "hv1"), (None, "hv1")]
    assert ahead.keys() == {"hv2"}
    assert {("network", "n"), ("peer", "other")} <= ahead["hv2"].keys()

    activated = story.write(Put("ports", row("moving", "hv2", "hv1")))
    assert [story.sees(node) for node in NODES] == [(False, "hv2"), (True, None), (None, "hv2")]
    assert kinds(activated["hv3"]) == {("peer", "moving"): True}
    assert kinds(activated["hv2"]) == {("port", "moving"): True, ("peer", "moving"): False}

    left = story.write(Put("ports", row("moving", "hv2")))
    assert [story.sees(node) for node in NODES] == [(None, None), (True, None), (None, "hv2")]
    assert left.keys() == {"hv1"}
    assert not story.interest.view("hv1")


def test_a_trunk_is_where_its_port_is() -> None:
    story = Story()
    subs = [{"port_id": "sub", "segmentation_type": "vlan", "segmentation_id": 7}]
    trunk = {"id": "t", "port_id": "moving", "admin_state_up": True, "sub_ports": subs}
    story.write(Put("trunks", trunk | {"binding:host_id": "hv1", AHEAD: []}), Put("ports", row("sub", "hv1")))
    told = story.interest.view("hv1")["trunk", "t"]
    assert isinstance(told, Trunk)
    assert [(sub.port_id, sub.segmentation_id) for sub in told.sub_ports] == [("sub", 7)]
    assert ("port", "sub") in story.interest.view("hv1")

    moved = [Put("ports", row(id, "hv2")) for id in ("moving", "sub")]
    updates = story.write(*moved, Put("trunks", trunk | {"binding:host_id": "hv2", AHEAD: []}))
    assert kinds(updates["hv1"])["trunk", "t"] is False
    assert kinds(updates["hv2"])["trunk", "t"] is True
    assert not story.interest.view("hv1")


def kinds(update: dict[Key, Object | None]) -> dict[Key, bool]:
    """key -> whether it is there now"""
    return {key: obj is not None for key, obj in update.items()}
