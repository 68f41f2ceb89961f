"""Identity's tokens, in a table of their own (decision 0012)."""

from alembic import op
from sqlalchemy import Column, Float, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "tokens",
        Column("hash", Text, primary_key=True),
        Column("expires_at", Float, nullable=False),
        Column("attrs", Text().with_variant(JSONB(), "postgresql"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("tokens_expires_at", "tokens", ["expires_at"])
