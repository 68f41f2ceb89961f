"""What `netweft import` has made of a real Neutron's database works: nodes come, its VMs are plugged in, and each is
wired, answered, guarded, routed and reached by its floating IP."""

import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.test_scenarios import flow_lines

from netweft.control.l2 import binding
from netweft.dataplane.ovsdb.rows import Vif
from netweft.feed.interest import Interest
from netweft.feed.reader import StoreReader
from netweft.importing import neutron_db
from netweft.importing.run import taken_over
from netweft.model import NodeFacts, Port, PortState, PortStatus, key_of, view_of
from netweft.services.l2.local_vlans import ROUTER_ZONES, LocalVlans
from netweft.services.pipeline import INT, TUN
from netweft.services.rendering import Rendering
from netweft.services.values import HostFacts, Lease, Link, Uplinks
from netweft.settings import ServerSettings
from netweft.store import Store

RECORDED = Path(__file__).parents[2] / "importing" / "neutron.sql"
MAPPINGS = {"physnet1": "br-eth1", "public": "br-ex"}
NODES: Mapping[str, tuple[str, ...]] = {"node1": ("vm1", "open"), "node2": ("vm2", "inside", "parent")}


@pytest.fixture
def region(store: Store, url: str, tmp_path: Path) -> Iterator[Store]:
    """Imported, with ports where VMs would have them, and two nodes that have come since."""
    file = tmp_path / "neutron.db"
    with sqlite3.connect(file) as database:
        database.executescript(RECORDED.read_text())
        for host, names in NODES.items():
            for name in names:
                database.execute(
                    "UPDATE ml2_port_bindings SET host = ? WHERE port_id = (SELECT id FROM ports WHERE name = ?)",
                    (host, name),
                )
    wires: dict[str, Any] = {"vlan_ranges": ("physnet1",), "flat_networks": ("public",)}
    settings = ServerSettings(database=url, state_dir=str(tmp_path / "state"), **wires)
    outcomes = taken_over(neutron_db.read(f"sqlite:///{file}"), settings, dry_run=False)
    assert [one for one in outcomes if one.state == "refused"] == []
    for number, node in enumerate(NODES, 1):
        facts = NodeFacts(tunnel_ip=f"192.0.2.{number}", tunnel_types=("vxlan",), bridge_mappings=MAPPINGS)
        store.run(partial(binding.node_connected, node=node, facts=facts))
    yield store


def rendered(store: Store, node: str) -> tuple[list[Port], Rendering]:
    """The ports of the node, each plugged in, and what it makes of them."""
    number = list(NODES).index(node) + 1
    with store.read() as tx:
        found = Interest().follow(StoreReader(tx), [node])[node].values()
    objects = [one for one in found if one is not None]
    facts = HostFacts(name=node, tunnel_ip=f"192.0.2.{number}", underlay="eth0", bridge_mappings=MAPPINGS)
    rendering = Rendering(facts, LocalVlans(1, 4094), LocalVlans(*ROUTER_ZONES))
    ways = {name: Link(near=at, far=1) for at, name in enumerate(MAPPINGS, 2)}
    rendering.set_uplinks(Uplinks(tun=Link(near=1, far=1), physical=ways, overlays={"vxlan": 2}))
    view = view_of(node, 1, objects)
    rendering.update(view, [key_of(one) for one in objects], ())
    ports = sorted(view.ports.values(), key=lambda port: port.id)
    for at, port in enumerate(ports, 10):
        rendering.plug(port.id, Vif(iface_id=port.id, port_name=f"tap{at}", name=f"tap{at}", ofport=at))
    rendering.refresh()
    return ports, rendering


@pytest.mark.parametrize(
    ("node", "words"),
    # vm1's floating IP and what its group lets in; the router's address on the network that they share
    [("node1", ("203.0.113.50", "tp_dst=22", "tp_dst=80", "arp_tpa=10.0.1.1,")), ("node2", ("arp_tpa=10.0.1.1,",))],
)
def test_each_vm_is_wired_answered_and_guarded(region: Store, node: str, words: tuple[str, ...]) -> None:
    ports, rendering = rendered(region, node)
    items = list(rendering.desired.values())
    statuses = {one.port_id: one for one in items if isinstance(one, PortStatus)}
    assert len(ports) >= len(NODES[node])
    assert {id: (one.state, one.detail) for id, one in statuses.items()} == {
        port.id: (PortState.UP if port.admin_state_up else PortState.DOWN, "") for port in ports
    }
    flows, tunnels = "".join(flow_lines(items, INT.role)), "".join(flow_lines(items, TUN.role))
    leases = [item.port.id for item in items if isinstance(item, Lease)]
    for port in (one for one in ports if one.admin_state_up):
        assert port.mac_address.lower() in flows
        assert all(fixed.ip_address in flows for fixed in port.fixed_ips)
        assert port.id in leases
    assert "192.0.2." in tunnels
    assert f"0x{1713:x}" in tunnels or f"0x{2994:x}" in tunnels  # the VNIs that Neutron had

    assert [word for word in words if word not in flows] == []
    assert "arp_tpa=10.0.2.1," not in flows  # of a router that was switched off, and is
