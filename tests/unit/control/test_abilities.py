"""What a host can wire decides whether a port is bound there; what it cannot says why, and heals by itself."""

import pytest

from netweft.control.l2 import binding
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.store import Object

from .conftest import Cloud, MakeCloud

HOST = "binding:host_id"
PLAIN = NodeFacts(tunnel_ip="192.0.2.1")
FULL = NodeFacts(
    tunnel_ip="192.0.2.1", tunnel_types=("vxlan", "gre"), bridge_mappings={"physnet1": "br-eth1", "public": "br-ex"}
)


def connect(cloud: Cloud, facts: NodeFacts) -> None:
    with cloud.store.write() as tx:
        binding.node_connected(tx, "hv1", facts)


def report(cloud: Cloud, port: Object, state: PortState = PortState.UP, detail: str = "") -> None:
    with cloud.store.write() as tx:
        binding.report_ports(tx, "hv1", [PortStatus(port["id"], state, detail)], False)


def provider(type: str, physical: str | None = None) -> Object:
    return {"provider:network_type": type, "provider:physical_network": physical}


VLAN, FLAT, VXLAN, GENEVE = (
    provider("vlan", "physnet1"),
    provider("flat", "public"),
    provider("vxlan"),
    provider("geneve"),
)


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud(vlan_ranges=("physnet1:100:109",))


@pytest.mark.parametrize(
    ("network", "facts", "why_not"),
    [
        ({"segments": None} | VXLAN, PLAIN, ""),
        (provider("local"), NodeFacts(), ""),
        (VLAN, FULL, ""),
        (FLAT, FULL, ""),
        ({"segments": [GENEVE, VLAN]}, FULL, ""),
        (VXLAN, NodeFacts(), "host hv1 cannot wire vxlan: it has no bridge mappings, and no tunnels"),
        (GENEVE, PLAIN, "host hv1 cannot wire geneve: it has no bridge mappings, and tunnels of type vxlan"),
        (VLAN, PLAIN, "host hv1 cannot wire vlan on physnet1: it has no bridge mappings, and tunnels of type vxlan"),
        (
            {"segments": [GENEVE, provider("flat", "physnet2")]},
            FULL,
            "host hv1 cannot wire geneve or flat on physnet2: "
            "it has bridges for physnet1, public, and tunnels of type vxlan, gre",
        ),
    ],
)
def test_what_a_host_can_wire(cloud: Cloud, network: Object, facts: NodeFacts, why_not: str) -> None:
    connect(cloud, facts)
    port = cloud.port(cloud.network(**network), **{HOST: "hv1"})
    assert (port["binding:vif_type"], port["status_detail"]) == ("binding_failed" if why_not else "ovs", why_not)


def test_a_host_that_nobody_knows(cloud: Cloud) -> None:
    port = cloud.port(cloud.network(), **{HOST: "hv7"})
    assert port["binding:vif_type"] == "binding_failed"
    assert port["status_detail"] == "no agent has connected from host hv7 yet"


def test_it_heals_when_the_host_can(cloud: Cloud) -> None:
    connect(cloud, PLAIN)
    port = cloud.port(cloud.network(**VLAN), **{HOST: "hv1"})
    report(cloud, port, PortState.ERROR)
    assert "cannot wire vlan" in cloud.get("ports", port)["status_detail"]
    connect(cloud, FULL)
    now = cloud.get("ports", port)
    assert (now["binding:vif_type"], now["status_detail"]) == ("ovs", "")
    report(cloud, port)
    assert cloud.get("ports", port)["status"] == "ACTIVE"


def test_it_says_so_when_the_host_can_no_longer(cloud: Cloud) -> None:
    connect(cloud, FULL)
    port = cloud.port(cloud.network(**VLAN))
    report(cloud, port)
    connect(cloud, PLAIN)
    report(cloud, port)
    now = cloud.get("ports", port)
    assert (now["status"], now["binding:vif_type"]) == ("DOWN", "binding_failed")
    assert now["status_detail"].startswith("host hv1 cannot wire vlan on physnet1")


def test_what_the_node_says_of_a_bound_port_outlives_its_coming_back(cloud: Cloud) -> None:
    connect(cloud, FULL)
    port = cloud.port(cloud.network(**VLAN), **{HOST: "hv1"})
    report(cloud, port, PortState.ERROR, "no local VLAN is free on this node")
    connect(cloud, FULL)
    assert cloud.get("ports", port)["status_detail"] == "no local VLAN is free on this node"


def test_a_port_that_is_plugged_in_where_it_cannot_be_wired_is_claimed_and_says_so(cloud: Cloud) -> None:
    connect(cloud, PLAIN)
    port = cloud.port(cloud.network(**VLAN))
    report(cloud, port, PortState.ERROR, "no bridge for physnet1 on this node")
    now = cloud.get("ports", port)
    assert (now[HOST], now["binding:vif_type"], now["status"]) == ("hv1", "binding_failed", "DOWN")
    assert now["status_detail"] == "no bridge for physnet1 on this node"


def test_the_host_of_a_port_that_is_down_is_changed_and_nothing_else_needs_to_be(cloud: Cloud) -> None:
    connect(cloud, PLAIN)
    port = cloud.port(cloud.network(**VLAN), **{HOST: "hv1"})
    moved = cloud.update("ports", port, **{HOST: "hv2"})
    assert moved["status_detail"] == "no agent has connected from host hv2 yet"
    with cloud.store.write() as tx:
        binding.node_connected(tx, "hv2", FULL)
    assert cloud.get("ports", port)["binding:vif_type"] == "ovs"
    freed = cloud.update("ports", port, **{HOST: None})
    assert (freed[HOST], freed["binding:vif_type"], freed["status_detail"]) == ("", "unbound", "")


def test_a_port_keeps_its_profile_wherever_it_is_bound(cloud: Cloud) -> None:
    connect(cloud, PLAIN)
    port = cloud.port(cloud.network(), **{"binding:profile": {"a": 1}, "binding:vnic_type": "normal"})
    for host in ("hv1", "", "hv2"):
        moved = cloud.update("ports", port, **{HOST: host})
        assert (moved["binding:profile"], moved["binding:vnic_type"]) == ({"a": 1}, "normal")
    changed = cloud.update("ports", port, **{HOST: "hv1", "binding:profile": None})
    assert changed["binding:profile"] == {}


def test_an_agents_problems_are_its_status(cloud: Cloud) -> None:
    connect(cloud, NodeFacts(problems=("bridge br-eth1 is not there", "bridge br-ex is not there")))
    with cloud.store.read() as tx:
        (agent,) = tx.query("agents")
    assert agent["status_detail"] == "bridge br-eth1 is not there; bridge br-ex is not there"
    assert "problems" not in agent["configurations"]
    connect(cloud, NodeFacts())
    with cloud.store.read() as tx:
        (agent,) = tx.query("agents")
    assert agent["status_detail"] == ""
