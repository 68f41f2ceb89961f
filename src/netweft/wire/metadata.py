"""What an agent asks a server when a VM asks for metadata: one message each way, MessagePack in the body of a POST.

The VM's request is inside, not around: nothing that it says becomes a path or a header of the agent's own request.
"""

from typing import Final

from msgspec import Struct

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
