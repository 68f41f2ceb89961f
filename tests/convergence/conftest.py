"""The feed is tested on the same databases as the store."""

from tests.unit.store.conftest import cluster, database, postgres_url, url

__all__ = ["cluster", "database", "postgres_url", "url"]
