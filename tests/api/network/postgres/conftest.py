"""The same API, over PostgreSQL."""

import pytest


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url
