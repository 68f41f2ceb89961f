"""Whose member is asked by this node, where the probe goes, and what is nobody's to ask."""

from typing import Any

import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.flow import Ct
from netweft.dataplane.ovsdb.rows import Vif
from netweft.model import FixedIp, GatewayPort, Network, Peer, Port, Proxy, Router, RouterPort, Segment, Subnet
from netweft.model.load_balancer import HealthMonitor, LoadBalancer, Member, Pool
from netweft.services.health import ends
from netweft.services.health.watched import Watched, codes
from netweft.services.kinds import WATCHED
from netweft.services.l2.local_vlans import ROUTER_ZONES, LocalVlans
from netweft.services.pipeline import INT, BridgeFlow
from netweft.services.rendering import Rendering
from netweft.services.values import HostFacts, Uplinks

AGENT = 77
BALANCER = LoadBalancer(
    id="b1",
    project_id="p1",
    vip_address="10.0.0.100",
    vip_port_id="v1",
    vip_network_id="n1",
    vip_mac_address="fa:16:3e:00:00:64",
)
POOL = Pool(id="l1", load_balancer_id="b1", protocol="TCP", lb_algorithm="ROUND_ROBIN", healthmonitor_id="h1")
MONITOR = HealthMonitor(id="h1", pool_id="l1", load_balancer_id="b1", type="TCP", delay=5, timeout=2, max_retries=2)
MEMBER = Member(id="m1", pool_id="l1", load_balancer_id="b1", address="10.0.0.5", protocol_port=80)


def network(id: str, cidr: str) -> list[Any]:
    segment = Segment(network_type="vxlan", segmentation_id=7)
    return [
        Network(id=id, segments=(segment,)),
        Subnet(id=f"s-{id}", network_id=id, cidr=cidr, ip_version=4),
    ]


def port(id: str, network_id: str, address: str, **more: Any) -> Port:
    fixed = (FixedIp(subnet_id=f"s-{network_id}", ip_address=address),)
    return Port(id=id, network_id=network_id, mac_address="fa:16:3e:00:00:05", fixed_ips=fixed, **more)


class Node:
    def __init__(self, *objects: Any) -> None:
        facts = HostFacts(name="hv1", tunnel_ip="192.0.2.1", tunnel_types=("vxlan",))
        self.rendering = Rendering(facts, LocalVlans(1, 4094), LocalVlans(*ROUTER_ZONES))
        self.rendering.set_uplinks(Uplinks(metadata=AGENT))
        self.put(*objects)

    def put(self, *objects: Any) -> None:
        for one in objects:
            self.rendering.put(one)

    def plug(self, port_id: str, ofport: int | None = 9) -> None:
        vif = Vif(name="tap1", iface_id=port_id, port_name="tap1", ofport=ofport, ifindex=5) if ofport else None
        self.rendering.plug(port_id, vif)

    def watched(self) -> dict[str, Watched]:
        self.rendering.refresh()
        self.rendering.refresh()
        return {id: item for (kind, id), item in self.rendering.desired.items() if kind == WATCHED}  # type: ignore

    def flows(self, table: str) -> list[Any]:
        found = (item.flow for item in self.rendering.desired.values() if isinstance(item, BridgeFlow))
        probes = [flow for flow in found if flow.table == INT[table].id and flow.cookie >> 40 & 0xFF == 126]
        return sorted(probes, key=lambda flow: str(flow.match))


def test_a_member_here_is_probed_as_the_balancer_would() -> None:
    node = Node(*network("n1", "10.0.0.0/24"), port("t1", "n1", "10.0.0.5"), BALANCER, POOL, MONITOR, MEMBER)
    node.plug("t1")
    watched = node.watched()["m1"]
    assert (watched.port, watched.problem, watched.check.rise, watched.check.fall) == (80, "", 2, 3)
    (out,) = node.flows("metadata")
    set_ = {action.field: action.value for action in out.actions if hasattr(action, "field")}
    assert set_["ipv4_src"] == int.from_bytes(bytes([10, 0, 0, 100])) and set_["ipv4_dst"] & 0xFF == 5
    assert {name: value for name, value, _ in out.match}["tcp_dst"] == 80
    (caught,) = node.flows("requests")
    assert any(isinstance(action, Ct) for action in caught.actions)  # what was never asked is no answer
    (back,) = node.flows("probed")
    assert {"ct_state", "reg2"} <= {name for name, _, _ in back.match}  # and only by the member's own port


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"admin_state_up": False}, "monitor"),
        ({"admin_state_up": False}, "member"),
        ({"admin_state_up": False}, "pool"),
        ({"admin_state_up": False}, "balancer"),
        ({"healthmonitor_id": None}, "pool"),
        ({"address": "10.0.0.6"}, "member"),
    ],
)
def test_who_is_not_probed(changes: dict[str, Any], how: str) -> None:
    objects = {"monitor": MONITOR, "member": MEMBER, "pool": POOL, "balancer": BALANCER}
    objects[how] = replace(objects[how], **changes)
    node = Node(*network("n1", "10.0.0.0/24"), port("t1", "n1", "10.0.0.5"), *objects.values())
    node.plug("t1")
    assert node.watched() == {} and node.flows("metadata") == []


