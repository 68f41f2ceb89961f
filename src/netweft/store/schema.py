"""The tables, as SQLAlchemy knows them.  Migrations make them; this module only names them.

One table for all resources, so that a new plain resource needs no migration.  The columns beside `attrs` are copies
of the attributes that are often looked up: an index needs a column, nothing else does.
"""

from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import UserDefinedType

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Json(UserDefinedType[Any]):
    """A JSON document: text in SQLite, jsonb in PostgreSQL (decoded by its driver for migrations only)."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "JSONB"

    def bind_processor(self, dialect: Dialect) -> Any:
        return lambda value: _encode(value).decode()

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return None if dialect.name == "postgresql" else _decode


metadata = MetaData()

# attribute -> column
LOOKED_UP = {
    "project_id": "project_id",
    "name": "name",
    "network_id": "network_id",
    "device_id": "device_id",
    "binding:host_id": "host_id",
    "security_group_id": "security_group_id",
}

objects = Table(
    "objects",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    *(Column(name, Text) for name in LOOKED_UP.values()),
    Column("attrs", Json, nullable=False),
)
for _name in LOOKED_UP.values():
    Index(f"objects_{_name}", objects.c.kind, objects.c[_name])

# who needs whom: the source object goes freely and takes its links along, the target only when nobody links to it
links = Table(
    "links",
    metadata,
    Column("source_kind", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("attribute", Text, primary_key=True),
    Column("target_kind", Text, primary_key=True),
    Column("target_id", Text, primary_key=True),
    ForeignKeyConstraint(["source_kind", "source_id"], ["objects.kind", "objects.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["target_kind", "target_id"], ["objects.kind", "objects.id"]),
    sqlite_with_rowid=False,
)
Index("links_target", links.c.target_kind, links.c.target_id)

# values that only one object may hold: an address in a subnet, a MAC in a network, a VNI, a user's name
claims = Table(
    "claims",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    ForeignKeyConstraint(["kind", "id"], ["objects.kind", "objects.id"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)
Index("claims_holder", claims.c.kind, claims.c.id)

# numbers to hand out: the ranges of a pool, and what is free of them, as big-endian bytes
pools = Table(
    "pools",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("first", LargeBinary, primary_key=True),
    Column("last", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
free_ranges = Table(
    "free_ranges",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("first", LargeBinary, primary_key=True),
    Column("last", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# the change log: all rows of one transaction have the same revision
changes = Table(
    "changes",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("op", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("actor", Text),  # none: before it was kept
    Column("request", Text),  # its id; none: no request made it, or before it was kept
    Column("span", Text),  # as a traceparent; none: of none that is recorded
    Column("project", Text),  # of what is deleted: whose it was, and what it was called; none: of all else
    Column("name", Text),
    sqlite_with_rowid=False,
)
Index("changes_object", changes.c.kind, changes.c.id, changes.c.revision)

# identity's tokens: no objects, since they are many and short-lived, and issuing one is no news to followers
tokens = Table(
    "tokens",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("expires_at", Float, nullable=False, index=True),
    Column("attrs", Json, nullable=False),
    sqlite_with_rowid=False,
)

# followers of the feed that are not nodes: which server holds each until when, and its place in the change log
followers = Table(
    "followers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("held_until", Float, nullable=False),
    Column("revision", BigInteger, nullable=True),
    Column("problem", Text, nullable=False),
    sqlite_with_rowid=False,
)
# what a follower has made so already, by object
follower_state = Table(
    "follower_state",
    metadata,
    Column("follower", Text, ForeignKey("followers.name", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Json, nullable=False),
    sqlite_with_rowid=False,
)
# and what it has begun to make so: that is done or not, and only doing it again tells
follower_begun = Table(
    "follower_begun",
    metadata,
    Column("follower", Text, ForeignKey("followers.name", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Json, nullable=False),
    sqlite_with_rowid=False,
)

# what nodes have counted of objects' traffic: no objects, since it changes all the time and is no news to followers.
# Of each node what it has reported since it started (`life`), and what before that; what is counted of objects
# that are gone goes with the next tidying up
COUNTS = ("packets_in", "bytes_in", "packets_out", "bytes_out")
counters = Table(
    "counters",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("life", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
    *(Column(f"earlier_{name}", BigInteger, nullable=False) for name in COUNTS),
    sqlite_with_rowid=False,
)

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
