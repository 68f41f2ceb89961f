"""An agent's request to a server for a VM's metadata: one message each way, MessagePack in the body of a POST.

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


SEATS_PATH: Final = f"{PATH}-askers"  # on a chassis of OVN's, where the feed says nothing


class Plugged(Struct, frozen=True, kw_only=True):
    """A chassis agent's request: which ports these are, by their interfaces' iface-ids."""

    ports: tuple[str, ...]


class Seat(Struct, frozen=True, kw_only=True):
    """A port of that node that may ask for metadata: plugged in, or a sub-port of one that is."""

    port_id: str
    network_id: str
    mac_address: str
    ip_addresses: tuple[str, ...] = ()


class Seats(Struct, frozen=True, kw_only=True):
    seats: tuple[Seat, ...] = ()
