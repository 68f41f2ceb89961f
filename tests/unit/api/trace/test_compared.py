"""What is found on nodes that a packet passes."""

import pytest

from netweft.api.resources.trace.compared import _of_uplink
from netweft.api.resources.trace.nodes import Looked
from netweft.testing import region as made
from netweft.testing.explained import rows_of, seen
from netweft.testing.region import Region
from netweft.wire.queries import Answer, Ask, Exit, Interface


@pytest.mark.parametrize(
    ("link", "mtu", "code"),
    [("up", 1600, None), ("down", 1600, "uplink-link-down"), ("up", 1400, "uplink-mtu-too-small")],
)
def test_the_nic_under_a_tunnel_of_the_kernels(link: str, mtu: int, code: str | None) -> None:
    """It counts, not the tunnel's own device, which is always up and takes all."""
    region, net = Region(nodes=1), made.network(1)
    region.create(net, made.port(1, net))
    rows = seen(rows_of(region))
    (port,) = rows.rows["ports"]
    out = Exit(kind="tunnel", interface="vxlan_sys_4789", nic="eth0", tunnel="192.0.2.2", key=1)
    devices = Interface(name="vxlan_sys_4789", link="up", mtu=65000), Interface(name="eth0", link=link, mtu=mtu)
    looked = Looked("hv1", Ask(id="1", port_id=port), Answer(id="1", exits=(out,), interfaces=devices))
    found = [(one.code.code, one.told.detail) for one in _of_uplink(rows, looked, out)]
    assert [name for name, _ in found] == ([code] if code else [])
    assert all(detail.startswith("eth0 on hv1") for _, detail in found)
