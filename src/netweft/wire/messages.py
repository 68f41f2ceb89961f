"""The messages of a node session, MessagePack over one WebSocket at `/netweft/v1/feed`.

    agent                              server
      | -- Authorization: Bearer <node token> --> |   (HTTP upgrade; 401 if unknown)
      | -- Subscribe ---------------------------> |
      | <- Snapshot, or Delta if `have` is usable |
      | <- Delta ...                              |
      | -- Report, Facts ...                    -> |
      | <- Ask; its Answer by the same session    |
      | <- Refused, then close, if it may not     |

A frame holds one message.  An unknown protocol version is refused in words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from netweft.model import FIRST_KINDS, KINDS, Key, NodeFacts, Object, PortStatus, Tracked, kind_of
from netweft.model.counting import Counted
from netweft.model.health import MemberHealth
from netweft.wire.causes import Cause
from netweft.wire.queries import Answer, Ask

PROTOCOL = 1
FEED_PATH = "/netweft/v1/feed"
MAX_MESSAGE_BYTES = 64 * 2**20  # downwards: a snapshot
MOST_MOVING = 100  # ports that move, in one report
MOST_COUNTED = 1000  # objects whose traffic was counted, in one report
MOST_MEMBERS = 1000  # of balancers, in one report
MAX_UPWARD_BYTES = 4 * 2**20


class BadMessage(Exception):
    """Not a message of this protocol; the text says what is wrong with it."""


class Subscribe(Struct, frozen=True, kw_only=True, tag="subscribe"):
    """node: must be the name that the token was issued for.  have_*: the view the agent still holds, if any.
    kinds: of objects that it knows; others are not sent to it.  answers: it answers queries (see `queries`)."""

    protocol: int = PROTOCOL
    node: str
    facts: NodeFacts
    have_history: str = ""
    have_revision: int = 0
    kinds: frozenset[str] = FIRST_KINDS
    answers: bool = False


class Facts(Struct, frozen=True, tag="facts"):
    facts: NodeFacts


class Left(Struct, frozen=True):
    """What a port was connected to that has just moved away from the node: for the node that has it now."""

    port_id: str
    connections: tuple[Tracked, ...]


class TakenUp(Struct, frozen=True):
    """The node has done what it can with a port's list of connections (Port.moved); at: which one."""

    port_id: str
    at: float


class HasAlone(Struct, frozen=True):
    """A floating IP that the node answers for, and nobody else.  led: which association of it this is."""

    id: str
    led: int


class Report(Struct, frozen=True, kw_only=True, tag="report", omit_defaults=True):
    """revision: the view these statuses were reached at.  complete: `ports` are all ports plugged in here,
    so that a bound port which is not among them is DOWN (sent once after each subscribe).

    A status for a port the node does not have in its view claims it: the server binds it to this node if it
    is not bound yet, else the status comes to nothing and is answered by `Denied`.  DOWN claims nothing: it says that
    the port is not plugged in (any more).  A port that was taken from the node while it was plugged in can be claimed
    once that was said.

    left, taken_up: of ports that move, MOST_MOVING of each; nothing is said to them.
    counted: totals that have changed, and after each subscribe all of them; MOST_COUNTED in a report.
    gateways: ports of routers' gateways that the node has taken over, as many at most; floating_ips: likewise.
    members: of balancers, whose status has changed; after each subscribe all; MOST_MEMBERS.
    causes: of these ports, by id, the spans in which they have become what they are; MOST_CAUSES.
    """

    revision: int
    ports: tuple[PortStatus, ...]
    complete: bool = False
    left: tuple[Left, ...] = ()
    taken_up: tuple[TakenUp, ...] = ()
    counted: tuple[Counted, ...] = ()
    gateways: tuple[str, ...] = ()
    floating_ips: tuple[HasAlone, ...] = ()
    members: tuple[MemberHealth, ...] = ()
    causes: dict[str, Cause] = {}


class Snapshot(Struct, frozen=True, kw_only=True, tag="snapshot", omit_defaults=True):
    """Everything the node needs; what it has besides is obsolete.  causes: as in Delta."""

    history: str
    revision: int
    objects: tuple[Object, ...]
    causes: tuple[Cause, ...] = ()


class Delta(Struct, frozen=True, kw_only=True, tag="delta", omit_defaults=True):
    """causes: why, of what is known of it: MOST_CAUSES."""

    revision: int
    upserts: tuple[Object, ...] = ()
    deletes: tuple[Key, ...] = ()
    causes: tuple[Cause, ...] = ()


def known(message: Snapshot | Delta, kinds: frozenset[str]) -> Snapshot | Delta:
    """What an agent can read that knows these kinds of objects."""
    if kinds >= KINDS:
        return message
    if isinstance(message, Snapshot):
        return replace(message, objects=tuple(obj for obj in message.objects if kind_of(obj) in kinds))
    upserts = tuple(obj for obj in message.upserts if kind_of(obj) in kinds)
    return replace(message, upserts=upserts, deletes=tuple(key for key in message.deletes if key[0] in kinds))


class Denied(Struct, frozen=True, tag="denied"):
    """Why a plugged-in port cannot be had on this node, per port id: unknown, bound elsewhere, ..."""

    ports: dict[str, str]


class Refused(Struct, frozen=True, tag="refused"):
    """The session ends.  retry: whether trying again later, unchanged, can help."""

    reason: str
    retry: bool = False


Upward: TypeAlias = Subscribe | Facts | Report | Answer
Downward: TypeAlias = Snapshot | Delta | Denied | Refused | Ask

_encoder = msgspec.msgpack.Encoder()
_upward: msgspec.msgpack.Decoder[Upward] = msgspec.msgpack.Decoder(Upward)
_downward: msgspec.msgpack.Decoder[Downward] = msgspec.msgpack.Decoder(Downward)


def encode(message: Upward | Downward) -> bytes:
    return _encoder.encode(message)


def decode_upward(frame: bytes) -> Upward:
    """Raises BadMessage on anything that is not an agent's message."""
    with _one_error():
        return _upward.decode(frame)


def decode_downward(frame: bytes) -> Downward:
    """Raises BadMessage on anything that is not a server's message."""
    with _one_error():
        return _downward.decode(frame)


@contextmanager
def _one_error() -> Iterator[None]:
    """msgspec's own errors are ValueErrors, as is that for text which is no UTF-8; deep nesting ends in the other."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise BadMessage(str(error)) from None
