"""What may happen to the feed, one thing after the other: for `feed_world`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Put:
    kind: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Delete:
    kind: str
    id: str


@dataclass(frozen=True)
class Join:
    """A node's agent connects, or connects again.  forgetful: with nothing on its disk."""

    node: str
    forgetful: bool


@dataclass(frozen=True)
class Leave:
    node: str


@dataclass(frozen=True)
class Receive:
    """A node takes what there is for it."""

    node: str


@dataclass(frozen=True)
class Lose:
    """A message was sent to the node, and did not arrive: the connection broke."""

    node: str


@dataclass(frozen=True)
class Advance:
    """The hub reads the change log."""


@dataclass(frozen=True)
class Restart:
    """The server dies and another one takes its place."""


Event = Put | Delete | Join | Leave | Receive | Lose | Advance | Restart
