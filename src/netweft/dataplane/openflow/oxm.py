"""Matches and single fields as OXM bytes, and back.  Knows fields.py, no messages.

A field that the switch names and we do not know becomes `oxm:<header in hex>` with its whole body as the value, so
that a flow of ours with a foreign match can still be told apart and deleted.
"""

from collections.abc import Iterator
from struct import Struct as Packer
from struct import error as StructError
from typing import TypeAlias

from netweft.dataplane.openflow.errors import ProtocolError
from netweft.dataplane.openflow.fields import FIELDS, Field
from netweft.dataplane.openflow.flow import Match

Known: TypeAlias = dict[bytes, Match]

_HEADER = Packer("!I")
_MATCH_HEAD = Packer("!HH")
_OXM_MATCH = 1
_UNKNOWN = "oxm:"


def header(field: Field, *, masked: bool = False) -> int:
    """class (16 bits), field (7), has-mask (1), length of the body (8)."""
    length = field.size * 2 if masked else field.size
    return field.vendor << 16 | field.id << 9 | int(masked) << 8 | length


_EXACT = {name: (_HEADER.pack(header(field)), field.size) for name, field in FIELDS.items()}
_MASKED = {name: (_HEADER.pack(header(field, masked=True)), field.size) for name, field in FIELDS.items()}
_ORDER = {name: index for index, name in enumerate(FIELDS)}
# header -> name, size, full mask (None: an exact match), first of two registers (None: not a wide register)
_KNOWN: dict[int, tuple[str, int, int | None, int | None]] = {}
for _name, _field in FIELDS.items():
    _wide = int(_name[4:]) * 2 if _name.startswith("xreg") else None
    _KNOWN[header(_field)] = (_name, _field.size, None, _wide)
    _KNOWN[header(_field, masked=True)] = (_name, _field.size, _field.full_mask, _wide)


def encode_field(name: str, value: int, mask: int | None = None) -> bytes:
    """One TLV, as matches and set_field have it."""
    if mask is None:
        if name.startswith(_UNKNOWN):
            return _encode_unknown(name, value)
        head, size = _EXACT[name]
        return head + value.to_bytes(size, "big")
    head, size = _MASKED[name]
    return head + value.to_bytes(size, "big") + mask.to_bytes(size, "big")


def encode_match(match: Match) -> bytes:
    """struct ofp_match with its padding."""
    parts = [encode_field(*part) for part in sorted(match, key=_position)]
    body = b"".join(parts)
    length = len(body) + 4
    return _MATCH_HEAD.pack(_OXM_MATCH, length) + body + bytes(-length % 8)


def decode_match(buffer: bytes, start: int, known: Known | None = None) -> tuple[Match, int]:
    """The canonical match at `start`, and where its padding ends.  Raises ProtocolError.

    known: fields that were decoded before, by their bytes; gets those that were not.  Of thousands of flows nine fields
    in ten are."""
    try:
        kind, length = _MATCH_HEAD.unpack_from(buffer, start)
    except StructError:
        raise ProtocolError("a match is cut short") from None
    end = start + length
    if kind != _OXM_MATCH or length < 4 or end > len(buffer):
        raise ProtocolError("a match is malformed")
    known = {} if known is None else known
    parts: list[tuple[str, int, int | None]] = []
    at = start + 4
    while at < end:
        after = at + 4 + buffer[at + 3] if at + 4 <= end else end + 1
        if after > end:
            raise ProtocolError("a match field is cut short, or longer than its match")
        tlv = buffer[at:after]
        found = known.get(tlv)
        if found is None:
            found = known[tlv] = _decoded(tlv)
        parts += found
        at = after
    parts.sort()
    return tuple(parts), end + -length % 8


def decode_field(buffer: bytes, start: int, end: int) -> tuple[str, int, int | None]:
    """One TLV as set_field has it: wide registers stay as they are.  Raises ProtocolError."""
    number, body, _ = _tlv(buffer, start, end)
    if number not in _KNOWN:
        return (f"{_UNKNOWN}{number:08x}", int.from_bytes(body, "big"), None)
    name, size, full, _ = _KNOWN[number]
    mask = int.from_bytes(body[size:], "big")
    return (name, int.from_bytes(body[:size], "big"), None if full is None or mask == full else mask)


def field_name(number: int) -> str | None:
    """The name that belongs to an OXM header without a mask."""
    known = _KNOWN.get(number)
    return known[0] if known else None


def _decoded(tlv: bytes) -> Match:
    """One field as a match has it, in no order: none where its mask is empty, two where it is a wide register."""
    number, body, _ = _tlv(tlv, 0, len(tlv))
    known = _KNOWN.get(number)
    if known is None:
        return ((f"{_UNKNOWN}{number:08x}", int.from_bytes(body, "big"), None),)
    name, size, full, wide = known
    value = int.from_bytes(body[:size], "big")
    mask = None if full is None else int.from_bytes(body[size:], "big")
    if wide is not None:
        return tuple(_split_register(wide, value, full if mask is None else mask))
    if mask == full:
        return ((name, value, None),)
    return ((name, value & mask, mask),) if mask else ()


def _split_register(number: int, value: int, mask: int | None) -> Iterator[tuple[str, int, int | None]]:
    """OpenFlow 1.5 reports registers in pairs."""
    low = 0xFFFFFFFF
    wide = (1 << 64) - 1 if mask is None else mask
    for name, half_value, half_mask in (
        (f"reg{number}", value >> 32, wide >> 32),
        (f"reg{number + 1}", value & low, wide & low),
    ):
        if half_mask == low:
            yield (name, half_value, None)
        elif half_mask:
            yield (name, half_value & half_mask, half_mask)


def _tlv(buffer: bytes, start: int, end: int) -> tuple[int, bytes, int]:
    body = start + 4
    if body > end:
        raise ProtocolError("a match field is cut short")
    number = int.from_bytes(buffer[start:body], "big")
    after = body + (number & 0xFF)
    if after > end:
        raise ProtocolError("a match field is longer than its match")
    return number, buffer[body:after], after


def _encode_unknown(name: str, value: int) -> bytes:
    number = int(name.removeprefix(_UNKNOWN), 16)
    return _HEADER.pack(number) + value.to_bytes(number & 0xFF, "big")


def _position(part: tuple[str, int, int | None]) -> int:
    return _ORDER.get(part[0], len(_ORDER))
