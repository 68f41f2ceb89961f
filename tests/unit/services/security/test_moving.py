"""What is told of a moved port's connections, and what its new node does with that: no more than its rules permit."""

from collections.abc import Iterable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.services.security.test_firewall import NET, OUT, group, rule

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets.datagram import decode
from netweft.dataplane.unixctl.conntrack import Connection, connections
from netweft.model import AddressPair, Port, SecurityGroup, Tracked
from netweft.model.connections import MOST
from netweft.services.fields import ENDED, OUT_PORT
from netweft.services.l2.announce import Packet
from netweft.services.security.ends import Ends
from netweft.services.security.moving import Addresses, leaving, missing, provoked, remembered
from netweft.services.values import LocalPort
from netweft.testing.node import FakeNode
from netweft.testing.packets import udp
from netweft.testing.region import Region, port

IN = (rule(3), rule(4, ethertype="IPv6"))
SHUT, MUTE, OPEN = group(5, *OUT), group(6, *IN), group(7, *IN, *OUT)
MOVED = port(1, NET, "10.0.0.1", "fd00::1", security_groups=(SHUT.id,))
SERVER = port(2, NET, "10.0.0.2", "fd00::2", security_groups=(OPEN.id,))
OUTSIDE = "192.0.2.7"
LISTING = (
    "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=40000,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=40000),"
    "zone=1,protoinfo=(state=ESTABLISHED)\n"
    "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=40001,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=40001),"
    "zone=1,protoinfo=(state=TIME_WAIT)\n"
    "tcp,orig=(src=10.0.0.2,dst=10.0.0.1,sport=9,dport=22),reply=(src=10.0.0.1,dst=10.0.0.2,sport=22,dport=9),zone=1,"
    "mark=4,labels=0x1,protoinfo=(state=ESTABLISHED)\n"
    "udp,orig=(src=fd00::2,dst=fd00::1,sport=3,dport=4),reply=(src=fd00::1,dst=fd00::2,sport=4,dport=3),zone=1\n"
    "icmp,orig=(src=10.0.0.1,dst=192.0.2.7,id=7,type=8,code=0),reply=(src=192.0.2.7,dst=10.0.0.1,id=7,type=0,code=0),"
    "zone=1\n"
    "udp,orig=(src=10.0.0.3,dst=10.0.0.2,sport=3,dport=4),reply=(src=10.0.0.2,dst=10.0.0.3,sport=4,dport=3),zone=1\n"
)


def test_connections_of_the_port_that_go_on_are_reported_tcp_first() -> None:
    found = leaving(reversed(list(connections(LISTING))), Addresses(MOVED, [SERVER]))
    assert found[0] == Tracked(PROTO_TCP, "10.0.0.1", "10.0.0.2", 40000, 80)
    assert set(found[1:]) == {
        Tracked(PROTO_UDP, "fd00::2", "fd00::1", 3, 4),
        Tracked(PROTO_ICMP, "10.0.0.1", OUTSIDE, 7, 8 << 8),
    }


def test_what_was_refused_is_not() -> None:
    asked = Connection(zone=1, src="10.0.0.1", dst=OUTSIDE, sport=1, dport=2)
    mine = Addresses(MOVED, [])
    assert leaving([asked], mine)
    assert not leaving([replace(asked, mark=ENDED)], mine)
    assert not leaving([replace(asked, protocol=PROTO_SCTP)], mine)


def test_a_busy_port_reports_a_limited_number_tcp_first() -> None:
    some = Connection(zone=1, src="10.0.0.1", dst=OUTSIDE, dport=2)
    rest = [replace(some, sport=number) for number in range(2 * MOST)]
    tcp = [replace(some, sport=number, protocol=PROTO_TCP, state="ESTABLISHED") for number in range(10)]
    found = leaving([*rest, *tcp], Addresses(MOVED, []))
    assert len(found) == MOST
    assert [one.protocol for one in found[:11]] == [PROTO_TCP] * 10 + [PROTO_UDP]


