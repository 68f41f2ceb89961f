"""What a policy asks becomes meters, marks and guarantees; whose it is, and what is said when it cannot be kept."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.host.values import Guarantee
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.ovsdb.rows import PortRow
from netweft.model import (
    BandwidthLimit,
    MinimumBandwidth,
    Network,
    PacketRateLimit,
    Port,
    PortState,
    QosPolicy,
    SubPort,
    Trunk,
)
from netweft.services.fields import GUARDED, Limit, Owner, Reason, logical_port, meter_number, object_bits, owner
from netweft.services.pipeline import INT, BridgeFlow
from netweft.services.qos import mac_offset
from netweft.services.values import Bandwidth, HostFacts
from netweft.testing.node import FakeNode
from netweft.testing.region import network, port

NET = network(1)
P = port(1, NET, qos_policy_id="q")
HOST = HostFacts(tunnel_ip="192.0.2.1", uplink_bandwidths={"tunnel": Bandwidth("eth0", 20000)}, datapath_type="netdev")
MAC = int(P.mac_address.replace(":", ""), 16)


def node(policy: QosPolicy | None, *, net: Network = NET, wanted: Port = P, host: HostFacts = HOST) -> FakeNode:
    made = FakeNode("hv1", host)
    made.see([net, wanted, *([policy] if policy else [])])
    made.plug(wanted.id)
    made.settle()
    return made


def meters(made: FakeNode) -> dict[Limit, tuple[str | None, int, int]]:
    number = made.vifs[P.id].ofport or 0
    found = [item for item in made.applied.values() if isinstance(item, DropMeter)]
    limits = {meter_number(number, limit): limit for limit in Limit}
    return {limits[meter.id]: (meter.unit, meter.rate, meter.burst) for meter in found}


def qos_flows(made: FakeNode) -> dict[str, list[str]]:
    """By table, actions as text."""
    tables = {table.id: table.name for table in INT.tables.values()}
    flows = [item.flow for item in made.applied.values() if isinstance(item, BridgeFlow)]
    ours = [flow for flow in flows if owner(flow.cookie) == Owner(Reason.PORT_QOS, f"{object_bits(P.id):010x}")]
    return {name: [str(flow) for flow in ours if tables[flow.table] == name] for name in tables.values()}


def test_a_port_without_a_policy_costs_nothing() -> None:
    made = node(None, wanted=replace(P, qos_policy_id=None))
    assert not any(qos_flows(made).values())
    assert not meters(made)


def test_each_limit_is_a_meter() -> None:
    policy = QosPolicy(
        id="q",
        bandwidth_limits=(
            BandwidthLimit(max_kbps=1000, max_burst_kbps=300),
            BandwidthLimit(direction="ingress", max_kbps=2000),
        ),
        packet_rate_limits=(PacketRateLimit(direction="ingress", max_kpps=3),),
    )
    made = node(policy)
    assert meters(made) == {
        Limit.EGRESS_BANDWIDTH: ("kbps", 1000, 300),
        Limit.INGRESS_BANDWIDTH: ("kbps", 2000, 1600),
        Limit.INGRESS_PACKETS: ("pktps", 3000, 2400),
    }
    flows = qos_flows(made)
    assert [len(flows[name]) for name in ("egress_qos", "ingress_qos", "ingress_limit")] == [1, 1, 1]
    assert flows["egress_qos"][0].count("meter:") == 1
    assert flows["ingress_limit"][0].count("meter:") == 2


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (BandwidthLimit(max_kbps=0), None),
        (BandwidthLimit(max_kbps=1), ("kbps", 1, 13)),  # one full frame of 1518 bytes
        (BandwidthLimit(max_kbps=1000, max_burst_kbps=1), ("kbps", 1000, 13)),
        (PacketRateLimit(max_kpps=2**31 - 1), ("pktps", 2**32 - 1, 2**32 - 1)),
    ],
    ids=str,
)
def test_the_extremes(limit: BandwidthLimit | PacketRateLimit, expected: tuple[str, int, int] | None) -> None:
    if isinstance(limit, BandwidthLimit):
        policy = QosPolicy(id="q", bandwidth_limits=(limit,))
    else:
        policy = QosPolicy(id="q", packet_rate_limits=(limit,))
    assert list(meters(node(policy)).values()) == ([expected] if expected else [])


@pytest.mark.parametrize(("asked", "burst"), [(0, 800), (1, 525), (300, 525), (600, 600)])
def test_a_burst_takes_what_a_nic_would_cut_where_the_datapath_gets_it_whole(asked: int, burst: int) -> None:
    limit = BandwidthLimit(max_kbps=1000, max_burst_kbps=asked)
    made = node(QosPolicy(id="q", bandwidth_limits=(limit,)), host=replace(HOST, datapath_type="system"))
    assert list(meters(made).values()) == [("kbps", 1000, burst)]


def test_a_mark_is_written_on_both_ip_versions_also_of_limited_ports() -> None:
    marked = qos_flows(node(QosPolicy(id="q", dscp_mark=0)))["egress_qos"]
    assert sorted("ipv6" in flow for flow in marked) == [False, True]
    assert all("set_field:0->ip_dscp" in flow for flow in marked)
    both = QosPolicy(id="q", dscp_mark=46, bandwidth_limits=(BandwidthLimit(max_kbps=1000),))
    flows = qos_flows(node(both))["egress_qos"]
    assert len(flows) == 3
    assert all("meter:" in flow for flow in flows)


@pytest.mark.parametrize(
    ("own", "networks", "device_owner", "expected"),
    [
        ("q", None, "", 10),
        ("q", "n", "", 10),
        (None, "n", "compute:nova", 20),
        (None, "n", "network:dhcp", None),
        ("q", "n", "network:dhcp", 10),
        ("unknown", "n", "", None),
        (None, None, "", None),
    ],
)
def test_whose_policy_it_is(own: str | None, networks: str | None, device_owner: str, expected: int | None) -> None:
    net, wanted = replace(NET, qos_policy_id=networks), replace(P, qos_policy_id=own, device_owner=device_owner)
    made = FakeNode("hv1", HOST)
    policies = [
        QosPolicy(id=id, bandwidth_limits=(BandwidthLimit(max_kbps=kbps),)) for id, kbps in (("q", 10), ("n", 20))
    ]
    made.see([net, wanted, *policies])
    made.plug(P.id)
    made.settle()
    assert [rate for _, rate, _ in meters(made).values()] == ([expected] if expected else [])
    made.see([replace(net, qos_policy_id="q"), wanted, *policies])
    made.settle()
    if own is None and expected:
        assert [rate for _, rate, _ in meters(made).values()] == [10]


LEAST = QosPolicy(id="q", minimum_bandwidths=(MinimumBandwidth(min_kbps=5000),))


@pytest.mark.parametrize(("kind", "offset"), [("vxlan", 56), ("geneve", 56), ("gre", 48), ("vlan", 6), ("flat", 6)])
def test_a_guarantee_is_classified_by_mac(kind: str, offset: int) -> None:
    net = network(1, kind)
    bandwidths = {name: Bandwidth("eth0", 20000) for name in ("tunnel", net.segments[0].physical_network or "")}
    host = replace(
        HOST, uplink_bandwidths=bandwidths, tunnel_types=("vxlan", "geneve", "gre"), bridge_mappings={"physnet1": "b"}
    )
    if kind in ("vlan", "flat"):
        host = replace(host, bridge_mappings={net.segments[0].physical_network or "": "br-x"})
    found = [item for item in node(LEAST, net=net, host=host).applied.values() if isinstance(item, Guarantee)]
    assert found == [Guarantee("eth0", MAC, offset, 5000)]
    assert mac_offset(kind, 6) == (offset + 20 if offset > 6 else 6)


def test_what_cannot_be_kept_is_said_and_the_port_is_up() -> None:
    least = "minimum bandwidth is not in effect: "
    made = node(LEAST, host=replace(HOST, uplink_bandwidths={}))
    assert detail(made) == least + "uplink_bandwidths of this node has no tunnel"
    made = node(LEAST)
    assert detail(made) == ""
    made.rendering.set_abilities(meters=True, lengths=True, nic_problems={"eth0": "eth0: there is no such interface"})
    made.settle()
    assert detail(made) == least + "eth0: there is no such interface"
    made.rendering.set_abilities(meters=True, lengths=True, nic_problems={})
    made.settle()
    assert detail(made) == ""
    limited = node(QosPolicy(id="q", bandwidth_limits=(BandwidthLimit(max_kbps=1000),)))
    limited.rendering.set_abilities(meters=False, lengths=True, nic_problems={})
    limited.settle()
    assert detail(limited) == "QoS limits are not in effect: the datapath of this node has no meters"
    assert not meters(limited)
    assert not any(qos_flows(limited).values())


def detail(made: FakeNode) -> str:
    status = made.status(P.id)
    assert status is not None
    assert status.state is PortState.UP
    return status.detail


def test_a_sub_port_is_limited_by_itself() -> None:
    """Its frames share an interface with its trunk's port, whose policy is another one."""
    parent, sub = port(2, NET), replace(P, qos_policy_id="q")
    trunk = Trunk(id="t", port_id=parent.id, sub_ports=(SubPort(sub.id, 7),))
    made = FakeNode("hv1", HOST)
    made.see([NET, parent, sub, trunk, QosPolicy(id="q", bandwidth_limits=(BandwidthLimit(max_kbps=10),))])
    made.plug(parent.id)
    made.settle()
    number = logical_port(made.vifs[parent.id].ofport or 0, 7, guarded=True)
    (meter,) = [item for item in made.applied.values() if isinstance(item, DropMeter)]
    assert meter.id == meter_number(number, Limit.EGRESS_BANDWIDTH)
    (flow,) = qos_flows(made)["egress_qos"]
    assert f"reg2={number:#x}" in flow


def test_a_meters_number_is_that_of_one_port_whether_guarded_or_not() -> None:
    ports = [1, 0xFFFF, 1 | 7 << 16, 0xFFFF | 0xFFF << 16]
    numbers = {meter_number(each, limit) for each in ports for limit in Limit}
    assert len(numbers) == len(ports) * len(Limit)
    assert all(meter_number(each | GUARDED, limit) in numbers for each in ports for limit in Limit)
    assert max(numbers) < 0xFFFF0000  # what OpenFlow allows


def test_tunnels_outer_headers() -> None:
    def tos(host: HostFacts) -> set[str | None]:
        made = node(None, wanted=replace(P, qos_policy_id=None), host=host)
        rows = [item for item in made.applied.values() if isinstance(item, PortRow) and item.type == "vxlan"]
        return {dict(row.options).get("tos") for row in rows}

    assert tos(HOST) == {None}
    assert tos(replace(HOST, dscp=46)) == {"184"}
    assert tos(replace(HOST, dscp=46, dscp_inherit=True)) == {"inherit"}
