"""What can go wrong between us and a switch, as types.  Two kinds: the connection is gone, or the switch said no."""

from netweft.dataplane.openflow.flow import Flow, FlowKey


class OpenFlowError(Exception):
    """Base of all errors of this package that a caller may want to wait out."""


class ConnectionLost(OpenFlowError):
    """The switch went away or could not be reached.  Reconnect and read again: nothing is known of the last request."""


class ProtocolError(ConnectionLost):
    """The peer sent bytes that make no sense; the connection has been closed."""


class Rejected(OpenFlowError):
    """The switch answered a request with an error.  `kind` and `code` are OpenFlow's type and code."""

    def __init__(self, kind: int, code: int, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.code = code


class FlowRejected(Rejected):
    """One flow of a bundle was refused, and so nothing of the bundle was done."""

    def __init__(self, kind: int, code: int, reason: str, flow: Flow | FlowKey) -> None:
        super().__init__(kind, code, f"{reason}: {flow}")
        self.flow = flow
