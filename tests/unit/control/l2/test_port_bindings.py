"""Several bindings of one port: one is active, the others are wired ahead, and activation swaps them."""

import pytest

from netweft.control.l2 import binding, placing, port_bindings
from netweft.control.l2.port_bindings import (
    PortBindingAlreadyActive,
    PortBindingAlreadyExists,
    PortBindingError,
    PortBindingNotFound,
)
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.store import Object

from ..conftest import Cloud

HOST = "binding:host_id"


class Bindings:
    """Of one port; each call is one transaction."""

    def __init__(self, cloud: Cloud, port: Object) -> None:
        self.cloud = cloud
        self.id = port["id"]

    @property
    def port(self) -> Object:
        return self.cloud.get("ports", {"id": self.id})

    def create(self, host: str, **values: object) -> Object:
        with self.cloud.store.write() as tx:
            return port_bindings.create(tx, tx.lock_many("ports", [self.id])[self.id], {"host": host} | values)

    def update(self, host: str, **changes: object) -> Object:
        with self.cloud.store.write() as tx:
            return port_bindings.update(tx, tx.lock_many("ports", [self.id])[self.id], host, changes)

    def activate(self, host: str) -> Object:
        with self.cloud.store.write() as tx:
            return port_bindings.activate(tx, tx.lock_many("ports", [self.id])[self.id], host)

    def delete(self, host: str) -> None:
        with self.cloud.store.write() as tx:
            port_bindings.delete(tx, tx.lock_many("ports", [self.id])[self.id], host)

    def report(self, host: str, state: PortState = PortState.UP, detail: str = "") -> dict[str, str]:
        with self.cloud.store.write() as tx:
            return binding.report_ports(tx, host, [PortStatus(self.id, state, detail)], False)

    def unplug_all(self, host: str) -> None:
        with self.cloud.store.write() as tx:
            binding.report_ports(tx, host, [], True)

    def shown(self) -> dict[str, str]:
        return {each["host"]: each["status"] for each in port_bindings.every(self.port)}

    def claims(self, host: str) -> list[str]:
        with self.cloud.store.read() as tx:
            return list(tx.held(placing.scope(host)))


@pytest.fixture
def bindings(cloud: Cloud) -> Bindings:
    for number, node in enumerate(("hv1", "hv2", "hv3"), 1):
        with cloud.store.write() as tx:
            binding.node_connected(tx, node, NodeFacts(tunnel_ip=f"192.0.2.{number}"))
    return Bindings(cloud, cloud.port(cloud.network(), **{HOST: "hv1"}))


def test_a_second_binding_is_inactive_and_changes_nothing_else(bindings: Bindings) -> None:
    bindings.report("hv1")
    before = bindings.port
    made = bindings.create("hv2", profile={"migrating_to": "hv2"})
    assert (made["status"], made["vif_type"], made["profile"]) == ("INACTIVE", "ovs", {"migrating_to": "hv2"})
    assert bindings.shown() == {"hv1": "ACTIVE", "hv2": "INACTIVE"}
    after = bindings.port
    assert all(after[name] == before[name] for name in (HOST, "status", "binding:profile", "binding:vif_details"))
    assert bindings.claims("hv2") == [bindings.id]


def test_the_first_binding_of_a_port_is_active(bindings: Bindings) -> None:
    bindings.delete("hv1")
    assert (bindings.port["binding:vif_type"], bindings.shown()) == ("unbound", {})
    assert bindings.create("hv2")["status"] == "ACTIVE"
    assert bindings.port[HOST] == "hv2"


@pytest.mark.parametrize("plugged", [True, False])
def test_activation_swaps_and_knows_what_the_host_said(bindings: Bindings, plugged: bool) -> None:
    bindings.report("hv1")
    bindings.create("hv2", profile={"a": 1})
    if plugged:
        assert bindings.report("hv2") == {}
    assert bindings.port["status"] == "ACTIVE"
    assert bindings.activate("hv2")["status"] == "ACTIVE"
    port = bindings.port
    assert (port[HOST], port["status"]) == ("hv2", "ACTIVE" if plugged else "DOWN")
    assert port["binding:profile"] == {"a": 1}
    assert bindings.shown() == {"hv2": "ACTIVE", "hv1": "INACTIVE"}
    assert (bindings.claims("hv1"), bindings.claims("hv2")) == ([bindings.id], [])
    bindings.report("hv1", PortState.DOWN)
    assert bindings.port["status"] == ("ACTIVE" if plugged else "DOWN")
    bindings.delete("hv1")
    assert (bindings.shown(), bindings.claims("hv1")) == ({"hv2": "ACTIVE"}, [])


def test_a_host_that_lost_its_plug_says_so_before_activation(bindings: Bindings) -> None:
    bindings.create("hv2")
    bindings.report("hv2")
    bindings.unplug_all("hv2")
    bindings.activate("hv2")
    assert bindings.port["status"] == "DOWN"


def test_hosts_without_a_binding_are_denied(bindings: Bindings) -> None:
    bindings.create("hv2")
    assert bindings.report("hv3") == {bindings.id: "plugged in on hv3, but bound to hv1"}


def test_refusals(bindings: Bindings) -> None:
    bindings.create("hv2")
    for host in ("hv1", "hv2"):
        with pytest.raises(PortBindingAlreadyExists):
            bindings.create(host)
    with pytest.raises(PortBindingAlreadyActive):
        bindings.activate("hv1")
    for act in (bindings.activate, bindings.delete, bindings.update):
        with pytest.raises(PortBindingNotFound):
            act("hv3")
    with pytest.raises(PortBindingError, match="no agent has connected from host hv9 yet"):
        bindings.create("hv9")
    assert bindings.shown() == {"hv1": "ACTIVE", "hv2": "INACTIVE"}


def test_each_binding_has_its_own_profile(bindings: Bindings) -> None:
    bindings.create("hv2")
    assert bindings.update("hv2", profile={"b": 2})["profile"] == {"b": 2}
    assert bindings.port["binding:profile"] == {}
    assert bindings.update("hv1", profile={"c": 3})["profile"] == {"c": 3}
    assert bindings.port["binding:profile"] == {"c": 3}
    assert bindings.update("hv2", profile=None)["profile"] == {}


def test_naming_the_host_moves_the_port_there_and_off_the_other(bindings: Bindings) -> None:
    bindings.create("hv2")
    bindings.create("hv3")
    bindings.report("hv2")
    bindings.cloud.update("ports", bindings.port, **{HOST: "hv2"})
    assert bindings.shown() == {"hv2": "ACTIVE", "hv3": "INACTIVE"}
    assert bindings.port["status"] == "ACTIVE"


def test_a_deleted_port_leaves_no_binding(bindings: Bindings) -> None:
    bindings.create("hv2")
    bindings.cloud.delete("ports", bindings.port)
    assert bindings.claims("hv2") == []


def test_an_inactive_binding_follows_what_its_node_can_do(bindings: Bindings) -> None:
    bindings.create("hv2")
    with bindings.cloud.store.write() as tx:
        binding.node_connected(tx, "hv2", NodeFacts())
    assert port_bindings.one(bindings.port, "hv2")["vif_type"] == "binding_failed"
    with bindings.cloud.store.write() as tx:
        binding.node_connected(tx, "hv2", NodeFacts(tunnel_ip="192.0.2.2"))
    assert port_bindings.one(bindings.port, "hv2")["vif_type"] == "ovs"
    assert bindings.port["binding:vif_type"] == "ovs"
