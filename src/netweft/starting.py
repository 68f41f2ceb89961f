"""A process's start, made short: an agent that starts again is not in sync before it has loaded itself.
Imports nothing of ours."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Around the imports of a process: without looking for garbage among what is only just made (a sixth of the time),
    and without rich, which structlog loads wherever it is installed, to draw tracebacks (another)."""
    collects, rich = gc.isenabled(), "rich" in sys.modules
    gc.disable()
    if not rich:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if not rich:
            del sys.modules["rich"]
        if collects:
            gc.freeze()  # it stays; else the first collection looks through all of it
            gc.enable()
