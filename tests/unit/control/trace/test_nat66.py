"""NAT66 in a trace: unique local addresses leave as the gateway's, and nothing else comes in for them."""

import pytest
from tests.unit.control.trace.faults import ways
from tests.unit.services.l3.gateways.test_nat66 import (
    B1,
    BLUE,
    FAR,
    G1,
    GREEN,
    OUTSIDE,
    SNAT,
    TO_BLUE,
    TO_GREEN,
    own_address,
)
from tests.unit.services.l3.gateways.test_nat66 import region as region

from netweft.control.trace.packet import UDP, Packet
from netweft.control.trace.way import Way
from netweft.model import Port
from netweft.testing.explained import Rows, rows_of
from netweft.testing.region import Region


@pytest.fixture
def rows(region: Region) -> Rows:
    found = rows_of(region)
    for row in found["networks"].values():
        row |= {"router:external": row["id"] == OUTSIDE.id, "mtu": 1500}
    for network, router in ((BLUE, TO_BLUE), (GREEN, TO_GREEN)):
        found["subnets"][f"{network.id[:8]}-6"]["gateway_ip"] = router.fixed_ips[-1].ip_address
    return found


def out(rows: Rows, frm: Port) -> tuple[Way, Way | None]:
    return ways(rows, frm.id, Packet(own_address(frm), FAR, UDP, 1000, 53))


def codes(way: Way | None) -> list[str]:
    return [finding.code.code for finding in way.findings if finding.code.blocks] if way else []


def test_out_and_back(rows: Rows) -> None:
    there, back = out(rows, B1)
    assert (there.end, codes(there), there.packet.src) == ("outside", [], SNAT)
    assert any(step.does == f"NAT66: makes {SNAT} of {own_address(B1)}" for step in there.steps)
    assert back is not None
    assert (codes(back), back.packet.dst) == ([], own_address(B1))


@pytest.mark.parametrize("without", ["nat66", "snat", "unique local"])
def test_as_it_is(rows: Rows, without: str) -> None:
    if without == "nat66":
        rows["networks"][OUTSIDE.id]["netweft:nat66"] = False
    elif without == "snat":
        for router in rows["routers"].values():
            router["external_gateway_info"] |= {"enable_snat": False}
    frm = G1 if without == "unique local" else B1
    there, _ = out(rows, frm)
    assert there.packet.src == own_address(frm)


@pytest.mark.parametrize("outside, inside", [(None, None), ("a", "a"), ("a", "b"), ("a", None), (None, "a")])
def test_scopes(rows: Rows, outside: str | None, inside: str | None) -> None:
    rows["networks"][OUTSIDE.id]["ipv6_address_scope"] = outside
    for network in (BLUE, GREEN):
        rows["networks"][network.id]["ipv6_address_scope"] = inside
    there, back = out(rows, B1)
    as_it_is = outside is not None and outside == inside
    assert there.packet.src == (own_address(B1) if as_it_is else SNAT)
    assert codes(there) == codes(back) == []
    there, _ = out(rows, G1)
    assert codes(there) == ([] if outside == inside else ["address-scopes-differ"])


@pytest.mark.parametrize("to, wanted", [(B1, ["not-reached-from-outside"]), (G1, [])])
def test_from_outside(rows: Rows, to: Port, wanted: list[str]) -> None:
    there, _ = ways(rows, "", Packet(FAR, own_address(to), UDP, 1000, 53), to.id)
    assert codes(there) == wanted
