"""What a follower has begun to make so (decision 0347)."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "follower_begun",
        Column("follower", Text, ForeignKey("followers.name", ondelete="CASCADE"), primary_key=True),
        Column("key", Text, primary_key=True),
        Column("value", Text().with_variant(JSONB(), "postgresql"), nullable=False),
        sqlite_with_rowid=False,
    )
