"""Who made a change, and one object's changes found at once (decision 0506)."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("changes", Column("actor", Text))
    op.create_index("changes_object", "changes", ["kind", "id", "revision"])
