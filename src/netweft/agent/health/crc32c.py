"""CRC-32C (Castagnoli), which SCTP has for its checksum (RFC 9260, appendix A)."""

from functools import cache

_POLYNOMIAL = 0x82F63B78  # reflected


@cache
def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


def crc32c(data: bytes) -> int:
    table, total = _table(), 0xFFFFFFFF
    for byte in data:
        total = total >> 8 ^ table[(total ^ byte) & 0xFF]
    return total ^ 0xFFFFFFFF
