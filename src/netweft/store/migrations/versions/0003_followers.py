"""Followers of the feed that are not nodes: their place, their lease, and what they have made so (decision 0300)."""

from alembic import op
from sqlalchemy import BigInteger, Column, Float, ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "followers",
        Column("name", Text, primary_key=True),
        Column("holder", Text, nullable=False),
        Column("held_until", Float, nullable=False),
        Column("revision", BigInteger, nullable=True),
        Column("problem", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "follower_state",
        Column("follower", Text, ForeignKey("followers.name", ondelete="CASCADE"), primary_key=True),
        Column("key", Text, primary_key=True),
        Column("value", Text().with_variant(JSONB(), "postgresql"), nullable=False),
        sqlite_with_rowid=False,
    )
