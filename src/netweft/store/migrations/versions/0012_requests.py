"""Which request made a change, and in which span (decision 0535)."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("changes", Column("request", Text))
    op.add_column("changes", Column("span", Text))
