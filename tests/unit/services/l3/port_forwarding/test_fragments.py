"""Fragments from and to forwarded ports where conntrack gives them back, as in the userspace datapath."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import B1, B2, R2, SOMEBODY, TO_BLUE, R, comes_in, own
from tests.unit.services.l3.gateways.test_flows import region as region
from tests.unit.services.l3.port_forwarding.test_flows import FIP, IN_ORDER, asks
from tests.unit.services.l3.port_forwarding.test_flows import forwarded as forwarded

from netweft.agent.desired import Desired
from netweft.agent.l3.forwarded_fragments import ForwardedPieces
from netweft.dataplane.openflow.flow import Controller, Flow, Meter
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import datagram
from netweft.model import Port
from netweft.services.addresses import octets_of_mac, prefix
from netweft.services.fields import PIECE, PIECES_ZONE, Reason, RouterLimit, cookie, router_meter_number
from netweft.testing import packets
from netweft.testing.region import Region
from netweft.testing.switch import Bridge, Delivery, Packet

SEQUENCE = 0x12345678


class Gateways(Desired):
    """Of the node with the gateway."""

    def __init__(self, region: Region) -> None:
        super().__init__()
        self._rendering = region.nodes["hv1"].rendering


@pytest.fixture
def userspace(forwarded: Region) -> Region:
    for name, node in forwarded.nodes.items():
        node.rendering.set_host(replace(node.host, datapath_type="netdev"))
        assert name == node.host.name
    forwarded.settle()
    return forwarded


def in_pieces(
    region: Region, sent: Iterable[Packet], frm: Port | None = None, *, turned: bool = False
) -> list[Delivery]:
    """What arrives in the end.  turned: the agent gets the last fragment first."""
    bridge = region.nodes["hv1"].bridges["int"]
    bridge.punted.clear()
    found = [one for piece in sent for one in (region.send(frm, piece) if frm else comes_in(region, piece))]
    while bridge.punted:
        found += list(agents_turn(region, bridge, turned=turned))
    return found


def agents_turn(region: Region, bridge: Bridge, *, turned: bool) -> Iterator[Delivery]:
    punted, bridge.punted = bridge.punted, []
    agent = ForwardedPieces(Gateways(region))
    for one in reversed(punted) if turned else punted:
        reason = Reason.ROUTER_PIECES_OUT if one[PIECE] & 4 else Reason.ROUTER_PIECES_IN
        for said in agent.answer(None, PacketIn(cookie(reason, R.id), dict(one), frame_of(one))):
            is_own = said.frame != frame_of(one)
            bare = {name: value for name, value in one.items() if not name.startswith(("reg", "ct_", "in_port"))}
            yield from bridge.packet_out(fields_of(said.frame) if is_own else bare, said.actions)


def frame_of(piece: Packet) -> bytes:
    """The fragment as it is on a wire, with nothing in it."""
    macs = octets_of_mac(piece["eth_src"]), octets_of_mac(piece["eth_dst"])
    ends = IPv4Address(piece["ipv4_src"]), IPv4Address(piece["ipv4_dst"])
    name = {6: "tcp", 17: "udp"}[piece["ip_proto"]]
    ports = b"".join(piece[f"{name}_{end}"].to_bytes(2, "big") for end in ("src", "dst"))
    frame = bytearray(datagram.packet(macs, ends, piece["ip_proto"], ports + SEQUENCE.to_bytes(4, "big")))
    frame[20:22] = (piece["piece"] | 0x2000).to_bytes(2, "big")
    return bytes(frame)


def fields_of(frame: bytes) -> Packet:
    if frame[23] == 6:
        return fields_of_tcp(frame)
    whole = datagram.decode(frame)
    assert whole is not None
    assert whole.payload == b""
    src, dst = (":".join(f"{byte:02x}" for byte in one) for one in (whole.eth_src, whole.eth_dst))
    return packets.udp(src, dst, str(whole.src), str(whole.dst), whole.sport, whole.dport)


def fields_of_tcp(frame: bytes) -> Packet:
    segment, ends = frame[34:], (IPv4Address(frame[26:30]), IPv4Address(frame[30:34]))
    assert datagram.upper_checksum(*ends, 6, segment) == 0
    assert len(segment) == 20
    assert int.from_bytes(segment[4:8], "big") == SEQUENCE
    assert segment[13] == 0x10, "conntrack takes what acknowledges, and does not begin, from the middle"
    sport, dport = (int.from_bytes(segment[at : at + 2], "big") for at in (0, 2))
    return packets.tcp(frame[6:12].hex(":"), frame[:6].hex(":"), str(ends[0]), str(ends[1]), sport, dport)


def leaves(region: Region, frm: Port, port: int, pieces: int = 2, **how: bool) -> list[Packet]:
    """What is on the wire when it sends."""
    heard = region.wires["public"].heard
    heard.clear()
    packet = packets.udp(frm.mac_address, TO_BLUE.mac_address, own(frm), SOMEBODY, port, 5000)
    in_pieces(region, packets.fragments(packet, pieces), frm, **how)
    return list(heard)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("ports", "to", "inside"), [(100, B2, 200), (1500, B1, 1500), (3005, R2, 53)])
def test_they_come_in(userspace: Region, ports: int, to: Port, inside: int, turned: bool) -> None:
    """The first datagram by the agent, others without it; each fragment once."""
    for by_agent in (True, False):
        before = agents(userspace)
        deliveries = in_pieces(userspace, packets.fragments(asks(ports), 3), turned=turned)
        assert userspace.ids_of(deliveries) == [to.id] * 3
        assert {one.packet["ipv4_dst"] for one in deliveries} == {prefix(own(to)).value}
        assert [one.packet["udp_dst"] for one in deliveries if one.packet["ip_frag"] == 1] == [inside]
        assert (agents(userspace) > before) is by_agent


def agents(region: Region) -> int:
    """How many connections it has made known."""
    conntrack = region.nodes["hv1"].bridges["int"].conntrack
    return len([one for key, one in conntrack.connections.items() if key[0] & PIECES_ZONE and one.mark])


@pytest.mark.parametrize(("frm", "inside", "outside"), [(B2, 205, 105), (B1, 1500, 1500)])
def test_replies_have_the_port_of_the_request(userspace: Region, frm: Port, inside: int, outside: int) -> None:
    """Of who was asked by a datagram that was whole."""
    for turned in (True, False):
        heard = leaves(userspace, frm, inside, turned=turned)
        assert [packet["ipv4_src"] for packet in heard] == [prefix(FIP).value] * 2
        assert [packet["udp_src"] for packet in heard if packet["ip_frag"] == 1] == [outside]


def test_from_any_other_port_it_has_the_gateways_address(userspace: Region) -> None:
    heard = leaves(userspace, B2, 4000, pieces=3)
    assert [packet["ipv4_src"] for packet in heard] == [prefix("203.0.113.5").value] * 3


def test_for_no_port_they_end(userspace: Region) -> None:
    assert in_pieces(userspace, packets.fragments(asks(111), 3)) == []
    assert in_pieces(userspace, packets.fragments(asks(111), 3)) == []


def test_one_that_is_taken_away_ends_them(userspace: Region) -> None:
    assert in_pieces(userspace, packets.fragments(asks(100), 3))
    del userspace.port_forwardings[IN_ORDER.id]
    userspace.settle()
    assert in_pieces(userspace, packets.fragments(asks(100), 3)) == []


def test_by_its_own_address_a_vm_reaches_another_one(userspace: Region) -> None:
    """It leaves with the gateway's, and comes in again."""
    packet = packets.udp(B1.mac_address, TO_BLUE.mac_address, own(B1), FIP, 7000, 105)
    deliveries = in_pieces(userspace, packets.fragments(packet, 3), B1)
    assert userspace.ids_of(deliveries) == [B2.id] * 3
    assert {one.packet["ipv4_src"] for one in deliveries} == {prefix("203.0.113.5").value}


