"""What holds for every test.

No test's logging outlives it, nor is it coloured (rich takes 30 ms for a traceback).  A row that is shared is not
wanted alone later.  The authorities' certificates are read once, not for each client of HTTP (50 ms of a processor).
"""

import functools
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from netweft.store.row_locks import Held

pytest_plugins = [
    "tests.examples",
    "tests.garbage",
    "tests.databases",
    "tests.side_by_side",
    "tests.native",
    "tests.collecting",
    "tests.processor_time",
]

Held.upgrades_are_faults = True
PLAIN: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.format_exc_info,
    structlog.processors.LogfmtRenderer(key_order=["level", "event"], bool_as_flag=False),
]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    structlog.configure(processors=PLAIN)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    as_it_is = ssl.create_default_context
    with_authorities = functools.cache(as_it_is)

    def create(*purpose: Any, **options: Any) -> ssl.SSLContext:
        return (with_authorities if [*options] == ["cafile"] and not purpose else as_it_is)(*purpose, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", create)
        yield
