"""Nodes' tokens: what lets an agent subscribe to the feed as the node that it says it is.

    nodes: {"id": name, "name", "token_hash", "created_at"}

A token is `NAME.SECRET`; only its hash is stored.  Valid until it is rotated or the node is removed.
"""

import hmac
import secrets
import time

from netweft.plugins.identity.embedded.tokens import hash_of
from netweft.store import Duplicate, Object, Query, ReadTransaction, Store, WriteTransaction

KIND = "nodes"


def add(tx: WriteTransaction, name: str, *, rotate: bool) -> str:
    """The token: this is the only time that anybody sees it.  Raises Duplicate, unless rotate."""
    token = f"{name}.{secrets.token_urlsafe(32)}"
    if tx.lock(KIND, name) is None:
        node = {"id": name, "name": name, "token_hash": hash_of(token), "created_at": time.time()}
        tx.insert(KIND, node)
    elif rotate:
        tx.update(KIND, name, {"token_hash": hash_of(token)})
    else:
        raise Duplicate(KIND, name)
    return token


def remove(tx: WriteTransaction, name: str) -> None:
    """Raises Missing."""
    tx.delete(KIND, name)


def all_nodes(tx: ReadTransaction) -> list[Object]:
    return tx.query(KIND, Query(sort=[("name", False)]))


def node_for_token(store: Store, token: str) -> str | None:
    """The name of the node that this token was issued for.  Blocks for one look-up by key."""
    name, dot, _ = token.rpartition(".")
    if not dot:
        return None
    with store.read() as tx:
        node = tx.get(KIND, name)
    return name if node is not None and hmac.compare_digest(node["token_hash"], hash_of(token)) else None
