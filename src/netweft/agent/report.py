"""What the server is told of this node's ports: each status once, when it is true and not before."""

from collections.abc import Callable, Iterable, Mapping

from netweft.model import NodeView, PortState, PortStatus

Send = Callable[[Iterable[PortStatus], bool], None]  # statuses, complete


class Reporter:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._told: dict[str, PortStatus] = {}
        self._owes_all = False

    def owe_all(self) -> None:
        """A session began: the server gets everything at the next `tell`."""
        self._owes_all = True

    def tell(self, statuses: Mapping[str, PortStatus], view: NodeView, problem: str = "") -> None:
        """problem: why not everything that is wanted is in place; then nothing that was not up before is up now."""
        now = {id: self._as_it_is(status, problem) for id, status in statuses.items()} if problem else dict(statuses)
        news = [status for port_id, status in now.items() if self._told.get(port_id) != status]
        gone = [port_id for port_id in self._told if port_id not in now]
        # of what was never ours to have nobody has to hear that it is gone
        news += [PortStatus(port_id, PortState.DOWN) for port_id in gone if port_id in view.ports]
        self._told = now
        if self._owes_all:
            self._owes_all = False
            self._send(now.values(), True)
        elif news:
            self._send(news, False)

    def _as_it_is(self, status: PortStatus, problem: str) -> PortStatus:
        told = self._told.get(status.port_id)
        was_up = told is not None and told.state is PortState.UP
        if status.state is not PortState.UP or was_up:
            return status
        return PortStatus(status.port_id, PortState.ERROR, problem)
