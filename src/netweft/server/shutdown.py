"""How the server ends: at most SECONDS after SIGTERM, whatever it waits for by then.

A thread of its own takes the signals, since the main one may be in a call that sees none (a database that is locked
keeps it for ten seconds).  It asks for an orderly end, and when that takes too long, or after a second signal, there is
an end without: nothing has to be saved.
"""

import os
import signal
import sys
import threading
from typing import NoReturn

import structlog
import uvicorn

SECONDS = 2.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_log = structlog.get_logger(__name__)


class Ending:
    """Make it before any other thread begins: only then no other one takes the signals."""

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None
        self._lock = threading.Lock()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._wait, name="netweft-end", daemon=True).start()

    def of(self, server: uvicorn.Server) -> None:
        """What is asked to end; until then there is nothing that could be asked."""
        with self._lock:
            self._server = server

    def now(self) -> NoReturn:
        """Without a look at all that the interpreter would tidy up."""
        sys.stderr.flush()
        os._exit(0)

    def _wait(self) -> None:
        signal.sigwait(_SIGNALS)
        with self._lock:
            if self._server is None:
                self.now()
            self._server.should_exit = True
        again = signal.sigtimedwait(_SIGNALS, SECONDS)
        _log.warning("ended before everything else had", waited_seconds=SECONDS, second_signal=again is not None)
        self.now()
