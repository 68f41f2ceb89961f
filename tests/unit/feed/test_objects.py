"""Rows as the API shows them, to what a node is told: no more than it needs, and nothing it could not read."""

from typing import Any

import msgspec
import pytest

from netweft.feed import objects
from netweft.model import AddressPair, FixedIp, Network, Node, Peer, Port, Segment, Subnet
from netweft.wire import messages as wire

PORT: dict[str, Any] = {
    "id": "p1",
    "name": "web of a customer",
    "project_id": "secret",
    "network_id": "n1",
    "mac_address": "fa:16:3e:00:00:01",
    "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.3"}, {"subnet_id": "s2", "ip_address": "fd00::3"}],
    "admin_state_up": True,
    "port_security_enabled": False,
    "allowed_address_pairs": [{"ip_address": "10.9.0.0/16", "mac_address": "fa:16:3e:00:00:01"}],
    "security_groups": ["g1"],
    "binding:host_id": "hv1",
    "binding:profile": {},
    "status": "ACTIVE",
    "tags": [],
}
NETWORK = {"id": "n1", "name": "net", "admin_state_up": True, "mtu": 1450, "shared": False, "subnets": ["s1"]}


def test_a_port() -> None:
    assert objects.port(PORT) == Port(
        id="p1",
        network_id="n1",
        mac_address="fa:16:3e:00:00:01",
        fixed_ips=(FixedIp("s1", "10.0.0.3"), FixedIp("s2", "fd00::3")),
        port_security_enabled=False,
        allowed_address_pairs=(AddressPair("10.9.0.0/16", "fa:16:3e:00:00:01"),),
        security_groups=("g1",),
        host_id="hv1",
    )


def test_a_peer_is_its_addresses_and_its_place_and_no_more() -> None:
    peer = objects.peer(PORT)
    assert peer == Peer(
        id="p1",
        network_id="n1",
        mac_address="fa:16:3e:00:00:01",
        ip_addresses=("10.0.0.3", "fd00::3"),
        host_id="hv1",
    )
    frame = wire.encode(wire.Delta(revision=1, upserts=(peer,)))
    assert b"secret" not in frame
    assert b"customer" not in frame


@pytest.mark.parametrize("host", ["", None])
def test_an_unbound_port_is_nobodys_peer(host: str | None) -> None:
    assert objects.peer({**PORT, "binding:host_id": host}) is None


@pytest.mark.parametrize(
    ("row", "segments"),
    [
        ({}, ()),
        ({"provider:network_type": "vxlan", "provider:segmentation_id": 7}, (Segment("vxlan", None, 7),)),
        (
            {
                "provider:network_type": "flat",
                "provider:physical_network": "physnet1",
                "provider:segmentation_id": None,
            },
            (Segment("flat", "physnet1"),),
        ),
        (
            {
                "segments": [
                    {"provider:network_type": "vlan", "provider:physical_network": "a", "provider:segmentation_id": 5},
                    {"provider:network_type": "vxlan", "provider:segmentation_id": 6},
                ]
            },
            (Segment("vlan", "a", 5), Segment("vxlan", None, 6)),
        ),
    ],
)
def test_a_network_and_its_segments(row: dict[str, Any], segments: tuple[Segment, ...]) -> None:
    assert objects.network({**NETWORK, **row}) == Network(id="n1", name="net", mtu=1450, segments=segments)


@pytest.mark.parametrize("asked", [None, False, True])
def test_a_network_is_vlan_transparent_only_if_somebody_asked(asked: bool | None) -> None:
    assert objects.network({**NETWORK, "vlan_transparent": asked}).vlan_transparent is bool(asked)


def test_a_subnet() -> None:
    row = {
        "id": "s1",
        "network_id": "n1",
        "ip_version": 6,
        "cidr": "fd00::/64",
        "gateway_ip": None,
        "enable_dhcp": False,
    }
    more = {"allocation_pools": [{"start": "fd00::2", "end": "fd00::9"}], "dns_nameservers": []}
    assert objects.subnet(row | more) == Subnet(
        id="s1", network_id="n1", ip_version=6, cidr="fd00::/64", enable_dhcp=False
    )


def test_a_node_is_made_of_its_agent() -> None:
    facts = {"tunnel_ip": "192.0.2.1", "tunnel_types": ["vxlan", "gre"], "bridge_mappings": {"physnet1": "br-eth1"}}
    row = {"id": "a1", "host": "hv1", "agent_type": "Open vSwitch agent", "configurations": facts}
    assert objects.node(row) == Node(name="hv1", tunnel_ip="192.0.2.1", tunnel_types=("vxlan", "gre"))
    assert objects.node({**row, "configurations": {}}) == Node(name="hv1")
    assert objects.node({**row, "agent_type": "Linux bridge agent"}) == objects.node(row)
    assert objects.node({**row, "agent_type": "DHCP agent"}) is None


@pytest.mark.parametrize("wrong", [{"mac_address": None}, {"fixed_ips": "none"}, {"network_id": 7}])
def test_what_an_agent_could_not_read_is_an_error_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        objects.port({**PORT, **wrong})
