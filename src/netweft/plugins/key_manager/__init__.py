"""Where balancers' certificates are kept, when that is not this server: the Protocol for another key manager."""

from collections.abc import Collection, Mapping
from typing import Protocol


class KeyManagerUnavailable(Exception):
    """It cannot answer now: 503.  The secret may be there."""


class KeyManager(Protocol):
    async def contents(self, project_id: str, refs: Collection[str], token: str) -> Mapping[str, Mapping[str, bytes]]:
        """A container's secrets by name, a secret's payload as ''; what leads nowhere is not in it.

        token: of who names them, and has to be allowed to read them; empty: this server reads what it was given access
        to when they were named.  Raises KeyManagerUnavailable."""
        ...

    def close(self) -> None: ...