def test_of_an_address_that_several_have_nobody_knows_whose_it_is() -> None:
    pairs = (AddressPair("10.0.0.9", MOVED.mac_address), AddressPair("172.16.0.0/16", MOVED.mac_address))
    sharing = replace(SERVER, allowed_address_pairs=(AddressPair("10.0.0.9", SERVER.mac_address),))
    other = port(3, NET, "172.16.0.3")
    paired = replace(MOVED, allowed_address_pairs=pairs)
    for src, told in (("10.0.0.9", False), ("172.16.0.3", False), ("172.16.0.4", True), ("10.0.0.1", True)):
        one = Connection(zone=1, src=src, dst=OUTSIDE, sport=1, dport=2)
        assert bool(leaving([one], Addresses(paired, [sharing, other]))) is told


class New:
    """The port's new node.  server: on which node."""

    def __init__(self, moved: Port, *more: SecurityGroup, server: str = "hv2") -> None:
        self.region = Region(nodes=2)
        self.region.create(NET, moved, SERVER, SHUT, MUTE, OPEN, *more)
        self.moved = moved
        self.region.plug("hv1", moved)
        self.region.plug(server, SERVER)
        self.region.settle()

    @property
    def node(self) -> FakeNode:
        return self.region.nodes["hv1"]

    @property
    def here(self) -> LocalPort:
        found = self.node.rendering.local_port(self.moved.id)
        assert found is not None
        return found

    def packets(self, *told: Tracked) -> list[Packet]:
        ends = Ends(self.node.rendering.ports_on(self.here.network.vlan)[1], self.node.view.peers.values())
        return list(remembered(self.here, told, Addresses(self.moved, []), ends))

    def take_up(self, *told: Tracked) -> None:
        for packet in self.packets(*told):
            said = decode(packet.frame)
            assert said is not None
            macs = (said.eth_src.hex(":"), said.eth_dst.hex(":"))
            frame = udp(*macs, str(said.src), str(said.dst), said.sport, said.dport)
            assert not list(self.node.bridges["int"].packet_out(frame, packet.actions)), "it is given to nobody"

    def arrives(self, one: Tracked, *, back: bool) -> bool:
        """A packet of the server's in it."""
        (src, sport), (dst, dport) = sorted([(one.src, one.sport), (one.dst, one.dport)], reverse=back)
        frame = udp(SERVER.mac_address, self.moved.mac_address, src, dst, sport, dport)
        return self.moved.id in self.region.receivers(SERVER, frame)


ASKS = [Tracked(PROTO_UDP, "10.0.0.1", "10.0.0.2", 40000, 53), Tracked(PROTO_UDP, "fd00::1", "fd00::2", 40000, 53)]


@pytest.mark.parametrize("asked", ASKS)
@pytest.mark.parametrize("server", ["hv1", "hv2"])
def test_answers_come_in_and_nothing_else(asked: Tracked, server: str) -> None:
    new = New(MOVED, server=server)
    assert not new.arrives(asked, back=True)
    new.take_up(asked)
    assert new.arrives(asked, back=True)
    assert not new.arrives(replace(asked, dport=54), back=True)
    assert not new.arrives(replace(asked, sport=40001), back=True)


def test_what_its_rules_do_not_permit_is_not_taken_up() -> None:
    """Whatever the node says from which it came."""
    new = New(replace(MOVED, security_groups=(MUTE.id,)))
    new.take_up(ASKS[0])
    new.region.create(replace(MOVED, security_groups=(SHUT.id,)))
    new.region.settle()
    assert not new.arrives(ASKS[0], back=True)


def test_a_vm_that_may_only_answer_goes_on_answering() -> None:
    new = New(replace(MOVED, security_groups=(MUTE.id,)))
    serves = Tracked(PROTO_UDP, "10.0.0.2", "10.0.0.1", 40000, 53)
    answer = udp(MOVED.mac_address, SERVER.mac_address, "10.0.0.1", "10.0.0.2", 53, 40000)
    assert not new.region.receivers(MOVED, answer)
    new.take_up(serves)
    assert new.region.receivers(MOVED, answer) == [SERVER.id]


