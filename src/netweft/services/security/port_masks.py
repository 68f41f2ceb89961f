"""A range of ports as matches."""

from collections.abc import Iterator
from typing import Final

from netweft.services.tables import Value

PORT_BITS: Final = 16


def port_masks(low: int, high: int) -> Iterator[Value]:
    """The fewest (value, mask) that together are low..high, both inclusive."""
    while low <= high:
        size = low & -low or 1 << PORT_BITS
        while low + size - 1 > high:
            size >>= 1
        mask = (1 << PORT_BITS) - size
        yield low if size == 1 else (low, mask)
        low += size
