"""A packet that is known again wherever it is seen: it carries a mark of its own, and nothing else.

Of ICMP an echo request, of TCP a SYN with the mark as data (which nobody reads before the connection stands)."""

from struct import Struct as Packer

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from netweft.dataplane.packets.datagram import Datagram, IpAddress, checksum, encode, packet, upper_checksum

_ECHO, _TCP = Packer("!BBHHH"), Packer("!HHIIBBHHH")
_SYN, _RST, _WINDOW = 0x02, 0x04, 0xFFFF
PROTOCOLS = (PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP)


def probe(
    macs: tuple[bytes, bytes], ends: tuple[IpAddress, IpAddress], protocol: int, ports: tuple[int, int], mark: bytes
) -> bytes:
    """macs, ends, ports: from, to; of ICMP the type and code.  protocol: one of PROTOCOLS."""
    if protocol == PROTO_UDP:
        frame = Datagram(
            eth_src=macs[0], eth_dst=macs[1], src=ends[0], dst=ends[1], sport=ports[0], dport=ports[1], payload=mark
        )
        return encode(frame)
    if protocol == PROTO_TCP:
        fields = (*ports, int.from_bytes(mark[:4], "big"), 0, _TCP.size << 2, _SYN, _WINDOW)
        total = upper_checksum(*ends, PROTO_TCP, _TCP.pack(*fields, 0, 0) + mark)
        return packet(macs, ends, protocol, _TCP.pack(*fields, total, 0) + mark)
    id = int.from_bytes(mark[:2], "big")
    bare = _ECHO.pack(*ports, 0, id, 0) + mark
    total = checksum(bare) if ends[0].version == 4 else upper_checksum(*ends, PROTO_ICMPV6, bare)
    return packet(macs, ends, protocol, _ECHO.pack(*ports, total, id, 0) + mark)


def reset(macs: tuple[bytes, bytes], ends: tuple[IpAddress, IpAddress], ports: tuple[int, int], mark: bytes) -> bytes:
    """After a probe by TCP with this data: nobody waits for a connection that does not come.  Its number is the one
    behind the data: conntrack that has seen those takes no other, and the receiver has room for it."""
    fields = (*ports, (int.from_bytes(mark[:4], "big") + 1 + len(mark)) % 2**32, 0, _TCP.size << 2, _RST, 0)
    total = upper_checksum(*ends, PROTO_TCP, _TCP.pack(*fields, 0, 0))
    return packet(macs, ends, PROTO_TCP, _TCP.pack(*fields, total, 0))
