"""The picture at the end of the demo."""

from dataclasses import replace

from netweft.lab.picture import WIDTH, Leg, draw

LEFT = Leg(
    vm="web1",
    address="10.5.5.12",
    mac="fa:16:3e:00:00:01",
    node="hv1",
    namespace="nw-demo-hv1",
    tap="tap01234567-89",
    tag=7,
    patch=("patch-tun", "patch-int"),
    tunnel_port="vxlan",
    tunnel_ip="198.18.0.1",
    uplink="br-phy + eth0",
)
RIGHT = replace(LEFT, vm="web2", address="10.5.5.99", tag=3, tunnel_ip="198.18.0.2", tap="tapfedcba98-76")


def test_it_shows_every_value_of_both_sides() -> None:
    picture = draw(LEFT, RIGHT, 4711)
    for leg in (LEFT, RIGHT):
        for value in (leg.vm, leg.address, leg.mac, leg.node, leg.tap, leg.tunnel_ip, f"tag {leg.tag}", *leg.patch):
            assert value in picture
    assert picture.count("VNI 4711") == 3


def test_it_fits_a_terminal_and_its_lines_meet() -> None:
    lines = draw(LEFT, RIGHT, 16777215).splitlines()
    assert max(map(len, lines)) <= WIDTH
    above, wire = lines[-2:]
    assert above.index("▼") == wire.index("└")
    assert above.index("▲") == wire.index("┘")
