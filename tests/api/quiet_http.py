"""An HTTP server of a test's own, in a thread, for stand-ins of other services."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuietHttp:
    """answer: writes the whole answer to a GET or a POST.  ended: whoever hangs on purpose waits for that at most."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None: ...

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None: ...  # who hung up on us

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """May be done again."""
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
