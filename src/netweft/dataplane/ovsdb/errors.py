"""What can go wrong between us and ovsdb-server, as types: the connection is gone, or the server said no."""


class OvsdbError(Exception):
    """Base of all errors of this package that a caller may want to wait out."""


class OvsdbLost(OvsdbError):
    """ovsdb-server went away or could not be reached.  Reconnect and read again: a transaction under way may or may
    not have been done."""


class OvsdbProtocolError(OvsdbLost):
    """The peer sent bytes that make no sense; the connection has been closed."""


class TransactionFailed(OvsdbError):
    """The server refused a transaction and nothing of it was done.  `error` is OVSDB's name for it (RFC 7047)."""

    def __init__(self, error: str, details: str, operation: object = None) -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.error = error
        self.details = details
        self.operation = operation


class Conflict(TransactionFailed):
    """A `wait` operation found that somebody else was faster: look at the rows again and retry."""
