"""Logging of every process: one line of key=value to stderr per event.  Imports nothing of ours.

Modules take their logger by `structlog.get_logger()`; only a process's entry point calls `configure`.
"""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class _Forward(logging.Handler):
    """What libraries say through the standard library's logging comes out in our format."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(library=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


class _Stderr:
    """A line that cannot be written is lost: a full disk, or a reader that is gone, takes no request its answer."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure(level: str) -> None:
    """level: debug, info, warning or error.  Libraries are heard from `warning` on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Stderr())),
    )
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)
