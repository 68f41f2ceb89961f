"""From the packet that a flow sent to the packet that answers it; and who asks without end."""

import asyncio
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address

import pytest

from netweft.agent import dhcp
from netweft.agent.desired import Desired
from netweft.agent.dhcp import DhcpSide
from netweft.dataplane.dhcp import datagram, message4, message6
from netweft.dataplane.dhcp.datagram import Datagram
from netweft.dataplane.dhcp.message4 import Message, Option, Type
from netweft.dataplane.openflow.flow import Resubmit, SetField
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.addresses import octets
from netweft.services.announce import Packet
from netweft.services.dhcp4 import EVERYBODY, EVERYBODYS_MAC
from netweft.services.fields import OUT_PORT
from netweft.services.pipeline import INT
from netweft.services.values import DhcpSettings, Lease
from netweft.testing.region import network, port, subnet

NET = network(1)
PORT, OTHER = port(5, NET, "10.0.0.5", "2001:db8::5"), port(6, NET, "10.0.0.6")
SUBNETS = (subnet(NET, "10.0.0.0/24"), subnet(NET, "2001:db8::/64"))
MAC = octets(PORT.mac_address)


class Deaf(Desired):
    """What the side asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = {
            number: Lease(number=number, port=wanted, mtu=1450, subnets=SUBNETS)
            for number, wanted in ((17, PORT), (18, OTHER))
        }
        self.told: list[tuple[str, bool]] = []

    def listen(self, port_id: str, *, again: bool) -> None:
        self.told.append((port_id, again))


def frame(mac: bytes = MAC, dport: int = 67) -> bytes:
    asked = Message(op=1, xid=7, chaddr=mac, options={Option.MESSAGE_TYPE: bytes((Type.DISCOVER,))})
    ends = {"eth_src": mac, "eth_dst": EVERYBODYS_MAC, "src": IPv4Address("0.0.0.0"), "dst": EVERYBODY}
    return datagram.encode(Datagram(**ends, sport=68, dport=dport, payload=message4.encode(asked)))  # type: ignore[arg-type]


def solicit() -> bytes:
    ask = message6.encode(message6.Message(message6.Type.SOLICIT, b"abc", ((message6.Option.CLIENT_ID, b"me"),)))
    ends = {"src": IPv6Address("fe80::5"), "dst": IPv6Address("ff02::1:2"), "sport": 546, "dport": 547}
    return datagram.encode(Datagram(eth_src=MAC, eth_dst=octets("33:33:00:01:00:02"), **ends, payload=ask))  # type: ignore[arg-type]


def packet(data: bytes, number: int = 17) -> PacketIn:
    return PacketIn(0, {"reg2": number}, data)


@pytest.fixture
async def side() -> DhcpSide:
    return DhcpSide(Deaf(), DhcpSettings(), lambda: None)


@pytest.mark.parametrize(("data", "sport"), [(frame(), 67), (solicit(), 547)])
async def test_the_answer_goes_out_of_the_port_that_asked(side: DhcpSide, data: bytes, sport: int) -> None:
    answer = side.answer(packet(data))
    assert isinstance(answer, Packet)
    assert answer.actions == (SetField(OUT_PORT, 17), Resubmit(INT["deliver"].id))
    said = datagram.decode(answer.frame)
    assert said is not None
    assert said.sport == sport


@pytest.mark.parametrize("asked", [packet(frame(), 99), packet(frame(dport=53)), packet(b""), PacketIn(0, {}, frame())])
async def test_what_is_no_request_of_a_port_with_a_lease(side: DhcpSide, asked: PacketIn) -> None:
    assert side.answer(asked) is None


async def test_who_asks_without_end_is_not_heard_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, now, later = asyncio.get_running_loop(), [100.0], list[Callable[[], None]]()
    monkeypatch.setattr(loop, "time", lambda: now[0])
    monkeypatch.setattr(loop, "call_later", lambda delay, call, *arguments: later.append(partial(call, *arguments)))
    desired = Deaf()
    side = DhcpSide(desired, DhcpSettings(), lambda: None)
    answers = [side.answer(packet(frame())) for _ in range(dhcp.MANY + 5)]
    assert [answer is not None for answer in answers] == [True] * dhcp.MANY + [False] * 5
    assert side.answer(packet(frame(octets(OTHER.mac_address)), 18)) is not None, "others are heard"
    assert desired.told == [(PORT.id, False)]
    (again,) = later
    again()
    assert desired.told == [(PORT.id, False), (PORT.id, True)]
    now[0] += dhcp.PERIOD + 1
    assert side.answer(packet(frame())) is not None
