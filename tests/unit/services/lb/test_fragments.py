"""UDP and TCP in fragments to a VIP where conntrack gives them back one by one, asked of fake switches."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.routing.test_flows import B1, B2, BLUE, R1, TO_RED, own, region
from tests.unit.services.lb.test_balancing import LB, LISTENER, POOL, VIPS, balanced, member

from netweft.agent.lb.fragments import VipPieces
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.readdressed6 import ports_of_first
from netweft.model import Port
from netweft.services.addresses import octets_of_mac, prefix
from netweft.services.fields import BALANCED_ZONE, ORIGIN, Reason, cookie
from netweft.services.lb.fragments import TO_MEMBER
from netweft.testing import packets
from netweft.testing.region import Region
from netweft.testing.switch import Delivery, Packet

__all__ = ["region"]

FIRST, LATER = 1, 3
SYN, ACK = 0x02, 0x10
OPTIONS = bytes((3, 3, 7, 1))  # window scale


@pytest.fixture
def userspace(region: Region) -> Region:
    for node in region.nodes.values():
        node.rendering.set_host(replace(node.host, datapath_type="netdev"))
    region.settle()
    return region


def asked(region: Region, *members: Port, version: int = 4, protocol: str = "UDP") -> Region:
    made = [member(at, one, version) for at, one in enumerate(members, 1)]
    listener = replace(LISTENER, protocol=protocol)
    return balanced(region, *made, pool=replace(POOL, protocol=protocol), listener=listener)


def to_vip(frm: Port, version: int, sport: int = 40000, dport: int = 80, protocol: str = "UDP") -> list[Packet]:
    by = LB.vip_mac_address if frm.network_id == BLUE.id else TO_RED.mac_address
    build = packets.udp if protocol == "UDP" else packets.tcp
    sent = build(frm.mac_address, by, own(frm, version), VIPS[version], sport, dport)
    return packets.fragments({**sent, "ip_ttl": 64}, 3)


def given(region: Region, frm: Port, sent: list[Packet], flags: int = SYN) -> tuple[list[Delivery], int]:
    """What arrives in the end, and how many fragments the agent had."""
    bridge = region.nodes["hv1"].bridges["int"]
    bridge.punted.clear()
    found = [one for piece in sent for one in region.send(frm, piece)]
    punted, bridge.punted = bridge.punted, []
    for one in punted:
        frame = frame_of(one, flags)
        for said in VipPieces().answer(None, PacketIn(cookie(Reason.BALANCER_PIECES, LB.id), dict(one), frame)):
            kept = {name: value for name, value in one.items() if not name.startswith(("reg", "ct_", "in_port"))}
            whole = {name: value for name, value in kept.items() if name not in ("ip_frag", "datagram", "piece")}
            is_own = said.frame != frame
            found += bridge.packet_out(whole if is_own else kept, said.actions)
            assert not is_own or bridge.counted[-1].table == TO_MEMBER.id, "what begins it goes to nobody"
    assert not bridge.punted, "nothing goes round"
    return found, len(punted)


def frame_of(piece: Packet, flags: int = SYN) -> bytes:
    """The fragment as it is on a wire, with nothing in it but its header."""
    version = 4 if "ipv4_src" in piece else 6
    macs = octets_of_mac(piece["eth_src"]), octets_of_mac(piece["eth_dst"])
    src, dst = (
        IPv4Address(piece[f"ipv{version}_{end}"]) if version == 4 else IPv6Address(piece[f"ipv{version}_{end}"])
        for end in ("src", "dst")
    )
    name, protocol = ("tcp", 6) if "tcp_src" in piece else ("udp", 17)
    body = b"".join(piece.get(f"{name}_{end}", 0).to_bytes(2, "big") for end in ("src", "dst")) + bytes(4)
    if protocol == 6:
        body += bytes(4) + bytes((6 << 4, flags)) + bytes(6) + OPTIONS
    if version == 6:
        header = bytes((protocol, 0)) + (piece["piece"] << 3 | 1).to_bytes(2, "big") + bytes(4)
        return datagram.packet(macs, (src, dst), 44, header + body)
    frame = bytearray(datagram.packet(macs, (src, dst), protocol, body))
    frame[20:22] = (piece["piece"] | 0x2000).to_bytes(2, "big")
    return bytes(frame)


@pytest.mark.parametrize("version", [4, 6])
def test_tcp_begins_with_a_syn(userspace: Region, version: int) -> None:
    """By the agent; nothing else of a connection that conntrack does not know goes on."""
    asked(userspace, B2, version=version, protocol="TCP")
    sent = to_vip(B1, version, protocol="TCP")
    assert given(userspace, B1, sent, SYN | ACK)[0] == []
    for had in (3, 0):
        arrived, by_agent = given(userspace, B1, to_vip(B1, version, protocol="TCP"))
        assert userspace.ids_of(arrived) == [B2.id] * 3
        assert [one.packet["tcp_dst"] for one in arrived if one.packet["ip_frag"] == FIRST] == [8080]
        assert by_agent == had
    said = packets.tcp(B2.mac_address, B1.mac_address, own(B2, version), own(B1, version), 8080, 40000)
    back = [one for piece in packets.fragments({**said, "ip_ttl": 64}) for one in userspace.send(B2, piece)]
    assert {one.packet[f"ipv{version}_src"] for one in back} == {prefix(VIPS[version]).value}


def test_a_header_alone_has_its_options_and_a_right_checksum() -> None:
    frame = frame_of(to_vip(B1, 4, protocol="TCP")[0])
    alone = datagram.header_alone(frame, frame[34:])
    assert alone is not None
    assert alone[34:50] + alone[52:] == frame[34:50] + frame[52:]
    ends = IPv4Address(alone[26:30]), IPv4Address(alone[30:34])
    assert datagram.upper_checksum(*ends, 6, alone[34:]) == 0
    assert all(datagram.header_alone(frame, frame[34:end]) is None for end in range(34, len(frame)))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("client", [B1, R1], ids=["in the VIP's network", "in another"])
def test_they_go_to_the_member_of_what_is_whole(userspace: Region, client: Port, version: int) -> None:
    """The first datagram by the agent, others without it; each fragment once."""
    asked(userspace, B2, version=version)
    for had in (3, 0):
        arrived, by_agent = given(userspace, client, to_vip(client, version))
        assert userspace.ids_of(arrived) == [B2.id] * 3
        assert {one.packet[f"ipv{version}_dst"] for one in arrived} == {prefix(own(B2, version)).value}
        assert [one.packet["udp_dst"] for one in arrived if one.packet["ip_frag"] == FIRST] == [8080]
        assert by_agent == had


def test_for_no_listener_or_client_they_end(userspace: Region) -> None:
    asked(userspace, B2)
    assert given(userspace, B1, to_vip(B1, 4, dport=81)) == ([], 0)
    userspace.create(replace(LISTENER, protocol="UDP", allowed_cidrs=("192.0.2.0/24",)))
    userspace.settle()
    assert given(userspace, B1, to_vip(B1, 4)) == ([], 0)


@pytest.mark.parametrize("version", [4, 6])
def test_an_answer_comes_from_the_vip(userspace: Region, version: int) -> None:
    asked(userspace, B2, version=version)
    assert given(userspace, B1, to_vip(B1, version))[0]
    for sport, frm in ((8080, VIPS[version]), (9, own(B2, version))):
        said = packets.udp(B2.mac_address, B1.mac_address, own(B2, version), own(B1, version), sport, 40000)
        back = [one for piece in packets.fragments({**said, "ip_ttl": 64}) for one in userspace.send(B2, piece)]
        if sport == 8080:
            assert userspace.ids_of(back) == [B1.id] * 3
        assert {one.packet[f"ipv{version}_src"] for one in back} <= {prefix(frm).value}


def test_what_came_with_anothers_is_not_made_known(userspace: Region) -> None:
    """Conntrack has given it back of another zone than it was handed up from."""
    piece = {**to_vip(B1, 4)[0], ORIGIN: BALANCED_ZONE | 5, "ct_zone": BALANCED_ZONE | 6}
    packet = PacketIn(cookie(Reason.BALANCER_PIECES, LB.id), dict(piece), frame_of(piece))
    assert not list(VipPieces().answer(None, packet))
    piece["ct_zone"] = BALANCED_ZONE | 5
    assert len(list(VipPieces().answer(None, replace(packet, fields=piece)))) == 2


def test_only_a_first_fragment_shows_ports() -> None:
    first, later, _ = (frame_of({**one, "udp_src": 7, "udp_dst": 8})[14:] for one in to_vip(B1, 6))
    assert ports_of_first(first) == (17, 7, 8)
    assert ports_of_first(later) is None
    assert all(ports_of_first(first[:length]) is None for length in range(52))
