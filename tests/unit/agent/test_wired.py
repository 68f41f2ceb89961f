"""By what a network leaves its node: the names of the interfaces, as the agent looks for them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from netweft.agent.queries.wiring import _names
from netweft.dataplane.ovsdb.view import OvsView
from netweft.model import Network, Port, Segment
from netweft.services.values import LocalNetwork, LocalPort
from netweft.settings import AgentSettings

SETTINGS = AgentSettings(bridge_mappings=("physnet1:br-eth1",))
NICS = {"br-eth1": ["eth1"], "br-phy": ["eth0"]}
PATCHES = ("patch-tun", "patch-int", "int-br-eth1", "phy-br-eth1")


def names(type: str, physical: str | None, *there: str, settings: AgentSettings = SETTINGS) -> Any:
    segment = Segment(type, physical, 7)
    network = LocalNetwork(network=Network(id="n", segments=(segment,)), vlan=3, segment=segment)
    port = Port(id="p", network_id="n", mac_address="fa:16:3e:00:00:01")
    here = LocalPort(port=port, network=network, port_name="tap", ofport=5)
    view = SimpleNamespace(
        nics=lambda bridge: [SimpleNamespace(name=name) for name in NICS.get(bridge, [])],
        interface=lambda name: object() if name in there else None,
    )
    return _names(cast(Any, SimpleNamespace(settings=settings)), cast(OvsView, view), here)


@pytest.mark.parametrize(
    ("type", "physical", "bridge", "link", "out", "uplinks"),
    [
        ("vxlan", None, "br-tun", ("patch-tun", "patch-int"), ("vxlan-overlay",), ("eth0",)),
        ("geneve", None, "br-tun", ("patch-tun", "patch-int"), ("geneve-overlay",), ("eth0",)),
        ("vlan", "physnet1", "br-eth1", ("int-br-eth1", "phy-br-eth1"), ("eth1",), ()),
        ("flat", "physnet1", "br-eth1", ("int-br-eth1", "phy-br-eth1"), ("eth1",), ()),
        ("flat", "physnet2", "", (), (), ()),
        ("local", None, "", (), (), ()),
    ],
)
def test_the_way_out(
    type: str, physical: str | None, bridge: str, link: tuple[str, ...], out: tuple[str, ...], uplinks: tuple[str, ...]
) -> None:
    underlay = "br-phy" if uplinks else ""
    assert names(type, physical, *PATCHES) == (bridge, link, out, uplinks, underlay)


def test_the_nic_that_we_have_put_into_the_underlays_bridge_is_one() -> None:
    ours = AgentSettings(underlay="eth9", tunnel_ip="192.0.2.1")
    assert names("vxlan", None, "eth9", settings=ours).uplinks == ("eth0", "eth9")
    assert names("vxlan", None, settings=ours).uplinks == ("eth0",)


def test_where_the_tunnel_address_is_on_a_nic_it_is_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NICS, "br-phy", [])
    loopback = AgentSettings(tunnel_ip="127.0.0.1")
    assert names("vxlan", None, settings=loopback)[3:] == (("lo",), "")


def test_by_veth_and_by_nothing_yet() -> None:
    assert names("vxlan", None, "veth-tun", "veth-int").link == ("veth-tun", "veth-int")
    assert names("vlan", "physnet1", "vint-br-eth1", "vphy-br-eth1").link == ("vint-br-eth1", "vphy-br-eth1")
    assert names("vxlan", None, "patch-tun").link == ()
