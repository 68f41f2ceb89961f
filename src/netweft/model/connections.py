"""What a port that moves is connected to: its old node lists it, its new node takes it up (docs/decisions/0243)."""

from msgspec import Struct

MOST = 1000  # of one port
FRESH_SECONDS = 60.0  # older ones are not taken up any more

# kept on ports, not shown: what a MovedConnections says, and which hosts a port has just left, with the time
MOVED = "netweft:moved"
CAME_FROM = "netweft:came_from"
LEFT = "netweft:left"  # what nodes get of CAME_FROM: whether there is any


class Tracked(Struct, frozen=True, array_like=True):
    """A connection as its first packet went.  sport, dport: of ICMP the identifier, and type and code as one number."""

    protocol: int
    src: str
    dst: str
    sport: int = 0
    dport: int = 0


class MovedConnections(Struct, frozen=True):
    """at: when the server got it, in seconds since 1970; it also distinguishes one such list of a port from the
    next."""

    at: float
    connections: tuple[Tracked, ...]
