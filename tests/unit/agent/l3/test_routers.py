"""What the agent says for routers, to packets that the flows of a region hand up."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.routing.test_flows import B2, BLUE, G1, R2, RED, TO_BLUE, TO_RED, R, own

from netweft.agent.desired import Desired
from netweft.agent.l3.resolver import Resolver
from netweft.agent.l3.routers import Errors, Neighbours
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets.datagram import packet
from netweft.model import LoadBalancer, Port
from netweft.model.load_balancer import Vip
from netweft.services.addresses import octets, parsed
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, ROUTER, Why
from netweft.services.values import LocalPort
from netweft.testing import packets
from netweft.testing.region import Region, interface, network, port, router, subnet

CHAINED = router(2)
TO_RED_TOO = interface(3, CHAINED, RED, "10.0.1.2", "fd00:b::2")
UDP = bytes.fromhex("1000 2000 0008 0000")


class Node(Desired):
    """hv2 of the region: B2."""

    def __init__(self, region: Region) -> None:
        super().__init__()
        self._rendering = region.nodes["hv2"].rendering
        self.view = region.nodes["hv2"].view


def errors(node: Node) -> Errors:
    return Errors(node, Resolver(node, lambda _: None, lambda: None))


@pytest.fixture
def region() -> Region:
    made = Region(nodes=2)
    made.create(BLUE, RED, B2, R2, R, TO_BLUE, TO_RED, CHAINED, TO_RED_TOO)
    for net, letter, number in ((BLUE, "a", 0), (RED, "b", 1)):
        made.create(subnet(net, f"10.0.{number}.0/24"), subnet(net, f"fd00:{letter}::/64"))
    made.plug("hv2", B2)
    made.plug("hv1", R2)
    made.settle()
    return made


def here(node: Node) -> LocalPort:
    found = node.local_port(B2.id)
    assert found is not None
    return found


def handed_up(node: Node, why: Why, at: str, by: str, to: str, protocol: int = 17, body: bytes = UDP) -> PacketIn:
    """at: the router; by: the MAC that the packet came to."""
    assert node._rendering is not None
    number = node._rendering._memo.get(("number", at))
    src = own(B2, 6 if ":" in to else 4)
    frame = packet((octets(B2.mac_address), octets(by)), (parsed(src), parsed(to)), protocol, body)
    return PacketIn(0, {HANDED_UP: why, ROUTER: number}, frame)


@pytest.mark.parametrize(
    ("why", "to", "says", "message"),
    [
        (Why.TTL_EXCEEDED, "10.0.1.21", "10.0.0.1", (11, 0)),
        (Why.NO_ROUTE, "192.0.2.1", "10.0.0.1", (3, 0)),
        (Why.UNKNOWN_NEXT_HOP, "10.0.1.99", "10.0.0.1", (3, 1)),
        (Why.NOT_LISTENING, "10.0.0.1", "10.0.0.1", (3, 3)),
        (Why.TTL_EXCEEDED, "fd00:b::21", "fd00:a::1", (3, 0)),
        (Why.NO_ROUTE, "2001:db8::1", "fd00:a::1", (1, 0)),
        (Why.UNKNOWN_NEXT_HOP, "fd00:b::99", "fd00:a::1", (1, 3)),
        (Why.NOT_LISTENING, "fd00:a::1", "fd00:a::1", (1, 4)),
    ],
)
def test_the_interface_that_it_came_to_says_it(
    region: Region, why: Why, to: str, says: str, message: tuple[int, int]
) -> None:
    node = Node(region)
    (said,) = errors(node).answer(here(node), handed_up(node, why, R.id, TO_BLUE.mac_address, to))
    start, end, kind = (26, 30, 34) if "." in to else (22, 38, 54)
    assert said.frame[:12] == octets(B2.mac_address) + octets(TO_BLUE.mac_address)
    assert said.frame[start:end] == parsed(says).packed
    assert said.frame[kind : kind + 2] == bytes(message)


@pytest.mark.parametrize(("to", "kind"), [("10.0.1.21", (3, 4)), ("fd00:b::21", (2, 0))])
def test_the_mtu_of_the_network_that_it_is_too_big_for(region: Region, to: str, kind: tuple[int, int]) -> None:
    region.create(replace(RED, mtu=1280))
    region.settle()
    node = Node(region)
    asked = handed_up(node, Why.TOO_BIG, R.id, TO_BLUE.mac_address, to)
    (said,) = errors(node).answer(here(node), replace(asked, fields={**asked.fields, LOCAL_VLAN: node.vlans[RED.id]}))
    at = 34 if "." in to else 54
    assert tuple(said.frame[at : at + 2]) == kind
    assert int.from_bytes(said.frame[at + 4 : at + 8], "big") == 1280


def test_a_router_further_on_says_it_by_the_first_one(region: Region) -> None:
    node = Node(region)
    (said,) = errors(node).answer(
        here(node), handed_up(node, Why.TTL_EXCEEDED, CHAINED.id, TO_RED_TOO.mac_address, "10.0.9.1")
    )
    assert said.frame[6:12] == octets(TO_BLUE.mac_address)
    assert said.frame[26:30] == parsed("10.0.1.2").packed


@pytest.mark.parametrize(
    ("why", "by", "protocol", "body"),
    [
        (
            Why.NOT_LISTENING,
            TO_BLUE.mac_address,
            1,
            bytes((8, 0, 0, 0)),
        ),  # an echo's question that is none: with another code
        (Why.NOT_LISTENING, TO_BLUE.mac_address, 89, b""),
        (Why.TTL_EXCEEDED, TO_BLUE.mac_address, 1, bytes((3, 3))),
        (Why.TTL_EXCEEDED, "fa:16:3e:99:99:99", 17, UDP),
    ],
)
def test_what_is_not_answered(region: Region, why: Why, by: str, protocol: int, body: bytes) -> None:
    node = Node(region)
    assert not list(errors(node).answer(here(node), handed_up(node, why, R.id, by, "10.0.1.21", protocol, body)))


def test_nothing_of_a_router_that_is_not_there(region: Region) -> None:
    node = Node(region)
    packet_in = PacketIn(0, {HANDED_UP: Why.NO_ROUTE, ROUTER: 12345}, bytes(60))
    assert not list(errors(node).answer(here(node), packet_in))


def solicit(src: str, target: str) -> PacketIn:
    body = bytes((135, 0)) + bytes(6) + parsed(target).packed
    frame = packet((octets(B2.mac_address), bytes(6)), (parsed(src), parsed(target)), 58, body, 255)
    return PacketIn(0, {}, frame)


LINK_LOCAL = "fe80::f816:3eff:feff:1"


@pytest.mark.parametrize("target", ["fd00:a::1", LINK_LOCAL])
def test_solicitations_for_its_addresses_are_answered(region: Region, target: str) -> None:
    node = Node(region)
    (said,) = Neighbours(node).answer(here(node), solicit("fd00:a::11", target))
    assert said.frame[22:38] == parsed(target).packed
    assert said.frame[-6:] == octets(TO_BLUE.mac_address)


@pytest.mark.parametrize(("target", "answers"), [("fd00:a::100", True), ("fd00:a::101", False), ("fd00:b::100", False)])
def test_solicitations_for_vips_are_answered_where_no_flow_can(region: Region, target: str, answers: bool) -> None:
    """By a balancer in its own network alone."""
    for number, net in ((1, BLUE), (2, RED)):
        region.create(
            LoadBalancer(
                id=f"{number:08x}-8888-4000-8000-000000000000",
                vip_address="10.0.0.100",
                vip_port_id=f"{number:08x}-9999-4000-8000-000000000000",
                vip_network_id=net.id,
                vip_mac_address=f"fa:16:3e:bb:00:0{number}",
                vips=(Vip("10.0.0.100", "v4"), Vip(f"fd00:{'ab'[number - 1]}::100", "v6")),
            )
        )
    region.settle()
    node = Node(region)
    region.send(B2, packets.solicit(B2.mac_address, own(B2, 6), target, sll=B2.mac_address))
    assert [one["nd_target"] for one in region.nodes["hv2"].bridges["int"].punted] == [int(parsed(target))] * answers
    said = list(Neighbours(node).answer(here(node), solicit("fd00:a::11", target)))
    assert [(one.frame[-6:], one.frame[58] & 0x80) for one in said] == (
        [(octets("fa:16:3e:bb:00:01"), 0)] if answers else []
    )


def test_nobody_elses(region: Region) -> None:
    node = Node(region)
    for target in ("fd00:b::1", "fd00:a::99"):
        assert not list(Neighbours(node).answer(here(node), solicit("fd00:a::11", target)))


def test_nothing_when_it_is_down(region: Region) -> None:
    region.create(replace(R, admin_state_up=False))
    region.settle()
    node = Node(region)
    assert not list(Neighbours(node).answer(here(node), solicit("fd00:a::11", "fd00:a::1")))


def test_overlapping_networks_are_told_apart(region: Region) -> None:
    """G1's network has a router of its own with the same addresses."""
    green = network(3)
    other, at = router(9), interface(9, router(9), green, "10.0.0.1", "fd00:a::1")
    one: Port = port(31, green, "10.0.0.31", "fd00:a::31")
    region.create(green, other, at, one, subnet(green, "10.0.0.0/24"), subnet(green, "fd00:a::/64"))
    region.plug("hv2", one)
    region.settle()
    node = Node(region)
    there = node.local_port(one.id)
    assert there is not None
    (said,) = Neighbours(node).answer(there, solicit("fd00:a::31", "fd00:a::1"))
    assert said.frame[-6:] == octets(at.mac_address)
    assert G1.network_id == green.id
