"""What is reported to the server of this node's ports: each status once, when it is true and not before."""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec.structs import replace

from netweft.agent.desired import StatusChanges
from netweft.model import NodeView, PortState, PortStatus
from netweft.reconcile.delta import Delta

Send = Callable[[Iterable[PortStatus], bool], None]  # statuses, complete
MOST_UNPLUGGED = 10_000
ANEW = "it is being wired anew"


class Reporter:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._delta: Delta[str, PortStatus] = Delta()  # the current state, and what was reported
        self._owes_all = False
        self._left: set[str] = set()
        # seen so; no more once it is said or it is taken away -> the name of the next plugging
        self._unplugged: dict[str, str] = {}

    def left(self, port_ids: Iterable[str], plugged: Collection[str] = ()) -> None:
        """These are not the node's any more: the server is notified which of them are not plugged in, also of one
        that is plugged in anew before it was reported.  plugged: see `tell`."""
        for port_id in port_ids:
            self._left.add(port_id)
            if port_id in self._delta.desired or port_id in plugged:
                self._unplugged.pop(port_id, None)
            else:
                self._remember(port_id)

    def owe_all(self) -> None:
        """A session began: the server gets everything at the next `tell`."""
        self._owes_all = True

    def change(self, part: StatusChanges) -> None:
        """What the statuses are, as soon as all that is wanted is in place; what differs from before."""
        for port_id in part.deletes:
            self._delta.unwant(port_id)
        for status in part.upserts:
            self._delta.want(status.port_id, status)

    def replace(self, statuses: Mapping[str, PortStatus]) -> None:
        """All of them."""
        self._delta.replace_desired(statuses)

    def tell(
        self, view: NodeView, problem: str = "", starting: Collection[str] = (), plugged: Collection[str] = ()
    ) -> None:
        """problem: why not everything that is wanted is in place; then nothing that was not up before is up now.
        starting: ports that are not up before somebody answers there.  plugged: ports that are plugged in, also where
        there is nothing to say of them yet: the server takes DOWN for unplugged."""
        left = [self._down(id) for id in sorted(self._left) if id not in self._delta.desired and id not in plugged]
        due = sorted(port_id for port_id in self._delta.dirty if not (port_id in starting and self._comes_up(port_id)))
        waiting = {id for id in due if id in plugged and id not in self._delta.desired}
        news = [status for id in due if id not in waiting for status in self._news(id, view, problem)]
        news += [status for id in due if id in waiting for status in self._no_longer_up(id)]
        news += [status for status in left if status not in news]
        self._left.clear()
        if self._owes_all:
            self._owes_all = False
            self._send(self._delta.actual.values(), True)
        elif news:
            self._send(news, False)

    def _down(self, port_id: str) -> PortStatus:
        self._remember(port_id)
        return PortStatus(port_id, PortState.DOWN)

    def _no_longer_up(self, port_id: str) -> Iterable[PortStatus]:
        """Until there is something to say of it."""
        told = self._delta.actual.get(port_id)
        if told is None or told.state is not PortState.UP:
            return []
        status = PortStatus(port_id, PortState.ERROR, ANEW)
        self._delta.saw(port_id, status)
        return [status]

    def _remember(self, port_id: str) -> None:
        self._unplugged[port_id] = secrets.token_hex(8)
        if len(self._unplugged) > MOST_UNPLUGGED:
            del self._unplugged[next(iter(self._unplugged))]

    def _comes_up(self, port_id: str) -> bool:
        wanted, told = self._delta.desired.get(port_id), self._delta.actual.get(port_id)
        is_up, was_up = (one is not None and one.state is PortState.UP for one in (wanted, told))
        return is_up and not was_up

    def _news(self, port_id: str, view: NodeView, problem: str) -> Iterable[PortStatus]:
        wanted, told = self._delta.desired.get(port_id), self._delta.actual.get(port_id)
        if wanted is None:
            self._delta.saw_gone(port_id)
            return [self._down(port_id)]
        was_up = told is not None and told.state is PortState.UP
        blocked = problem and wanted.state is PortState.UP and not was_up
        status = PortStatus(port_id, PortState.ERROR, problem) if blocked else wanted
        plugging = self._unplugged.get(port_id, "")
        said = replace(status, anew=bool(plugging), plugging=plugging)
        if port_id in view.ports:  # reported once: the node may have lost it already, and not know it yet
            self._unplugged.pop(port_id, None)
        else:
            status = said
        self._delta.saw(port_id, status)
        return [said] if said != told else []
