"""What nodes have counted of objects' traffic (decision 0487)."""

from alembic import op
from sqlalchemy import BigInteger, Column, Float, Text

revision = "0009"
down_revision = "0008"

_COUNTS = ("packets_in", "bytes_in", "packets_out", "bytes_out")


def upgrade() -> None:
    op.create_table(
        "counters",
        *(Column(name, Text, primary_key=True) for name in ("kind", "id", "node")),
        Column("life", BigInteger, nullable=False),
        Column("at", Float, nullable=False),
        *(Column(f"{when}{name}", BigInteger, nullable=False) for when in ("", "earlier_") for name in _COUNTS),
        sqlite_with_rowid=False,
    )