NOT_ITS_OWN = [
    Tracked(PROTO_UDP, "10.0.0.2", OUTSIDE, 1, 2),
    Tracked(PROTO_UDP, "10.0.0.1", "fd00::2", 1, 2),
    Tracked(PROTO_UDP, "10.0.0.1", "nonsense", 1, 2),
    Tracked(PROTO_UDP, "10.0.0.1", OUTSIDE, 1 << 20, 2),
    Tracked(PROTO_TCP, "10.0.0.2", "10.0.0.1", 1, 2),
    Tracked(PROTO_TCP, "10.0.0.1", "10.0.0.2", -1, 2),
]


@pytest.mark.parametrize("told", NOT_ITS_OWN)
def test_what_it_has_no_part_in_and_what_makes_no_sense_comes_to_nothing(told: Tracked) -> None:
    new = New(MOVED)
    assert new.packets(told) == []
    assert list(provoked(new.here, [told], Addresses(MOVED, []))) == []


def in_window(number: int, next_: int, size: int) -> bool:
    return (number - next_) % 2**32 < size


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 2**30))
def test_whatever_the_numbers_are_one_segment_is_answered_and_one_is_old(waits: int, sent: int, window: int) -> None:
    found = [numbers(packet) for packet in provoked(New_HERE, [TCP_ONE], Addresses(MOVED, []))]
    assert any(not in_window(sequence, waits, window) for sequence, _ in found)
    old = [(waits - sequence) % 2**32 <= 2**31 and (sent - of) % 2**32 <= 2**31 for sequence, of in found]
    assert any(old)


TCP_ONE = Tracked(PROTO_TCP, "10.0.0.1", "10.0.0.2", 40000, 80)
New_HERE = New(MOVED).here


def numbers(packet: Packet) -> tuple[int, int]:
    tcp = packet.frame[34:]
    assert tcp[:4] == (80).to_bytes(2) + (40000).to_bytes(2), "from whom it asked"
    assert tcp[13] == 0x10
    return int.from_bytes(tcp[4:8]), int.from_bytes(tcp[8:12])


@pytest.mark.parametrize("one", [TCP_ONE, Tracked(PROTO_TCP, "fd00::1", "fd00::2", 40000, 80)])
def test_the_vm_gets_it_from_the_requested_address_with_right_checksums(one: Tracked) -> None:
    new = New(MOVED)
    for packet in provoked(new.here, [one], Addresses(MOVED, [])):
        assert packet.actions[0].field == OUT_PORT  # type: ignore[union-attr]
        assert packet.actions[0].value == new.here.number  # type: ignore[union-attr]
        assert sound(packet.frame)


@pytest.mark.parametrize("protocol", [PROTO_ICMP, PROTO_ICMPV6])
def test_so_is_an_echo(protocol: int) -> None:
    kind, ends = (8, ("10.0.0.1", OUTSIDE)) if protocol == PROTO_ICMP else (128, ("fd00::1", "fd00::77"))
    (packet,) = New(MOVED).packets(Tracked(protocol, *ends, 7, kind << 8))
    assert sound(packet.frame)
    body = packet.frame[34:] if protocol == PROTO_ICMP else packet.frame[54:]
    assert (body[0], body[1], int.from_bytes(body[4:6])) == (kind, 0, 7)


def sound(frame: bytes) -> bool:
    """With the pseudo header, where there is one."""
    version = frame[14] >> 4
    body, protocol = (frame[34:], frame[23]) if version == 4 else (frame[54:], frame[20])
    ends = frame[26:34] if version == 4 else frame[22:54]
    assert ip_address(ends[: len(ends) // 2])
    pseudo = b"" if protocol == PROTO_ICMP else ends + protocol.to_bytes(4) + len(body).to_bytes(4)
    return words(pseudo + body) % 0xFFFF == 0


def words(data: bytes) -> int:
    return sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))


def test_tcp_that_is_tracked_is_not_missing() -> None:
    told = [TCP_ONE, replace(TCP_ONE, sport=1), ASKS[0]]
    assert missing(told, connections(LISTING)) == (told[1],)
    assert not missing(told, _all(told))


def _all(told: Iterable[Tracked]) -> list[Connection]:
    ends = ((one.protocol, one.src, one.dst, one.sport, one.dport) for one in told)
    return [Connection(zone=1, protocol=p, src=s, dst=d, sport=a, dport=b) for p, s, d, a, b in ends]
