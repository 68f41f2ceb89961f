"""W3C Trace Context, level 1: the `traceparent` header, in and out.

    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01      version, trace id, span id, flags

Of `tracestate` nothing is kept: it is a stranger's text.
"""

import re
from typing import Final, NamedTuple

SAMPLED: Final = 1
_HEADER: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_LENGTH: Final = 55  # of version 00, and of what later ones begin with
_LONGEST: Final = 512  # a later version's; longer is nobody's


class Parent(NamedTuple):
    trace_id: int
    span_id: int
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{SAMPLED * self.sampled:02x}"


def parsed(header: str) -> Parent | None:
    """None for what is not one, whatever it is."""
    found = _HEADER.fullmatch(header) if _LENGTH <= len(header) <= _LONGEST else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5] is not None):
        return None
    parent = Parent(int(found[2], 16), int(found[3], 16), bool(int(found[4], 16) & SAMPLED))
    return parent if parent.trace_id and parent.span_id else None
