"""What an agent asks a server when a VM asks for metadata: one message each way, MessagePack in the body of a POST.

The VM's request is inside, not around: nothing that it says becomes a path or a header of the agent's own request.
"""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from netweft.wire.messages import BadMessage

PATH: Final = "/netweft/v1/metadata"
MOST_ASKED: Final = 64 * 1024  # bytes of what a VM sends along
MOST_TARGET: Final = 8 * 1024


class Ask(Struct, frozen=True, kw_only=True):
    """asked_from: the VM's own address.  target: path and query, as the VM wrote them."""

    port_id: str
    asked_from: str
    method: str
    target: str
    body: bytes = b""


class Said(Struct, frozen=True, kw_only=True):
    """What the VM is to hear."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=UTF-8"


_T = TypeVar("_T", Ask, Said)


def encode(message: Ask | Said) -> bytes:
    return msgspec.msgpack.encode(message)


def decode(kind: type[_T], data: bytes) -> _T:
    """Raises BadMessage."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (ValueError, RecursionError) as error:
        raise BadMessage(str(error)) from None
