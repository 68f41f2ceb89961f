"""One server of many does something at a time: a lease in the database, by its clock (`store.followers`).  Blocking."""

import uuid
from typing import Final

from netweft.store import Store

SECONDS: Final = 15.0


class Lease:
    def __init__(self, store: Store, name: str) -> None:
        self.name, self.me = name, uuid.uuid4().hex
        self._store, self._held = store, False

    def hold(self) -> bool:
        """Takes or prolongs it.  False: another server has it."""
        with self._store.read() as tx:
            found = tx.followers.get(self.name)
        # one server has the file: whoever held the lease has ended
        if found is not None and found.held and found.holder != self.me and not self._store.embedded:
            return False
        with self._store.write() as tx:
            if self._store.embedded and not self._held:
                tx.followers.let_go(self.name)
            self._held = tx.followers.hold(self.name, self.me, SECONDS)
            return self._held

    def let_go(self) -> None:
        """Another server may have it at once."""
        with self._store.write() as tx:
            tx.followers.let_go(self.name, self.me)
        self._held = False