def test_conntrack_that_is_full_has_nothing_go_round(userspace: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    conntrack = userspace.nodes["hv1"].bridges["int"].conntrack
    monkeypatch.setattr(type(conntrack), "commit", lambda *_: None)
    assert in_pieces(userspace, packets.fragments(asks(100), 3)) == []


def test_what_no_gateway_here_has_collected_is_not_given_back(userspace: Region) -> None:
    agent = ForwardedPieces(Gateways(userspace))
    bridge = userspace.nodes["hv1"].bridges["int"]
    assert not [one for piece in packets.fragments(asks(100), 3) for one in comes_in(userspace, piece)]
    assert len(bridge.punted) == 3
    for change in ({"ct_zone": 4096}, {"reg10": 77}):
        for one in bridge.punted:
            asked = PacketIn(cookie(Reason.ROUTER_PIECES_IN, R.id), {**one, **change}, frame_of(one))
            assert list(agent.answer(None, asked)) == []


def test_what_goes_up_is_limited(userspace: Region) -> None:
    """A kind of its own: a flood of it keeps nothing else from the agent."""
    reasons = (Reason.ROUTER_PIECES_IN, Reason.ROUTER_PIECES_OUT)
    cookies = {cookie(reason, R.id) for reason in reasons}
    found = [flow for flow in userspace.nodes["hv1"].bridges["int"].flows.values() if flow.cookie in cookies]
    numbers = {flow.actions[0].id for flow in found if isinstance(flow.actions[0], Meter)}
    assert {flow.cookie for flow in found} == cookies
    assert {type(action) for flow in found for action in flow.actions[1:]} == {Controller}
    assert numbers == {router_meter_number(zone, RouterLimit.PIECES) for zone in zones_of(found)}


def zones_of(flows: list[Flow]) -> set[int]:
    return {value & ~PIECES_ZONE for flow in flows for name, value, _ in flow.match if name == "ct_zone"}


def test_tcp_comes_in_and_leaves(userspace: Region) -> None:
    """To a port that TCP has, there and back; from any other one by the gateway's address."""
    for by_agent in (True, False):
        before = agents(userspace)
        deliveries = in_pieces(userspace, packets.fragments(asks(100, protocol="tcp"), 3))
        assert userspace.ids_of(deliveries) == [B1.id] * 3
        assert [one.packet["tcp_dst"] for one in deliveries if one.packet["ip_frag"] == 1] == [22]
        assert (agents(userspace) > before) is by_agent
    heard = userspace.wires["public"].heard
    for port, source in ((22, FIP), (4000, "203.0.113.5")):
        heard.clear()
        sent = packets.tcp(B1.mac_address, TO_BLUE.mac_address, own(B1), "198.51.100.8", port, 80)
        in_pieces(userspace, packets.fragments(sent, 3), B1)
        assert [packet["ipv4_src"] for packet in heard] == [prefix(source).value] * 3


def test_what_conntrack_takes_for_invalid_goes_on_where_its_connection_is_known(userspace: Region) -> None:
    """It hears no acknowledgements, so that of a long stream every segment is beyond the window."""
    flows = userspace.nodes["hv1"].bridges["int"].flows.values()
    known = [{name: (value, mask) for name, value, mask in flow.match} for flow in flows]
    marked = [match for match in known if match.get("ip_proto") == (6, None) and "ct_mark" in match]
    assert len(marked) == 3, "in, out, and from another port"
    assert all(match["ct_state"] == (0x20, 0x20) for match in marked)
