"""A router's port is on every host and bound to none, whatever a node says is plugged in there."""

import pytest
from tests.unit.control.conftest import Cloud

from netweft.control.l2 import binding, port_bindings
from netweft.control.l3.attached import Requester
from netweft.control.l3.errors import PortOnEveryHost
from netweft.control.l3.floating_ips import FloatingIPs
from netweft.control.l3.routers import Routers
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.store import Object

HOST = "binding:host_id"
ADMIN = Requester("p", is_admin=True)


@pytest.fixture
def interface(cloud: Cloud) -> Object:
    routers = Routers(cloud.ports)
    subnet = cloud.subnet(cloud.network(), "10.0.0.0/24")
    with cloud.store.write() as tx:
        (router,) = routers.create(tx, [{"project_id": "p", "admin_state_up": True}])
        told = routers.interfaces.add(tx, router, ADMIN, {"subnet_id": subnet["id"]})
    return cloud.get("ports", {"id": told["port_id"]})


def test_a_node_that_has_it_plugged_in_does_not_get_it(cloud: Cloud, interface: Object) -> None:
    with cloud.store.write() as tx:
        binding.node_connected(tx, "hv1", NodeFacts(tunnel_ip="192.0.2.1"))
    for complete in (False, True):
        for state in (PortState.UP, PortState.DOWN):
            with cloud.store.write() as tx:
                denied = binding.report_ports(tx, "hv1", [PortStatus(interface["id"], state)], complete)
            assert list(denied) == ([interface["id"]] if state is PortState.UP else [])
            after = cloud.get("ports", interface)
            assert (after[HOST], after["status"]) == ("", "ACTIVE")


def test_it_is_not_bound(cloud: Cloud, interface: Object) -> None:
    with cloud.store.write() as tx:
        binding.node_connected(tx, "hv1", NodeFacts(tunnel_ip="192.0.2.1"))
    with cloud.store.write() as tx:
        locked = tx.lock("ports", interface["id"])
        assert locked
        with pytest.raises(PortOnEveryHost):
            port_bindings.create(tx, locked, {"host": "hv1"})


def test_a_port_that_was_plugged_in_becomes_an_interface(cloud: Cloud) -> None:
    """It is unbound; the node that has it plugged in still does not get it back."""
    routers = Routers(cloud.ports)
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/24")
    port = cloud.port(network)
    with cloud.store.write() as tx:
        binding.node_connected(tx, "hv1", NodeFacts(tunnel_ip="192.0.2.1"))
    with cloud.store.write() as tx:
        assert not binding.report_ports(tx, "hv1", [PortStatus(port["id"], PortState.UP)], False)
    assert cloud.get("ports", port)[HOST] == "hv1"
    with cloud.store.write() as tx:
        (router,) = routers.create(tx, [{"project_id": "p", "admin_state_up": True}])
        routers.interfaces.add(tx, router, ADMIN, {"port_id": port["id"]})
    for state in (PortState.UP, PortState.DOWN, PortState.UP):
        with cloud.store.write() as tx:
            binding.report_ports(tx, "hv1", [PortStatus(port["id"], state, anew=True)], False)
        after = cloud.get("ports", port)
        assert (after[HOST], after["status"]) == ("", "ACTIVE")


def test_a_floating_ips_status_is_down(cloud: Cloud) -> None:
    network = cloud.network(**{"router:external": True})
    cloud.subnet(network, "192.0.2.0/24")
    wanted = {"project_id": "p", "floating_network_id": network["id"]}
    with cloud.store.write() as tx:
        (made,) = FloatingIPs(cloud.ports).create(tx, [wanted])
    assert (made["status"], made["floating_ip_address"]) == ("DOWN", "192.0.2.2")
