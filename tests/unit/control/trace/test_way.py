"""Where a packet goes by the rows: nothing is said of healthy pairs, and each fault is named, first, for what it is."""

import pytest
from tests.unit.control.trace.faults import (
    AMONG,
    FAULTS,
    HEALTHY,
    ONE,
    SOMEBODY,
    THREE,
    TWO,
    A,
    B,
    C,
    Fault,
    all_rows,
    in_a_switch,
    loop,
    only,
    port,
    router,
    snapshot,
    tcp,
    ways,
)

from netweft.control.explain.snapshot import Snapshot
from netweft.control.trace.ends import Far, Question, begin
from netweft.control.trace.packet import ICMP, ICMPV6
from netweft.control.trace.walk import walk
from netweft.control.trace.walker import Start
from netweft.control.trace.way import OUTSIDE, PORT, UNKNOWN


@pytest.mark.parametrize("name", HEALTHY)
def test_of_healthy_pairs_nothing_is_said(name: str) -> None:
    frm, packet, target, end = HEALTHY[name]
    there, back = ways(all_rows(), frm, packet, target)
    assert (there.end, there.findings) == (end, [])
    assert back is not None
    assert (back.end, back.findings) == (PORT if frm else OUTSIDE, [])
    assert back.packet == packet.answered()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_each_fault_is_named_first(fault: Fault) -> None:
    frm, packet, target, _ = HEALTHY[fault.on]
    rows = all_rows()
    more = fault.breaks(rows) or {}
    there, back = ways(rows, frm, packet, target, **more)
    way = back if fault.back else there
    assert way is not None
    codes = [finding.code.code for finding in way.findings]
    if fault.code in AMONG:  # the ports at the ends suffer from it too
        assert fault.code in codes and set(codes) <= set(AMONG)
    else:
        assert codes[:1] == [fault.code]
    assert all(finding.fix and "{" not in finding.fix for finding in way.findings)
    if fault.back:
        assert there.findings == []


def test_all_that_is_in_the_way_is_named() -> None:
    rows = all_rows()
    only(rows, "egress", protocol="udp")
    only(rows, "ingress", protocol="udp")
    router(rows, 1)["admin_state_up"] = False
    port(rows, THREE)["admin_state_up"] = False
    there, _ = ways(rows, *HEALTHY["two networks"][:3])
    assert [one.code.code for one in there.findings] == [
        "no-rule-lets-it-out",
        "router-admin-down",
        "no-rule-lets-it-in",
        "port-admin-down",
    ]
    assert "the nearest is rule egress" in there.findings[0].told.detail
    assert there.findings[0].told.detail.endswith("IPv4 udp to anybody: another protocol")


def test_what_stays_on_its_node_needs_no_switch() -> None:
    rows = all_rows()
    in_a_switch(ONE)(rows)
    in_a_switch(THREE)(rows)
    assert [way.findings for way in ways(rows, ONE, tcp(A, C), THREE) if way] == [[], []]
    there, _ = ways(rows, ONE, tcp(A, B), TWO)
    assert [finding.code.code for finding in there.findings] == ["port-switch-lacks-it"]


def test_nobody_and_round_and_round() -> None:
    there, back = ways(all_rows(), ONE, tcp(A, "10.0.1.99"))
    assert ([one.code.code for one in there.findings], back) == (["address-is-nobodys"], None)
    rows = all_rows()
    loop(rows)
    there, _ = ways(rows, ONE, tcp(A, "10.0.9.9"))
    assert [one.code.code for one in there.findings] == ["route-loop"]
    there, _ = ways(all_rows(), ONE, tcp(A, "10.0.2.1"))
    assert [one.code.code for one in there.findings] == ["router-does-not-listen"]
    there, _ = ways(all_rows(), ONE, tcp("10.0.1.77", B), TWO)
    assert [one.code.code for one in there.findings] == ["source-address-not-its-own"]


def test_what_is_not_seen_is_supposed() -> None:
    rows = all_rows()
    seen = Snapshot({**rows, "routers": {}}, whole=frozenset())
    mine = seen.get("networks", port(rows, ONE)["network_id"])
    assert mine is not None
    there = walk(seen, Start(seen.get("ports", ONE), mine), tcp(A, C))
    assert (there.end, there.findings) == (UNKNOWN, [])
    assert "not yours to see" in there.assumptions[0]


def test_the_ends() -> None:
    rows = all_rows()
    asked = Question({4: ICMP, 6: ICMPV6})
    six = {**port(rows, TWO), "fixed_ips": [{"subnet_id": "s", "ip_address": "2001:db8::5"}]}
    seen = snapshot(rows)
    one, three = seen.get("ports", ONE), seen.get("ports", THREE)
    begun = begin(seen, Far(port=one), Far(port=six), asked)
    assert begun.way is not None
    assert [finding.code.code for finding in begun.way.findings] == ["no-common-ip-version"]
    begun = begin(seen, Far(port=one), Far(), asked)
    assert begun.packet is not None
    assert (begun.packet.src, begun.packet.dst, len(begun.assumptions)) == (A, SOMEBODY, 1)
    begun = begin(seen, Far(), Far(port=three), asked)
    assert begun.packet is not None
    assert (begun.packet.dst, begun.target) == ("203.0.113.9", three), "by its floating IP"
    begun = begin(seen, Far(), Far(port=one), asked)
    assert begun.start is not None
    assert begun.packet is not None
    there = walk(seen, begun.start, begun.packet, begun.target)
    assert "not-reached-from-outside" in [finding.code.code for finding in there.findings]
