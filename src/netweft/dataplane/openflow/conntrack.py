"""What conntrack is to delete, as bytes: Open vSwitch's NXT_CT_FLUSH and NXT_CT_FLUSH_ZONE."""

from ipaddress import IPv4Address, IPv6Address
from struct import Struct as Packer

from msgspec import Struct

from netweft.dataplane.openflow.actions import NICIRA
from netweft.dataplane.openflow.messages import Type, message

_FLUSH_ZONE = Packer("!II6xH")
_FLUSH = Packer("!IIB7x")
_PROPERTY = Packer("!HH")
_NXT_CT_FLUSH_ZONE, _NXT_CT_FLUSH = 29, 32
_ORIGINAL, _ZONE = 0, 2  # properties of the message
_SRC, _DST, _SPORT, _DPORT, _ICMP_ID, _ICMP_TYPE, _ICMP_CODE = range(7)  # of a tuple


class Connections(Struct, frozen=True, kw_only=True):
    """Connections of a zone by their first packet; 0: whatever it was.  icmp: identifier, type and code; what has
    addresses and a protocol that is ICMP needs them."""

    zone: int
    version: int
    src: int = 0
    dst: int = 0
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    icmp: tuple[int, int, int] | None = None


def flush_zone(zone: int, xid: int) -> bytes:
    """Conntrack forgets all it knows of this zone."""
    return message(Type.EXPERIMENTER, xid, _FLUSH_ZONE.pack(NICIRA, _NXT_CT_FLUSH_ZONE, zone))


def flush(which: Connections, xid: int) -> bytes:
    """It forgets these.  Without both ends, a protocol and its ports Open vSwitch looks at each that it has."""
    parts = [(_SRC, _ip(which.version, which.src)) if which.src else None]
    parts += [(_DST, _ip(which.version, which.dst)) if which.dst else None]
    if which.icmp is not None:
        id, kind, code = which.icmp
        parts += [(_ICMP_ID, id.to_bytes(2, "big")), (_ICMP_TYPE, bytes([kind])), (_ICMP_CODE, bytes([code]))]
    else:
        ports = ((_SPORT, which.sport), (_DPORT, which.dport))
        parts += [(kind, port.to_bytes(2, "big")) for kind, port in ports if port]
    inner = b"".join(_property(*part) for part in parts if part)
    nested = _property(_ORIGINAL, bytes(4) + inner)
    zone = _property(_ZONE, which.zone.to_bytes(2, "big"))
    return message(Type.EXPERIMENTER, xid, _FLUSH.pack(NICIRA, _NXT_CT_FLUSH, which.protocol) + nested + zone)


def _ip(version: int, value: int) -> bytes:
    """An IPv4 address is mapped into IPv6."""
    if version == 4:
        return bytes(10) + b"\xff\xff" + IPv4Address(value).packed
    return IPv6Address(value).packed


def _property(kind: int, body: bytes) -> bytes:
    """Padded to 8 bytes, which its length does not say."""
    length = _PROPERTY.size + len(body)
    return _PROPERTY.pack(kind, length) + body + bytes(-length % 8)
