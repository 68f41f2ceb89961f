"""Tokens, within one transaction.  Many, short-lived, and of no interest to followers but when one is revoked.

So they are no objects: issuing one makes no entry in the change log and wakes nobody.
"""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from netweft.store.schema import tokens
from netweft.store.sql import Connection, Statement

_get = Statement(select(tokens.c.attrs).where(tokens.c.hash == bindparam("h")))
_insert = Statement(insert(tokens))
_delete = Statement(delete(tokens).where(tokens.c.hash == bindparam("h")))
_purge = Statement(delete(tokens).where(tokens.c.expires_at < bindparam("t")))


class Tokens:
    """hash: of the token; nobody can make the token from what is stored."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, hash: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._connection.scalar(_get, h=hash)
        return found

    def add(self, hash: str, expires_at: float, attrs: dict[str, Any]) -> None:
        """Those that expired before this one was issued go: the table holds no more than what is alive."""
        self._connection.run(_purge, {"t": attrs["issued_at"]})
        self._connection.run(_insert, {"hash": hash, "expires_at": expires_at, "attrs": attrs})

    def remove(self, hash: str) -> bool:
        return self._connection.run(_delete, {"h": hash}) > 0
