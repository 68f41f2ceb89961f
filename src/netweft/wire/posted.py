"""An agent's POST to a server: one message each way, MessagePack in the body."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from netweft.wire.messages import BadMessage

_T = TypeVar("_T", bound=Struct)


def encode(message: Struct) -> bytes:
    return msgspec.msgpack.encode(message)


def decode(kind: type[_T], data: bytes) -> _T:
    """Raises BadMessage."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (ValueError, RecursionError) as error:
        raise BadMessage(str(error)) from None
