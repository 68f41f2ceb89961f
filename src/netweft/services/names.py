"""What the node's name server answers: the names of ports, as values (`dns` makes them)."""

from enum import StrEnum

from msgspec import Struct


class Place(StrEnum):
    """Where a port is bound."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    NOWHERE = "nowhere"


class Named(Struct, frozen=True, kw_only=True):
    """What a port is called.  place: where it is bound.  name: as the API keeps it; empty: it has none.
    domain: its own, or its network's; empty: the node's."""

    port_id: str
    place: Place
    network_id: str
    name: str
    domain: str
    addresses: tuple[str, ...]
