"""Alembic's way in: runs the migrations on the connection that `engine.migrate` hands over."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":  # servers may start at the same time
        connection.execute(text("SELECT pg_advisory_xact_lock(7165297)"))
    context.run_migrations()
