"""What a webhook is posted to: a real HTTP server."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Whoever posted may have been killed."""


class Receiver:
    """bodies: those that it took, in order; of an epoch before the last one: late, answered and passed over.
    answers: what it says next; after those 204.  takes: which ones it takes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.refused: list[bytes] = []
        self.late: list[bytes] = []
        self.signatures: list[str] = []
        self.answers: list[int] = []
        self.takes: Callable[[bytes], bool] = lambda body: True
        self.epoch = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.signatures.append(self.headers.get("X-Netweft-Signature", ""))
                self.send_response(receiver.taken(body))
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def taken(self, body: bytes) -> int:
        """With which code."""
        epoch = json.loads(body)["epoch"]
        code = self.answers.pop(0) if self.answers else 204 if self.takes(body) else 503
        if code == 204:
            (self.late if epoch < self.epoch else self.bodies).append(body)
            self.epoch = max(self.epoch, epoch)
        else:
            self.refused.append(body)
        return code

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def events(self) -> list[dict[str, Any]]:
        return [event for body in self.bodies for event in json.loads(body)["events"]]

    def objects(self) -> dict[str, Any]:
        """What a follower has by now: id -> the object."""
        found: dict[str, Any] = {}
        for event in self.events():
            for one in event.get("objects", ()):
                found[one["id"]] = one
            for id in event.get("ids", ()) if event["event"] == "gone" else ():
                found.pop(id, None)
        return found
