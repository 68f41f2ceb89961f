"""Ranges of ports, as forwardings have them: `first:last` in the API and in rows."""

from typing import Final, NamedTuple

LEAST: Final = 1
MOST: Final = 65535


class PortRange(NamedTuple):
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}:{self.last}"

    @property
    def single(self) -> int | None:
        """The port, if it is one alone."""
        return self.first if self.first == self.last else None

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def overlaps(self, other: "PortRange") -> bool:
        return max(self.first, other.first) <= min(self.last, other.last)


def parsed(text: str) -> PortRange:
    """`first:last`, or one port.  Raises ValueError."""
    first, colon, last = text.partition(":")
    found = PortRange(_port(first), _port(last if colon else first))
    if found.first > found.last:
        raise ValueError(f"'{text}' ends before it begins")
    return found


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MOST)) or not LEAST <= int(text) <= MOST:
        raise ValueError(f"'{text}' is no port from {LEAST} to {MOST}")
    return int(text)
