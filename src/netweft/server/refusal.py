"""What a connection that is not served gets, in bytes: there may be no request yet that could be answered."""

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from netweft.server.faults import fault_body


class Refusal(Exception):
    """reason: as the log counts it."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status, self.reason = status, reason


def malformed(text: str = "This is not a request of HTTP/1.1.") -> Refusal:
    return Refusal(400, "malformed", text)


def too_long(what: str, most: int) -> Refusal:
    return Refusal(431, "headers_too_large", f"The {what} of this request have more than {most} bytes.")


def answer_to(refusal: Refusal) -> bytes:
    content = msgspec.json.encode(fault_body("", refusal.status, str(refusal)))
    lines = [b"content-type: application/json", b"content-length: %d" % len(content), b"connection: close"]
    if refusal.status == 503:
        lines.append(b"retry-after: 1")
    return STATUS_LINE[refusal.status] + b"\r\n".join([*lines, b"", content])
