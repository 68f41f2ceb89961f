"""Meters as values, their messages as bytes, and back.  No I/O, no state.

A meter is known by its number in its bridge and by nothing else: it has no cookie.  Ours have one band, which drops.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct as Packer
from struct import error as StructError
from typing import Literal, TypeAlias

from msgspec import Struct

from netweft.dataplane.openflow.errors import ProtocolError
from netweft.dataplane.openflow.messages import Multipart, Type, message, multipart_request

Unit: TypeAlias = Literal["kbps", "pktps"]

_MOD = Packer("!HHI")
_BAND = Packer("!HHII4x")
_CONFIG = Packer("!HHI")
_WHICH = Packer("!I4x")
_FEATURES = Packer("!I")
_COUNTS = Packer("!IH6xIQQII")  # number, length, flows, packets, bytes, seconds and more
_BAND_COUNTS = Packer("!QQ")
_ALL = 0xFFFFFFFF
_DROP = 1
_KBPS, _PKTPS, _BURST, _STATS = 1, 2, 4, 8
_UNITS: dict[Unit, int] = {"kbps": _KBPS, "pktps": _PKTPS}


class MeterCommand(IntEnum):
    ADD = 0
    MODIFY = 1
    DELETE = 2


class DropMeter(Struct, frozen=True, kw_only=True):
    """What comes faster than `rate` a second is dropped; `burst` may come at once after a pause.

    In kilobits or packets.  unit None: somebody else's, or not as we make them; never sent."""

    id: int
    unit: Unit | None
    rate: int
    burst: int

    def __str__(self) -> str:
        return f"meter={self.id} {self.unit} burst stats bands=type=drop rate={self.rate} burst_size={self.burst}"


def meter_mod(command: MeterCommand, meter: DropMeter, xid: int) -> bytes:
    if command == MeterCommand.DELETE:
        return message(Type.METER_MOD, xid, _MOD.pack(command, 0, meter.id))
    assert meter.unit is not None
    body = _MOD.pack(command, _UNITS[meter.unit] | _BURST | _STATS, meter.id)
    return message(Type.METER_MOD, xid, body + _BAND.pack(_DROP, _BAND.size, meter.rate, meter.burst))


def dump_request(xid: int) -> bytes:
    return multipart_request(Multipart.METER_CONFIG, _WHICH.pack(_ALL), xid)


def counts_request(number: int, xid: int) -> bytes:
    return multipart_request(Multipart.METER, _WHICH.pack(number), xid)


def decode_dropped(body: bytes) -> int:
    """Packets that the bands of the meters in one part of an answer have dropped."""
    start = dropped = 0
    while start < len(body):
        _, length, *_ = _unpack(_COUNTS, body, start)
        after = start + length
        if length < _COUNTS.size or after > len(body):
            raise ProtocolError("a meter's counts have an impossible length")
        bands = range(start + _COUNTS.size, after, _BAND_COUNTS.size)
        dropped += sum(_unpack(_BAND_COUNTS, body, at)[0] for at in bands)
        start = after
    return dropped


def features_request(xid: int) -> bytes:
    return multipart_request(Multipart.METER_FEATURES, b"", xid)


def decode_features(body: bytes) -> int:
    """How many meters there can be; 0: the datapath has none."""
    return int(_unpack(_FEATURES, body, 0)[0])


def decode_meters(body: bytes) -> Iterator[DropMeter]:
    """The meters of one part of the answer to a dump."""
    start = 0
    while start < len(body):
        length, flags, number = _unpack(_CONFIG, body, start)
        after = start + length
        if length < _CONFIG.size or after > len(body):
            raise ProtocolError("a meter has an impossible length")
        yield _decode_meter(number, flags, body[start + _CONFIG.size : after])
        start = after


def _decode_meter(number: int, flags: int, bands: bytes) -> DropMeter:
    unit = next((unit for unit, flag in _UNITS.items() if flags == flag | _BURST | _STATS), None)
    kind, _, rate, burst = _unpack(_BAND, bands, 0) if len(bands) == _BAND.size else (0, 0, 0, 0)
    return DropMeter(id=number, unit=unit if kind == _DROP else None, rate=rate, burst=burst)


def _unpack(packer: Packer, body: bytes, start: int) -> tuple[int, ...]:
    try:
        return packer.unpack_from(body, start)
    except StructError:
        raise ProtocolError("a meter is cut short") from None
