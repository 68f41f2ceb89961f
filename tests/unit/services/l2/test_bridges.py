"""The ports that carry overlays."""

import pytest

from netweft.dataplane.ovsdb.rows import PortRow
from netweft.services.l2.bridges import host_rows
from netweft.services.values import BY_OVS, HostFacts, Uplinks


@pytest.mark.parametrize("datapath", ["system", "netdev"])
@pytest.mark.parametrize(
    ("tunnel_ip", "types"), [("192.0.2.1", {"vxlan", "gre", "geneve"}), ("2001:db8::1", {"vxlan", "ip6gre", "geneve"})]
)
def test_gre_over_ipv6_has_a_type_of_its_own(tunnel_ip: str, types: set[str], datapath: str) -> None:
    host = HostFacts(tunnel_ip=tunnel_ip, tunnel_types=BY_OVS, datapath_type=datapath)
    rows = [row for row in host_rows(host, Uplinks()) if isinstance(row, PortRow) and row.name.endswith("-overlay")]
    assert {row.type for row in rows} == types
    assert {row.name for row in rows} == {f"{kind}-overlay" for kind in BY_OVS}
