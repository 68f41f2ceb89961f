"""Whatever is bound, activated, moved, plugged in and put into trunks, in whatever order: what is kept in several
places says the same, and a trunk with all its sub-ports is where its port is."""

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from tests.unit.control.conftest import Cloud, MakeCloud, make_cloud

from netweft.control.errors import Refused
from netweft.control.l2 import binding, placing, port_bindings
from netweft.control.l2.hosts import CLAIMED, HOST
from netweft.control.l2.trunks import OWNER, PART_OF
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.store import Object, WriteTransaction

__all__ = ["make_cloud"]
NODES = ("hv1", "hv2", "hv3")
STEPS = 150


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


class World:
    """Six ports, three nodes, and one who does something to them."""

    def __init__(self, cloud: Cloud, random: Random) -> None:
        self.cloud = cloud
        self.random = random
        for number, node in enumerate(NODES, 1):
            with cloud.store.write() as tx:
                binding.node_connected(tx, node, NodeFacts(tunnel_ip=f"192.0.2.{number}"))
        network = cloud.network()
        self.ports = [cloud.port(network)["id"] for _ in range(6)]

    def step(self) -> None:
        acts = [self.bind, self.report, self.add_binding, self.activate, self.drop_binding, self.make_trunk]
        acts += [self.add_sub_port, self.remove_sub_port, self.delete_trunk, self.report]
        with suppress(Refused), self.cloud.store.write() as tx:
            self.random.choice(acts)(tx)

    def any_port(self, tx: WriteTransaction) -> Object:
        return tx.lock_many("ports", self.ports)[self.random.choice(self.ports)]

    def any_node(self) -> str:
        return self.random.choice(NODES)

    def any_trunk(self, tx: WriteTransaction) -> Object | None:
        trunks = sorted(tx.query("trunks"), key=lambda trunk: self.ports.index(trunk["port_id"]))
        return tx.lock("trunks", self.random.choice(trunks)["id"]) if trunks else None

    def bind(self, tx: WriteTransaction) -> None:
        self.cloud.ports.update(tx, self.any_port(tx), {HOST: self.random.choice(["", *NODES])})

    def report(self, tx: WriteTransaction) -> None:
        states = [PortStatus(id, self.random.choice([PortState.UP, PortState.DOWN])) for id in self.ports]
        some = self.random.sample(states, 3)
        binding.report_ports(tx, self.any_node(), some, self.random.random() < 0.3)

    def add_binding(self, tx: WriteTransaction) -> None:
        port_bindings.create(tx, self.any_port(tx), {"host": self.any_node()})

    def activate(self, tx: WriteTransaction) -> None:
        port_bindings.activate(tx, self.any_port(tx), self.any_node())

    def drop_binding(self, tx: WriteTransaction) -> None:
        port_bindings.delete(tx, self.any_port(tx), self.any_node())

    def make_trunk(self, tx: WriteTransaction) -> None:
        wanted = {"project_id": "p", "admin_state_up": True, "sub_ports": [self.sub()]}
        self.cloud.trunks.create(tx, [wanted | {"port_id": self.any_port(tx)["id"]}])

    def add_sub_port(self, tx: WriteTransaction) -> None:
        if trunk := self.any_trunk(tx):
            self.cloud.trunks.add(tx, trunk, [self.sub()])

    def remove_sub_port(self, tx: WriteTransaction) -> None:
        if trunk := self.any_trunk(tx):
            self.cloud.trunks.remove(tx, trunk, [{"port_id": self.random.choice(self.ports)}])

    def delete_trunk(self, tx: WriteTransaction) -> None:
        if trunk := self.any_trunk(tx):
            self.cloud.trunks.delete(tx, trunk)

    def sub(self) -> Object:
        tag = self.random.randint(1, 4094)
        return {"port_id": self.random.choice(self.ports), "segmentation_type": "vlan", "segmentation_id": tag}

    def check(self) -> None:
        with self.cloud.store.read() as tx:
            ports, trunks = tx.get_many("ports", self.ports), {trunk["id"]: trunk for trunk in tx.query("trunks")}
            held = {node: set(tx.held(placing.scope(node)).values()) for node in NODES}
        for node in NODES:
            assert held[node] == {
                (kind, one["id"])
                for kind, all in (("ports", ports), ("trunks", trunks))
                for one in all.values()
                if placing.ahead_on(one, node)
            }
        for port in ports.values():
            assert port[HOST] not in hosts_ahead(port)
            assert port[HOST] or port["status"] == "DOWN"
            assert (port["device_owner"] == OWNER) == bool(port.get(PART_OF))
        for trunk in trunks.values():
            parent = ports[trunk["port_id"]]
            assert parent[placing.TRUNK] == trunk["id"]
            subs = [ports[sub["port_id"]] for sub in trunk["sub_ports"]]
            assert [sub for sub in ports.values() if sub.get(PART_OF) == trunk["id"]] == [
                sub for sub in ports.values() if sub in subs
            ]
            for one in (trunk, *subs):
                assert (one[HOST], hosts_ahead(one)) == (parent[HOST], hosts_ahead(parent))
            assert not any(sub.get(CLAIMED) for sub in subs)


def hosts_ahead(object: Object) -> list[str]:
    return [binding[HOST] for binding in placing.ahead(object)]


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_kept_agrees(make_cloud: MakeCloud, tmp_path: Path, seed: int) -> None:
    world = World(make_cloud(), Random(seed))
    for _ in range(STEPS):
        world.step()
        world.check()
