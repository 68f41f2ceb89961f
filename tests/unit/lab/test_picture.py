"""The pictures at the end of the demo."""

from dataclasses import replace

from netweft.lab.picture import WIDTH, PhysicalLeg, Plug, TunnelLeg, draw_physical, draw_tunnel

PLUG = Plug(
    vm="web1",
    address="10.5.5.12",
    mac="fa:16:3e:00:00:01",
    namespace="nw-demo-hv1",
    vif="tap01234567-89",
    tag=7,
    patch=("patch-tun", "patch-int"),
)
LEFT = TunnelLeg(plug=PLUG, tunnel_port="vxlan", tunnel_ip="198.18.0.1", uplink="br-phy + eth0")
OTHER = replace(PLUG, vm="web2", address="10.5.5.99", tag=3, vif="tapfedcba98-76")
RIGHT = replace(LEFT, plug=OTHER, tunnel_ip="198.18.0.2")
TAGGED = PhysicalLeg(
    plug=replace(PLUG, patch=("int-br-eth1", "phy-br-eth1")),
    network="physnet1",
    bridge="br-eth1",
    nic="eth1",
    vlan=100,
    switch="switch1",
    host="printer",
    host_address="10.6.6.9",
)
FLAT = replace(TAGGED, plug=OTHER, network="public", bridge="br-ex", nic="eth2", vlan=0, switch="switch2")


def test_it_shows_every_value_of_both_sides() -> None:
    picture = draw_tunnel(LEFT, RIGHT, 4711)
    for leg in (LEFT, RIGHT):
        plug = leg.plug
        for value in (plug.vm, plug.address, plug.mac, plug.namespace, plug.vif, f"tag {plug.tag}", *plug.patch):
            assert value in picture
        assert leg.tunnel_ip in picture
    assert picture.count("VNI 4711") == 3


def test_it_fits_a_terminal_and_its_lines_meet() -> None:
    lines = draw_tunnel(LEFT, RIGHT, 16777215).splitlines()
    assert max(map(len, lines)) <= WIDTH
    above, wire = lines[-2:]
    assert above.index("▼") == wire.index("└")
    assert above.index("▲") == wire.index("┘")


def test_physical_networks_tagged_and_untagged() -> None:
    picture = draw_physical(TAGGED, FLAT)
    assert max(map(len, picture.splitlines())) <= WIDTH
    for value in (
        "br-eth1",
        "tag 7 ⇄ VLAN 100",
        "int-br-eth1 ══ phy-br-eth1",
        "eth1 ── switch1",
        "host printer",
        "10.6.6.9",
    ):
        assert value in picture
    for value in ("br-ex", "tag 3 ⇄ untagged", "physical network public", "eth2 ── switch2"):
        assert value in picture
