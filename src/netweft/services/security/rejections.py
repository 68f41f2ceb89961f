"""What a firewall says of a packet that it rejects: a reset to TCP (RFC 9293 3.10.7.1), to anything else that it is
prohibited (RFC 1812 5.2.7.1, RFC 4443 3.1), as the one that the packet was for.

To who sent it from a port here: to that port, past its groups.  To anybody else back the way that it came: by the
router that it came from, or in its network.  It is no answer of a connection that has ended, but what ends it: on this
node it passes firewalls and conntrack's marks.
"""

from struct import Struct as Packer
from struct import error as StructError
from typing import Final

from netweft.dataplane.openflow.fields import PROTO_TCP
from netweft.dataplane.openflow.flow import SetField
from netweft.dataplane.packets import icmp
from netweft.dataplane.packets.datagram import IpAddress, packet, upper_checksum
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import ANSWER, LOCAL_VLAN, ROUTER, SAID, TRIAL
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.services.values import LocalPort

PROHIBITED: Final = {4: (3, 13), 6: (1, 1)}  # type and code
_ETHERNET: Final = 14
_TCP: Final = Packer("!HHIIBBHHH")
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_GROUP: Final = 1  # the bit of a MAC's first byte


def rejection(frame: bytes) -> bytes | None:
    """The frame back to its sender.  None: nothing may be said about it."""
    if frame[0] & _GROUP:
        return None
    about = icmp.offending(frame)
    if about is None:
        return None
    macs = (frame[:6], frame[6:12])
    if about.protocol != PROTO_TCP:
        return icmp.error(macs, about.dst, about, *PROHIBITED[about.src.version])
    try:
        body = _reset((about.dst, about.src), *_segment(about.quoted))
    except (StructError, IndexError):
        return None
    return packet(macs, (about.dst, about.src), PROTO_TCP, body) if body else None


def _segment(quoted: bytes) -> tuple[bytes, int]:
    """A packet's TCP header, and how much of a segment there is behind it."""
    if quoted[0] >> 4 == 4:
        start, end = (quoted[0] & 15) * 4, int.from_bytes(quoted[2:4], "big")
    else:
        start, end = 40, 40 + int.from_bytes(quoted[4:6], "big")
    header = quoted[start : start + _TCP.size]
    return header, end - start - (quoted[start + 12] >> 4) * 4


def _reset(ends: tuple[IpAddress, IpAddress], header: bytes, length: int) -> bytes | None:
    source, target, sequence, acknowledged, _, flags, *_ = _TCP.unpack(header)
    if flags & _RST:
        return None
    length = max(length, 0) + bool(flags & _SYN) + bool(flags & _FIN)
    fields = (acknowledged, 0, _RST) if flags & _ACK else (0, (sequence + length) & 0xFFFFFFFF, _RST | _ACK)
    made = (target, source, *fields[:2], _TCP.size << 2, fields[2], 0)
    return _TCP.pack(*made, upper_checksum(*ends, PROTO_TCP, _TCP.pack(*made, 0, 0)), 0)


def back(frame: bytes, here: LocalPort | None, vlan: int, router: int | None) -> Packet:
    """here: the port that it was rejected from.  vlan: of the network that it was rejected in.  router: the one that
    it came from there, by its number."""
    in_it = (SetField(LOCAL_VLAN, vlan), SetField(TRIAL, SAID | ANSWER))
    if router is not None:
        return Packet(frame, (*in_it, SetField(ROUTER, router), INT["routing"].resubmit))
    if here is not None and here.network.vlan == vlan:
        return to_port(here.number, frame)
    return Packet(frame, (*in_it, INT["switching"].resubmit))
