"""Short messages between servers of one database, kept nowhere: who is not there when one is sent never gets it.

PostgreSQL's NOTIFY with what it takes at once (8000 bytes); longer ones go in parts.  With SQLite there is one server.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

CHANNEL: Final = "netweft_letters"
PART: Final = 7000  # characters
MOST_PARTS: Final = 64  # of one
_OPEN: Final = 256  # messages of which parts are still to come; older ones are given up
_SEND = text(f"SELECT pg_notify('{CHANNEL}', :part)")


class _Part(NamedTuple):
    id: str
    place: int
    parts: int
    text: str


class ServerMessages:
    """Thread-safe.  on_message: called with each, also one's own, in the thread that listens."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._open: OrderedDict[str, dict[int, str]] = OrderedDict()
        self.on_message: Callable[[str], None] = lambda _: None

    def send(self, message: str) -> None:
        """message: ASCII.  Blocks.  Raises ValueError for one that is too long, OSError where the database is away."""
        parts = [message[at : at + PART] for at in range(0, len(message), PART)] or [""]
        if len(parts) > MOST_PARTS:
            raise ValueError(f"a message of {len(message)} characters is too long")
        id = secrets.token_hex(8)
        try:
            with self._engine.begin() as connection:
                for place, part in enumerate(parts):
                    connection.execute(_SEND, {"part": f"{id} {place} {len(parts)} {part}"})
        except SQLAlchemyError as error:
            raise OSError(f"the database does not take it: {type(error).__name__}") from error

    def heard(self, payload: str) -> None:
        """A part; what is none of ours says nothing."""
        part = _parsed(payload)
        message = self._with(part) if part else None
        if message is not None:
            self.on_message(message)

    def _with(self, part: _Part) -> str | None:
        """The message, if this was the last of it."""
        with self._lock:
            there = self._open.setdefault(part.id, {})
            there[part.place] = part.text
            if len(there) < part.parts:
                while len(self._open) > _OPEN:
                    self._open.popitem(last=False)
                return None
            del self._open[part.id]
        return "".join(there[place] for place in sorted(there))


def _parsed(payload: str) -> _Part | None:
    id, _, rest = payload.partition(" ")
    place, _, rest = rest.partition(" ")
    count, _, said = rest.partition(" ")
    if not (place.isdigit() and count.isdigit()) or not 0 <= int(place) < int(count) <= MOST_PARTS:
        return None
    return _Part(id, int(place), int(count), said)
