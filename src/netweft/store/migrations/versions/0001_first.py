"""The first schema.  Spelled out: a migration must not change when schema.py does."""

import uuid

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKeyConstraint,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    column,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_LOOKED_UP = ("project_id", "name", "network_id", "device_id", "host_id", "security_group_id")


def upgrade() -> None:
    attrs = Column("attrs", Text().with_variant(JSONB(), "postgresql"), nullable=False)
    op.create_table(
        "objects",
        Column("kind", Text, nullable=False),
        Column("id", Text, nullable=False),
        *(Column(name, Text) for name in _LOOKED_UP),
        attrs,
        PrimaryKeyConstraint("kind", "id"),
    )
    for name in _LOOKED_UP:
        where = Column(name, Text).isnot(None)
        op.create_index(f"objects_{name}", "objects", ["kind", name], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "links",
        *(
            Column(name, Text, nullable=False)
            for name in ("source_kind", "source_id", "attribute", "target_kind", "target_id")
        ),
        PrimaryKeyConstraint("source_kind", "source_id", "attribute", "target_kind", "target_id"),
        ForeignKeyConstraint(["source_kind", "source_id"], ["objects.kind", "objects.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["target_kind", "target_id"], ["objects.kind", "objects.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("links_target", "links", ["target_kind", "target_id"])
    op.create_table(
        "claims",
        *(Column(name, Text, nullable=False) for name in ("scope", "value", "kind", "id")),
        PrimaryKeyConstraint("scope", "value"),
        ForeignKeyConstraint(["kind", "id"], ["objects.kind", "objects.id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("claims_holder", "claims", ["kind", "id"])
    for name in ("pools", "free_ranges"):
        op.create_table(
            name,
            Column("scope", Text, nullable=False),
            Column("first", LargeBinary, nullable=False),
            Column("last", LargeBinary, nullable=False),
            PrimaryKeyConstraint("scope", "first"),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "changes",
        Column("revision", BigInteger, nullable=False, autoincrement=False),
        Column("kind", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("op", Text, nullable=False),
        Column("at", Float, nullable=False),
        PrimaryKeyConstraint("revision", "kind", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table("meta", Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
    op.bulk_insert(
        table("meta", column("key", Text), column("value", Text)),
        [{"key": "history", "value": uuid.uuid4().hex}, {"key": "pruned", "value": "0"}],
    )
