"""A body's arguments of live packets, checked."""

from typing import Final

from msgspec import Struct

from netweft.api.faults import HTTPBadRequest
from netweft.wire.captures import MOST_BYTES, MOST_SECONDS

MOST_PACKETS: Final = 100


class Live(Struct, frozen=True, forbid_unknown_fields=True):
    """seconds: that are waited for them.  dropped: only those that do not arrive.  capture: they are in the answer,
    with so many bytes of each."""

    seconds: float = 30.0
    dropped: bool = False
    packets: int = 1
    capture: bool = False
    bytes: int = 256

    def check(self) -> None:
        """Raises HTTPBadRequest."""
        if not 1 <= self.seconds <= MOST_SECONDS:
            raise HTTPBadRequest(f"live: seconds is a number from 1 to {MOST_SECONDS:g}")
        if not 1 <= self.packets <= MOST_PACKETS:
            raise HTTPBadRequest(f"live: packets is a number from 1 to {MOST_PACKETS}")
        if not 64 <= self.bytes <= MOST_BYTES:
            raise HTTPBadRequest(f"live: bytes is a number from 64 to {MOST_BYTES}")
