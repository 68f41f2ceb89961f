"""Every test here runs on SQLite and on a real PostgreSQL."""

import pytest


@pytest.fixture
def url(each_url: str) -> str:
    return each_url
