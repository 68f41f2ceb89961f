"""Why something is sent: the requests that changed it, and the spans in which they did.

For logs and traces alone: nothing is done otherwise by it, and who does not know it reads over it.
"""

from typing import Final

from msgspec import Struct

MOST_CAUSES: Final = 32  # in a message; of further ones nothing is said
MOST_IDS: Final = 8
MOST_TEXT: Final = 64  # characters


class Cause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """request: its id.  span: a `traceparent`; empty: it is not traced, or its sender does not know.
    ids: of a traced one, the objects that it changed."""

    request: str = ""
    span: str = ""
    ids: tuple[str, ...] = ()


def is_sound(cause: Cause) -> bool:
    texts = (cause.request, cause.span, *cause.ids)
    return len(cause.ids) <= MOST_IDS and all(len(text) <= MOST_TEXT and text.isprintable() for text in texts)
