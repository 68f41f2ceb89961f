"""JSON in and out, by msgspec; and the bounds of what texts from outside can say: depth, numbers, times."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.responses import Response

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_NUL = b"\\u0000"  # as it stands in JSON; raw control characters are no JSON at all
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")  # whatever fits into 64 bits; int() takes other scripts' digits too
_DEPTH = 32  # whoever writes it again, somewhere deeper in the program, has room for it
# in one body: some 10 ms of the loop's time, however they are put together
_PARTS = 10_000  # lists and objects
_VALUES = 20_000
_CONTAINERS = (dict, list)


class Malformed(Exception):
    """A body that cannot be read; the message is for the client."""


def decode(data: bytes | msgspec.Raw, type: Any = Any) -> Any:
    """Raises Malformed."""
    data = bytes(data)
    if _NUL in data:
        raise Malformed("NUL characters are not allowed.")  # PostgreSQL cannot keep them
    parts = data.count(b"[") + data.count(b"{")
    if parts > _PARTS or data.count(b",") > _VALUES:
        raise Malformed("The body has too many parts.")
    try:
        found = _decode(data) if type is Any else msgspec.json.decode(data, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    if type is Any and parts > _DEPTH:
        _check_depth(found)
    return found


def _check_depth(found: Any) -> None:
    level = [found]
    for _ in range(_DEPTH):
        members = (one.values() if type(one) is dict else one for one in level)
        level = [inner for each in members for inner in each if type(inner) in _CONTAINERS]
        if not level:
            return
    raise Malformed("The body is nested too deeply.")


def whole_number(text: str) -> int | None:
    """In ASCII digits, and not longer than a database's."""
    return int(text) if _NUMBER.fullmatch(text) else None


def seconds_of(moment: datetime) -> float | None:
    """Since the epoch; UTC where no zone is given.  None for what no calendar has in UTC any more, or not yet."""
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).timestamp()
    except OverflowError:
        return None


def told(answer: Any) -> msgspec.Raw:
    """The answer as it will be sent; called within its transaction: without it nothing is done (decision 0261)."""
    return msgspec.Raw(encode(answer))


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(content), status, headers, media_type="application/json")
