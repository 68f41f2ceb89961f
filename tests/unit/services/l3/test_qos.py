"""QoS policies of floating IPs and gateways: meters on the node that translates, and which packets pass them."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    FLOATING,
    GATEWAY,
    OUTSIDE,
    SOMEBODY,
    R,
    answer,
    comes_in,
    own,
    region,
    sent,
)

from netweft.dataplane.openflow.meters import DropMeter
from netweft.model import BandwidthLimit, PacketRateLimit, QosPolicy
from netweft.services.addresses import prefix
from netweft.services.fields import METERS_MASK, OUR_METERS, Limit, meter_number, outside_meter
from netweft.services.pipeline import INT
from netweft.testing.region import Region, gateway, network, port_forwarding, subnet

__all__ = ["region"]
SLOW = QosPolicy(
    id="51000000-0000-4000-8000-000000000001",
    bandwidth_limits=(
        BandwidthLimit(max_kbps=1000, direction="egress"),
        BandwidthLimit(max_kbps=500, direction="ingress"),
    ),
)
PACKETS = QosPolicy(
    id="ac000000-0000-4000-8000-000000000001", packet_rate_limits=(PacketRateLimit(max_kpps=2, direction="egress"),)
)
FAST = QosPolicy(
    id="fa000000-0000-4000-8000-000000000001",
    bandwidth_limits=(
        BandwidthLimit(max_kbps=8000, direction="egress"),
        BandwidthLimit(max_kbps=4000, direction="ingress"),
    ),
)
TABLES = ("outside_egress", "outside_ingress")
OUT, IN = Limit.EGRESS_BANDWIDTH, Limit.INGRESS_BANDWIDTH


def meters(region: Region, node: str = "hv1") -> dict[int, tuple[str | None, int]]:
    """Without those of `hand_ups`."""
    found = (item for item in region.nodes[node].applied.values() if isinstance(item, DropMeter))
    return {meter.id: (meter.unit, meter.rate) for meter in found if meter.id & 1 << 30}


def limited(region: Region, node: str = "hv1") -> dict[tuple[str, int], str]:
    """(table, address) -> the flow's actions as text."""
    names = {INT[name].id: name for name in TABLES}
    flows = region.nodes[node].bridges["int"].flows.values()
    found: dict[tuple[str, int], str] = {}
    for flow in (one for one in flows if one.table in names and one.actions):
        match = {name: value for name, value, _ in flow.match}
        if "meter" in str(flow):
            found[names[flow.table], match.get("ipv4_src") or match["ipv4_dst"]] = str(flow)
    return found


def at(address: str) -> int:
    return prefix(address).value


def test_one_that_only_has_forwardings_is_limited_the_same(region: Region) -> None:
    only_ports = replace(FLOATING, fixed_ip_address="", qos_policy_id=SLOW.id)
    leads = port_forwarding(1, R, OUTSIDE, ("203.0.113.50", "100"), (own(B2), "53"))
    region.create(SLOW, only_ports, leads)
    region.settle()
    assert meters(region) == {
        outside_meter(FLOATING.id, OUT): ("kbps", 1000),
        outside_meter(FLOATING.id, IN): ("kbps", 500),
    }
    assert limited(region).keys() == {(table, at("203.0.113.50")) for table in TABLES}
    assert comes_in(region, {**answer("203.0.113.50", dst=GATEWAY.mac_address), "udp_dst": 200}) == [], (
        "no other port of it leads in"
    )
    (delivery,) = comes_in(region, {**answer("203.0.113.50", dst=GATEWAY.mac_address), "udp_dst": 100})
    assert region.ids_of([delivery]) == [B2.id]


def test_a_floating_ip_is_limited_where_it_is_translated(region: Region) -> None:
    region.create(SLOW, replace(FLOATING, qos_policy_id=SLOW.id))
    region.settle()
    out, into = (outside_meter(FLOATING.id, limit) for limit in (OUT, IN))
    assert meters(region) == {out: ("kbps", 1000), into: ("kbps", 500)}
    assert meters(region, "hv2") == {}
    flows = limited(region)
    assert flows.keys() == {("outside_egress", at("203.0.113.50")), ("outside_ingress", at("203.0.113.50"))}
    assert f"meter:{out}" in flows["outside_egress", at("203.0.113.50")]
    assert f"meter:{into}" in flows["outside_ingress", at("203.0.113.50")]


def test_what_is_limited_goes_on_as_before(region: Region) -> None:
    region.create(SLOW, replace(FLOATING, qos_policy_id=SLOW.id), replace(R, qos_policy_id=SLOW.id))
    region.settle()
    (packet,) = sent(region, B2, SOMEBODY)
    assert packet["ipv4_src"] == at("203.0.113.50")
    assert region.ids_of(comes_in(region, answer("203.0.113.50"))) == [B2.id]
    (packet,) = sent(region, B1, SOMEBODY)
    assert packet["ipv4_src"] == at("203.0.113.5")
    assert region.ids_of(comes_in(region, answer("203.0.113.5"))) == [B1.id]


