"""One OpenFlow 1.5 session with one bridge, over its unix socket `<run_dir>/<bridge>.mgmt`.

Requests and their answers; reconnecting is the caller's loop.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.dataplane.openflow.messages import FlowChange


class OpenFlowConnection:
    """Made by `connect`.  Every method raises ConnectionLost once the switch is gone, and Rejected if it says no."""

    datapath_id: int

    @classmethod
    async def connect(cls, socket: Path | str, *, timeout: float = 5.0) -> "OpenFlowConnection":
        """Connect, agree on the version, ask for the features.  Raises ConnectionLost."""
        raise NotImplementedError

    async def dump_flows(self, cookie: int = 0, cookie_mask: int = 0) -> list[Flow]:
        """All flows of all tables whose cookie equals `cookie` in the bits of `cookie_mask`."""
        raise NotImplementedError

    async def apply(self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = ()) -> None:
        """One atomic, ordered bundle: all of it is done when this returns, or nothing (FlowRejected names the flow).

        An add whose key is there already replaces actions and cookie without a gap."""
        raise NotImplementedError

    async def barrier(self) -> None:
        """Returns when everything sent before has been done."""
        raise NotImplementedError

    async def watch_flows(self, callback: Callable[[FlowChange], None]) -> None:
        """From now on call back for each flow that anybody but this connection adds, changes or deletes."""
        raise NotImplementedError

    async def wait_closed(self) -> None:
        """Returns when the connection is gone."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
