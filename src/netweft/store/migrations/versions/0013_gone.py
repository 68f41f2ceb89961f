"""Whose it was that was deleted, and what it was called (decision 0531)."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("changes", Column("project", Text))
    op.add_column("changes", Column("name", Text))