def test_a_gateways_policy_is_for_its_address_alone(region: Region) -> None:
    region.create(PACKETS, replace(R, qos_policy_id=PACKETS.id), FLOATING)
    region.settle()
    number = outside_meter(GATEWAY.id, Limit.EGRESS_PACKETS)
    assert meters(region) == {number: ("pktps", 2000)}
    assert limited(region).keys() == {("outside_egress", at("203.0.113.5"))}
    region.create(replace(R, qos_policy_id=PACKETS.id, enable_snat=False))
    region.settle()
    assert meters(region) == {}, "nothing gets that address"


def test_the_networks_policy_holds_without_an_own_one(region: Region) -> None:
    region.create(SLOW, PACKETS, replace(OUTSIDE, qos_policy_id=SLOW.id), replace(FLOATING, qos_policy_id=PACKETS.id))
    region.settle()
    own, networks = (
        outside_meter(FLOATING.id, Limit.EGRESS_PACKETS),
        (outside_meter(GATEWAY.id, limit) for limit in (OUT, IN)),
    )
    assert meters(region).keys() == {own, *networks}


def test_a_limit_goes_with_what_had_it(region: Region) -> None:
    region.create(SLOW, replace(FLOATING, qos_policy_id=SLOW.id))
    region.settle()
    before = meters(region)
    region.create(FLOATING)
    region.settle()
    assert (meters(region), limited(region)) == ({}, {})
    region.create(replace(FLOATING, qos_policy_id=SLOW.id))
    region.settle()
    assert meters(region) == before
    region.create(replace(GATEWAY, host_id="hv3"))
    region.settle()
    assert meters(region, "hv3") == before, "the number follows from the floating IP, not from the node"
    assert meters(region) == {}
    region.create(replace(R, admin_state_up=False))
    region.settle()
    assert meters(region, "hv3") == {}


def test_a_datapath_without_meters_limits_nothing(region: Region) -> None:
    region.nodes["hv1"].rendering.set_abilities(meters=False, lengths=True, nic_problems={})
    region.create(SLOW, replace(FLOATING, qos_policy_id=SLOW.id))
    region.settle()
    assert meters(region) == {}
    assert region.ids_of(comes_in(region, answer("203.0.113.50"))) == [B2.id]


@pytest.mark.parametrize("limit", list(Limit))
def test_numbers(limit: Limit) -> None:
    """Ours, never a port's, and none that Open vSwitch would refuse."""
    most = outside_meter("ffffffff-ffff-4fff-bfff-ffffffffffff", limit)
    for number in (
        outside_meter(FLOATING.id, limit),
        most,
        outside_meter("00000000-0000-4000-8000-000000000000", limit),
    ):
        assert number & METERS_MASK == OUR_METERS
        assert number <= 0xFFFF0000
        assert number > meter_number(0xFFF << 16 | 0xFFFF, Limit.INGRESS_PACKETS)


APART = "b1000000-5555-4000-8000-000000000002"  # ids of tests begin alike, and meters' numbers are how they begin


@pytest.mark.parametrize("twin", [False, True])
def test_each_of_several_gateways_has_its_own(region: Region, twin: bool) -> None:
    """On another network with another policy; or on the same, with the same: each address has the whole rate."""
    second = OUTSIDE if twin else replace(network(8, "flat", "physnet1"), qos_policy_id=FAST.id)
    other = replace(gateway(2, R, second, "hv1", "203.0.113.6" if twin else "198.51.100.5"), id=APART)
    both = replace(R, first_gateway=GATEWAY.id, extra_gateways=(other.id,))
    region.create(SLOW, FAST, replace(OUTSIDE, qos_policy_id=SLOW.id), second if not twin else SLOW)
    region.create(subnet(second, "198.51.100.0/24") if not twin else SLOW, other, both)
    region.settle()
    rates = (1000, 500) if twin else (8000, 4000)
    numbers = {of: [outside_meter(of, limit) for limit in (OUT, IN)] for of in (GATEWAY.id, APART)}
    assert meters(region) == {
        **dict(zip(numbers[GATEWAY.id], [("kbps", 1000), ("kbps", 500)], strict=True)),
        **dict(zip(numbers[APART], [("kbps", rate) for rate in rates], strict=True)),
    }
    flows = limited(region)
    for address, of in (("203.0.113.5", GATEWAY.id), (other.fixed_ips[0].ip_address, APART)):
        for table, number in zip(TABLES, numbers[of], strict=True):
            assert f"meter:{number}" in flows[table, at(address)]
