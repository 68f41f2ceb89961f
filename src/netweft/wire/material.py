"""An agent's request to a server for the TLS material of a load balancer: one message each way, MessagePack in a POST.

Certificates and keys are in no object of the feed: a node requests those that it needs, and keeps them in files.
"""

from typing import Final

from msgspec import Struct

PATH: Final = "/netweft/v1/material"
MOST: Final = 64  # in one question


class Wanted(Struct, frozen=True):
    """kind: certificate (with its chain and its key), authorities or revoked: all as PEM."""

    ref: str
    kind: str


class Ask(Struct, frozen=True, kw_only=True):
    balancer_id: str
    wanted: tuple[Wanted, ...]


class Said(Struct, frozen=True, kw_only=True):
    """content: in the order of what was wanted; or why there is none."""

    content: tuple[bytes, ...] = ()
    problem: str = ""

    def __repr__(self) -> str:
        return f"Said(content=<{len(self.content)}>, problem={self.problem!r})"
