"""What a server has a node capture for a while, and what was caught: real packets, at interfaces.

One query starts it, later ones with the same id fetch what has come since.  A node without a query for
`FORGET_SECONDS` ends it, and so does one whose agent has ended: nothing is left that would have to be removed.
"""

from typing import Final

from msgspec import Struct

FORGET_SECONDS: Final = 5.0
MOST_SECONDS: Final = 120.0
MOST_MATCHES: Final = 8
MOST_SEGMENTS: Final = 8
MOST_PORTS: Final = 2
MOST_FRAMES: Final = 64  # in one answer
MOST_BYTES: Final = 1600  # of one frame
LEAST_BYTES: Final = 320  # that are looked at: with what a tunnel puts around it
AT_ONCE: Final = 8  # of one node
OF_A_PROJECT: Final = 2  # of these


class Match(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left out is any.  Of ICMP sport is the type."""

    src: str = ""
    dst: str = ""
    protocol: int
    sport: int = 0
    dport: int = 0


class Of(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A segment whose packets are looked at where they leave or reach the node."""

    network_type: str
    physical_network: str = ""
    key: int = 0


class Watch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """ports: at whose interfaces it is looked.  of: besides, at the node's uplinks and tunnels, for packets of these.
    matches: any of them.  bytes: that are kept of each frame at a port's interface; of others nothing is kept but what
    it was.  over: it ends."""

    id: str
    project: str = ""
    seconds: float = 0.0
    ports: tuple[str, ...] = ()
    of: tuple[Of, ...] = ()
    matches: tuple[Match, ...] = ()
    bytes: int = 0
    over: bool = False


class Frame(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """port_id: of the interface; empty: an uplink or tunnel.  out: it was sent there, to the VM or off the node.
    at: seconds since the epoch, by the node's clock.  length: in bytes, as it was there.  tunnel: the type of that in
    which it was.
    number, payload: of TCP, where its data begins, and bytes of it.  flags: of TCP.  print: of all but TCP with data,
    what is the same wherever it is seen.  data: how it begins."""

    interface: str
    port_id: str = ""
    out: bool = False
    at: float = 0.0
    length: int = 0
    tunnel: str = ""
    src: str = ""
    dst: str = ""
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    ttl: int = 0
    number: int = 0
    payload: int = 0
    flags: str = ""
    print: str = ""
    data: bytes = b""


class Caught(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """frames: since the last answer.  ports: those that are wired here.  lost: packets that were too many to be looked
    at, since it began."""

    frames: tuple[Frame, ...] = ()
    ports: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    lost: int = 0
