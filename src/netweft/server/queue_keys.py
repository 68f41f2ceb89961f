"""Whose line a request waits in before its token is looked at: that of whoever had the same token lately.

Only that: what the token is worth is found out when the turn has come.  Where it is worth nothing any more, the next
request with it waits among strangers.
"""

from hashlib import sha256

from netweft.store.fair_queue import Names
from netweft.store.turns import STRANGERS

SIZE = 8192


class Known:
    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._names: dict[bytes, Names] = {}

    def names(self, token: bytes, client: str) -> Names:
        found = self._names.get(_digest(token)) if token else None
        return (STRANGERS, client) if found is None else (*found, client)

    def learn(self, token: bytes, names: Names) -> None:
        """names: as whoever let it in has set them."""
        digest = _digest(token) if token else None
        if digest is None or self._names.get(digest) == (owner := tuple(names[:-1])):
            return
        self._names.pop(digest, None)
        if owner[0] != STRANGERS:
            self._names[digest] = owner
            if len(self._names) > self._size:
                del self._names[next(iter(self._names))]  # learned first


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