def test_what_is_not_plugged_in_is_out_without_a_probe() -> None:
    node = Node(*network("n1", "10.0.0.0/24"), port("t1", "n1", "10.0.0.5"), BALANCER, POOL, MONITOR, MEMBER)
    assert "not plugged in" in node.watched()["m1"].problem
    node.plug("t1")
    assert node.watched()["m1"].problem == ""
    node.plug("t1", None)
    assert "not plugged in" in node.watched()["m1"].problem and node.flows("metadata") == []


OTHERS = [*network("n2", "10.9.0.0/24"), port("t2", "n2", "10.9.0.5")]
THERE = Member(id="m1", pool_id="l1", load_balancer_id="b1", address="10.9.0.5", protocol_port=22, subnet_id="s-n2")


def test_a_port_in_a_network_that_no_router_joins_is_nobodys_to_ask() -> None:
    node = Node(*network("n1", "10.0.0.0/24"), *OTHERS, BALANCER, POOL, MONITOR, THERE)
    node.plug("t2")
    assert node.watched() == {}
    for id in ("n1", "n2"):
        node.put(RouterPort(id=f"r-{id}", network_id=id, mac_address="fa:16:3e:0:0:1", router_id="r"))
    assert node.watched()["m1"].problem == ""


@pytest.mark.parametrize(("project", "is_asked"), [("p1", True), ("p2", False)])
def test_behind_a_gateway_only_the_routers_own_project_probes(project: str, is_asked: bool) -> None:
    """The VIP is on an external network, which everybody's routers are on."""
    router = Router(id="r", project_id=project)
    inside = RouterPort(id="r-n2", network_id="n2", mac_address="fa:16:3e:0:0:1", router_id="r")
    gateway = GatewayPort(id="r-n1", network_id="n1", mac_address="fa:16:3e:0:0:2", router_id="r")
    node = Node(*network("n1", "10.0.0.0/24"), *OTHERS, router, inside, gateway, BALANCER, POOL, MONITOR, THERE)
    node.plug("t2")
    assert bool(node.watched()) == is_asked


def test_the_same_port_of_two_members_is_probed_one_way() -> None:
    """Two pools of one balancer with the same member: neither takes the other's flows away."""
    other = Pool(id="l2", load_balancer_id="b1", protocol="TCP", lb_algorithm="ROUND_ROBIN", healthmonitor_id="h2")
    monitor = replace(MONITOR, id="h2", pool_id="l2", type="PING")
    twin = Member(id="m2", pool_id="l2", load_balancer_id="b1", address="10.0.0.5", protocol_port=80)
    again = Member(id="m3", pool_id="l1", load_balancer_id="b1", address="10.0.0.5", protocol_port=80)
    objects = (BALANCER, POOL, MONITOR, MEMBER, other, monitor, twin, again)
    node = Node(*network("n1", "10.0.0.0/24"), port("t1", "n1", "10.0.0.5"), *objects)
    node.plug("t1")
    assert len({watched.to for watched in node.watched().values()}) == 1
    assert len(node.flows("metadata")) == 2  # TCP, ICMP
    node.rendering.drop(("member", "m1"))
    assert len(node.watched()) == 2 and len(node.flows("metadata")) == 2


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", [(200, 200)]),
        ("200,202", [(200, 200), (202, 202)]),
        ("200-204", [(200, 204)]),
        ("200-202, 301", [(200, 202), (301, 301)]),
    ],
)
def test_expected_codes(text: str, ranges: list[tuple[int, int]]) -> None:
    assert list(codes(text)) == ranges


@pytest.mark.parametrize("number", [1, 0x00FF, 0x1FF00, (1 << ends.NUMBER_BITS) - 1])
def test_no_number_is_the_agents_own_address_or_everybodys(number: int) -> None:
    at = ends.far_end(4, number)
    assert 240 << 24 <= at < 0xFFFFFFFF and at >> 8 != 0xF000FF and ends.far_end(6, number) != ends.own(6)


def proxy(id: str, host: str, status: str = "ACTIVE") -> Proxy:
    return Proxy(
        id=id, load_balancer_id="b1", network_id="n1", mac_address="fa:16:3e:00:00:07", host_id=host, status=status
    )


def peer(network_id: str) -> Peer:
    return Peer(id="x", network_id=network_id, mac_address="fa:16:3e:00:00:08", ip_addresses=("10.0.0.5",))


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ([], False),
        ([proxy("a", "hv1")], True),
        ([proxy("a", "hv2"), proxy("b", "hv1")], False),  # one asks, not both
        ([proxy("a", "hv2", "DOWN"), proxy("b", "hv1")], True),
        ([proxy("a", "hv1", "DOWN")], False),
        ([proxy("a", "hv1"), peer("n1")], False),  # its node asks
        ([proxy("a", "hv1"), peer("n9")], True),  # another tenant's
    ],
)
def test_a_member_that_no_node_has_is_probed_by_haproxys(there: list[Any], asked: bool) -> None:
    node = Node(*network("n1", "10.0.0.0/24"), BALANCER, POOL, MONITOR, MEMBER, *there)
    found = node.watched().values()
    assert [(one.to, one.port, one.within) for one in found] == ([("10.0.0.5", 80, "b1")] if asked else [])
