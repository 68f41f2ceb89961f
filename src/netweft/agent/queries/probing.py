"""A packet with a mark is put in where a VM's comes in, and looked for at interfaces of this node.

Sent and looked for only on a server's request; nothing is written but that packet."""

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from netweft.agent.queries.trace_input import NotHere, check
from netweft.dataplane.host.sniffing import Sniffer
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.openflow.fields import PROTO_TCP, VLAN_PRESENT
from netweft.dataplane.openflow.flow import PushVlan, SetField
from netweft.dataplane.packets.datagram import IpAddress
from netweft.dataplane.packets.probe import PROTOCOLS, probe, reset
from netweft.services.addresses import octets, parsed
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.wire.queries import Ask, Probe, Sent

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

SETTLE: Final = 0.25  # seconds until other nodes look too
LOOK: Final = 1.2  # seconds in all
MOST: Final = 64  # bytes of a mark, and interfaces
_FRAME: Final = 9216
_SMALLEST: Final = 60  # bytes of a frame, as some NICs pad it
FIRST: Final = next(iter(INT.tables.values()))


async def probed(agent: "Agent", question: Ask, asked: Probe) -> tuple[str, ...]:
    """The interfaces where it was seen.  Raises NotHere."""
    mark = mark_of(asked.mark)
    if len(asked.interfaces) > MOST or not 0 <= asked.length <= _FRAME:
        raise NotHere("a probe that cannot be looked for")
    packet = _packet(agent, question, mark, asked.length) if question.packet and question.port_id else None
    length = len(packet.frame) if packet else asked.length
    try:
        with Sniffer(asked.interfaces, mark, length) as sniffer:
            if packet is not None:
                await asyncio.sleep(SETTLE)
                await agent.bridges[INT.role].send_packet(packet)
            await sniffer.until(asked.awaited or asked.interfaces, LOOK - (SETTLE if packet else 0.0))
            if packet is not None and question.packet is not None and question.packet.protocol == PROTO_TCP:
                await agent.bridges[INT.role].send_packet(replace(packet, frame=_reset(question.packet, mark, length)))
            return tuple(sniffer.seen)
    except (OSError, OpenFlowError) as error:
        raise NotHere(f"no probe can be sent or seen: {error}") from None


def mark_of(text: str) -> bytes:
    """Raises NotHere."""
    try:
        mark = bytes.fromhex(text)
    except ValueError:
        mark = b""
    if not _SMALLEST <= len(mark) <= MOST:
        raise NotHere("a probe that cannot be looked for")
    return mark


def _packet(agent: "Agent", question: Ask, mark: bytes, length: int) -> Packet:
    """As if the port's VM had sent it."""
    sent = question.packet
    here = agent.desired.local_port(question.port_id)
    if sent is not None:
        check(sent)
    if sent is None or here is None or here.ofport <= 0:
        raise NotHere("the port is not wired here")
    if sent.protocol not in PROTOCOLS:
        raise NotHere("there is no probe of this protocol")
    tag = (PushVlan(), SetField("vlan_vid", here.tag | VLAN_PRESENT)) if here.tag else ()
    return Packet(frame(sent, mark, length), (*tag, SetField("nxm_in_port", here.ofport), FIRST.resubmit))


def frame(sent: Sent, mark: bytes, length: int = 0) -> bytes:
    """length: of the frame at least: the mark has zeros behind it."""
    return _framed(sent, _data(sent, mark, length))


def _reset(sent: Sent, mark: bytes, length: int) -> bytes:
    """Of the connection that such a frame has begun."""
    return reset(*_ends(sent), (sent.sport, sent.dport), _data(sent, mark, length))


def _data(sent: Sent, mark: bytes, length: int) -> bytes:
    return mark.ljust(len(mark) + max(0, length - len(_framed(sent, mark))), b"\0")


def _framed(sent: Sent, data: bytes) -> bytes:
    return probe(*_ends(sent), sent.protocol, (sent.sport, sent.dport), data)


def _ends(sent: Sent) -> tuple[tuple[bytes, bytes], tuple[IpAddress, IpAddress]]:
    """MACs and addresses: from, to."""
    return (octets(sent.eth_src), octets(sent.eth_dst)), (parsed(sent.src), parsed(sent.dst))
