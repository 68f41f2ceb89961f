"""Conntrack helpers of a router: which of its connections are tracked with one, on the node with its gateway."""

from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import B1, B2, FLOATING, R2, SOMEBODY, R, region, sent

from netweft.dataplane.openflow.flow import Ct, Nat
from netweft.model import ConntrackHelper
from netweft.services.addresses import prefix
from netweft.services.pipeline import INT
from netweft.testing.region import Region

__all__ = ["region"]
FTP, TFTP = ConntrackHelper("ftp", "tcp", 21), ConntrackHelper("tftp", "udp", 69)
HELPED = replace(R, helpers=(FTP, TFTP))
SNAT = prefix("203.0.113.5").value


def tracked(region: Region, node: str = "hv1") -> list[tuple[str, dict[str, object], Ct]]:
    """The flows that track with a helper: table, what they match, how."""
    names = {INT[name].id: name for name in ("from_outside", "to_outside")}
    return [
        (names[flow.table], {name: value for name, value, _ in flow.match}, action)
        for flow in region.nodes[node].bridges["int"].flows.values()
        for action in flow.actions
        if isinstance(action, Ct) and action.alg
    ]


def test_both_ways_by_snat(region: Region) -> None:
    region.create(HELPED)
    region.settle()
    found = tracked(region)
    ways = [("from_outside", "ftp", False), ("to_outside", "ftp", True), ("to_outside", "tftp", True)]
    assert sorted((table, ct.alg, ct.commit) for table, _, ct in found) == ways
    for table, match, ct in found:
        port = 21 if ct.alg == "ftp" else 69
        name = "tcp" if ct.alg == "ftp" else "udp"
        end = "dst" if table == "to_outside" else "src"
        assert match[f"{name}_{end}"] == port
        assert ct.nat == (Nat(src=SNAT) if table == "to_outside" else Nat())
        assert (match.get("ipv4_dst") == SNAT) == (table == "from_outside")
    assert tracked(region, "hv2") == []


def test_what_is_called_back_is_committed(region: Region) -> None:
    region.create(HELPED)
    region.settle()
    flows = region.nodes["hv1"].bridges["int"].flows.values()
    (called,) = [flow for flow in flows if flow.table == INT["translated"].id and "commit" in str(flow)]
    assert ("ct_state", 0x25, 0x25) in called.match


def test_ports_without_helpers_go_out_as_before(region: Region) -> None:
    region.create(HELPED)
    region.settle()
    for frm in (B1, B2, R2):
        for port in (53, 69):
            (packet,) = sent(region, frm, SOMEBODY, udp_dst=port)
            assert packet["ipv4_src"] == SNAT


def test_none_where_nothing_is_translated(region: Region) -> None:
    region.create(replace(HELPED, enable_snat=False))
    region.settle()
    assert tracked(region) == []
    region.create(replace(HELPED, admin_state_up=False))
    region.settle()
    assert tracked(region) == []


def test_taken_away(region: Region) -> None:
    region.create(HELPED)
    region.settle()
    region.create(R)
    region.settle()
    assert tracked(region) == []
    region.create(FLOATING)
    region.settle()
    assert sent(region, B2, SOMEBODY)[0]["ipv4_src"] == prefix("203.0.113.50").value
