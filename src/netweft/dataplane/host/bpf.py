"""Filters for packet sockets in the kernel's classic BPF: which packets, plain, with a VLAN tag or within a tunnel.

A block for each form of each match; the first that a packet goes through to its end takes it.  A load beyond the
packet's end ends the program, so blocks stand in the order of how far into the packet they look.
"""

import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, TypeAlias

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_ICMP, PROTO_ICMPV6

_LDW, _LDH, _LDB = 0x20, 0x28, 0x30
_LDH_X, _LDB_X, _LDX_HEADER, _LDX = 0x48, 0x50, 0xB1, 0x01
_JEQ, _JSET, _RET = 0x15, 0x45, 0x06
_FRAGMENT: Final = 0x1FFF  # not the first
TYPE, HEADER = 12, 14  # in an Ethernet frame
# where the inner Ethernet frame begins: plain, tagged; in GRE with a key, VXLAN or Geneve, Geneve with an option, STT,
# in IPv4 and in IPv6
PLAIN: Final = (0, 4)
TUNNELS: Final = (42, 50, 58, 62, 70, 72, 78, 92)
MOST: Final = 4096  # instructions that the kernel takes

IpAddress: TypeAlias = IPv4Address | IPv6Address
_Test: TypeAlias = tuple[int, int, bool]  # jump, value, whether it is to be so


class Pattern(NamedTuple):
    """None, 0: any.  Of ICMP sport is the type."""

    version: int
    protocol: int
    src: IpAddress | None = None
    dst: IpAddress | None = None
    sport: int = 0
    dport: int = 0


def program(patterns: Sequence[Pattern], bases: Iterable[int], keep: int) -> bytes:
    """keep: bytes of each packet that are handed over.  Raises ValueError where the kernel would not take it."""
    blocks = [_block(one, base, keep) for base in sorted(bases) for one in patterns]
    code = [one for block in blocks for one in block] + [(_RET, 0, 0, 0)]
    if len(code) > MOST:
        raise ValueError("too many packets are looked for at once")
    return b"".join(struct.pack("HBBI", *one) for one in code)


def _block(one: Pattern, base: int, keep: int) -> list[tuple[int, int, int, int]]:
    loads = list(_tests(one, base))
    length = sum(len(load) + 1 for load, _ in loads) + 1
    code: list[tuple[int, int, int, int]] = []
    for load, (jump, value, wanted) in loads:
        code += [(op, 0, 0, at) for op, at in load]
        away = length - len(code) - 1
        code.append((jump, 0, away, value) if wanted else (jump, away, 0, value))
    return [*code, (_RET, 0, 0, keep)]


def _tests(one: Pattern, base: int) -> Iterable[tuple[list[tuple[int, int]], _Test]]:
    ip, six = base + HEADER, one.version == 6
    yield [(_LDH, base + TYPE)], (_JEQ, ETH_IPV6 if six else ETH_IPV4, True)
    yield [(_LDB, ip + (6 if six else 9))], (_JEQ, one.protocol, True)
    for address, at in ((one.src, ip + (8 if six else 12)), (one.dst, ip + (24 if six else 16))):
        packed = address.packed if address is not None else b""
        for word in range(0, len(packed), 4):
            yield [(_LDW, at + word)], (_JEQ, int.from_bytes(packed[word : word + 4], "big"), True)
    if not (one.sport or one.dport):
        return
    if not six:
        yield [(_LDH, ip + 6)], (_JSET, _FRAGMENT, False)
    start = (_LDX, 40) if six else (_LDX_HEADER, ip)
    if one.protocol in (PROTO_ICMP, PROTO_ICMPV6):
        yield [start, (_LDB_X, ip)], (_JEQ, one.sport, True)
        return
    for port, at in ((one.sport, ip), (one.dport, ip + 2)):
        if port:
            yield [start, (_LDH_X, at)], (_JEQ, port, True)
