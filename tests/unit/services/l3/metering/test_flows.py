"""Metering labels in flows: which packets are counted by which, and that routers without labels pay nothing."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    FLOATING,
    NEAR,
    R2,
    SOMEBODY,
    TO_BLUE,
    R,
    answer,
    comes_in,
    own,
    sent,
)
from tests.unit.services.l3.gateways.test_flows import region as region

from netweft.dataplane.openflow.flow import Flow
from netweft.model import FloatingIp, MeteringLabel
from netweft.model.metering import MeteringRule
from netweft.services.fields import METERED, Owner, Reason, owner
from netweft.services.pipeline import INT, BridgeFlow
from netweft.testing import packets
from netweft.testing.region import Region
from netweft.testing.switch import Packet

PROJECT = "red"


def label(number: int, *rules: MeteringRule, metered: str = PROJECT) -> MeteringLabel:
    return MeteringLabel(id=f"{number:08x}-8888-4000-8000-000000000000", metered=metered, rules=rules)


def rule(direction: str, **values: object) -> MeteringRule:
    return MeteringRule(direction=direction, **values)  # type: ignore[arg-type]


def flows(region: Region, node: str = "hv1") -> list[BridgeFlow]:
    items = region.nodes[node].rendering.desired.values()
    return [
        one for one in items if isinstance(one, BridgeFlow) and one.flow.table == INT["metering"].id and one.flow.match
    ]


@pytest.fixture
def metered(region: Region) -> Region:
    region.create(replace(R, project_id=PROJECT))
    return region


def settle(region: Region, *labels: MeteringLabel | FloatingIp) -> None:
    region.create(*labels)
    region.settle()


def asked(region: Region, packet: Packet) -> list[tuple[Reason | None, str]]:
    """The label flows that count this packet, as the switch says, by reason and label."""
    bridge = region.nodes["hv1"].bridges["int"]
    bridge.counted.clear()
    comes_in(region, packet)
    return _found(bridge.counted)


def _found(flows: Iterable[Flow]) -> list[tuple[Reason | None, str]]:
    found: list[Owner] = [one for flow in flows if (one := owner(flow.cookie)) is not None]
    return sorted((one.reason, one.object) for one in found if one.reason and one.reason.name.startswith("METERING"))


def out(region: Region, frm: object, to: str) -> list[tuple[Reason | None, str]]:
    bridge = region.nodes["hv1"].bridges["int"]
    bridge.counted.clear()
    sent(region, frm, to)  # type: ignore[arg-type]
    return _found(bridge.counted)


def test_routers_without_labels_have_none_of_it(metered: Region) -> None:
    settle(metered, label(1, rule("egress", source_ip_prefix="10.0.0.0/24"), metered="blue"), label(2))
    assert flows(metered) == []
    found = metered.nodes["hv1"].rendering.desired.values()
    routes = [one.flow for one in found if isinstance(one, BridgeFlow) and one.flow.table == INT["routing"].id]
    assert METERED not in {getattr(action, "field", "") for flow in routes for action in flow.actions}


def test_only_where_the_gateway_is(metered: Region) -> None:
    settle(metered, label(1, rule("egress", source_ip_prefix="10.0.0.0/24")))
    assert len(flows(metered)) == 1
    assert flows(metered, "hv2") == flows(metered, "hv3") == []


def test_each_label_counts_a_packet_once(metered: Region) -> None:
    mine = label(1, rule("egress", source_ip_prefix="10.0.0.0/24"), rule("egress", destination_ip_prefix="0.0.0.0/0"))
    everybodys = label(2, rule("egress", remote_ip_prefix="10.0.0.0/8"), metered="*")
    others = label(3, rule("egress", remote_ip_prefix="10.0.0.0/8"), metered="blue")
    settle(metered, mine, everybodys, others)
    both = [(Reason.METERING_OUT, one.id.replace("-", "")[:10]) for one in (mine, everybodys)]
    for frm in (B1, B2, R2):
        assert out(metered, frm, SOMEBODY) == both


def test_excluded_ones_are_not_counted(metered: Region) -> None:
    one = label(1, rule("egress", source_ip_prefix="10.0.0.0/24"),
                rule("egress", destination_ip_prefix=f"{NEAR}/32", excluded=True))  # fmt: skip
    settle(metered, one)
    name = one.id.replace("-", "")[:10]
    assert out(metered, B1, SOMEBODY) == [(Reason.METERING_OUT, name)]
    assert out(metered, B1, NEAR) == [(Reason.METERING_EXCLUDED, name)]
    assert out(metered, R2, SOMEBODY) == []


def test_what_comes_in_is_known_by_its_address_inside(metered: Region) -> None:
    one = label(1, rule("ingress", remote_ip_prefix=f"{own(B2)}/32"), rule("egress", remote_ip_prefix=f"{own(B2)}/32"))
    settle(metered, one, FLOATING)
    name = one.id.replace("-", "")[:10]
    assert asked(metered, answer("203.0.113.50")) == [(Reason.METERING_IN, name)]
    assert out(metered, B2, SOMEBODY) == [(Reason.METERING_OUT, name)]
    assert out(metered, B1, SOMEBODY) == []
    assert asked(metered, answer("203.0.113.5")) == [], "that was for another port"


def test_what_stays_inside_is_not_counted(metered: Region) -> None:
    settle(
        metered, label(1, rule("ingress", remote_ip_prefix="10.0.0.0/8"), rule("egress", remote_ip_prefix="10.0.0.0/8"))
    )
    bridge = metered.nodes["hv1"].bridges["int"]
    bridge.counted.clear()
    frame = packets.udp(B1.mac_address, TO_BLUE.mac_address, own(B1), own(R2), 1000, 53)
    assert metered.receivers(B1, frame) == [R2.id]
    assert _found(bridge.counted) == []


def test_a_rule_of_two_versions_or_none_counts_nothing(metered: Region) -> None:
    settle(metered, label(1, rule("egress", source_ip_prefix="10.0.0.0/24", destination_ip_prefix="2001:db8::/64"),
                          rule("egress")))  # fmt: skip
    assert flows(metered) == []


def test_a_label_goes(metered: Region) -> None:
    settle(metered, one := label(1, rule("egress", source_ip_prefix="10.0.0.0/24")))
    assert flows(metered)
    del metered.labels[one.id]
    metered.settle()
    assert flows(metered) == []
    assert out(metered, B1, SOMEBODY) == []


def test_its_rules_change(metered: Region) -> None:
    settle(metered, one := label(1, rule("egress", source_ip_prefix="10.0.0.0/24")))
    settle(metered, replace(one, rules=(rule("egress", source_ip_prefix="10.0.1.0/24"),)))
    assert out(metered, B1, SOMEBODY) == []
    assert [reason for reason, _ in out(metered, R2, SOMEBODY)] == [Reason.METERING_OUT]
