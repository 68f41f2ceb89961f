"""Tells Nova.  Every answer that Nova can give has one meaning here:

2xx, code 200                told
code 422                     the server has no host yet: again, a few times
code 404, 400                no such server, or an event that this Nova does not know: dropped
HTTP 404                     none of them is known: dropped
HTTP 400, one event          dropped; several: by halves, for one of them may be at fault
HTTP 500                     likewise, and that one comes again: its cell is away, say, and the others' are not
all else, no answer          Nova is away, or does not know us: everything again
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from netweft.plugins.followers import Outcome, Unreachable
from netweft.plugins.followers.nova.events import Event, Told, desired, events
from netweft.reconcile.plan import Step
from netweft.store import Object

TRIES = 5  # of what Nova cannot take yet, for one server
DROPPED = (400, 404)
BROKEN = 500
OF_ONE = (400, BROKEN)  # maybe
_told = partial(msgspec.convert, type=Told)


class Answer(msgspec.Struct, frozen=True):
    """Nova's.  codes: one for each event, in order; empty when it says nothing of each."""

    status: int
    codes: tuple[int, ...] = ()


class Client(Protocol):
    async def post(self, told: Sequence[Event]) -> Answer:
        """Raises Unreachable."""
        ...

    def close(self) -> None: ...


class NovaEvents:
    name = "nova"
    kind = "ports"
    batch = 100

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tries: Counter[tuple[str, str]] = Counter()  # by port and server
        self.close = client.close

    def desired(self, row: Object) -> Any:
        return msgspec.to_builtins(desired(row))

    async def apply(self, steps: Sequence[Step]) -> Outcome:
        """All first events, then all second ones: of each port in order, and few requests.  What Nova cannot take yet
        keeps its port's later events waiting; what it never will does not, they may be for another server."""
        due = {str(step.key): list(_events(step)) for step in steps}
        again, dropped = dict[str, str](), dict[str, str]()
        for place in range(max(map(len, due.values()), default=0)):
            batch = [(key, found[place]) for key, found in due.items() if place < len(found) and key not in again]
            refused = await self._tell(batch)
            if batch and list(refused.values()) == [BROKEN] * len(batch):
                raise Unreachable(f"Nova answers {BROKEN}")
            for key, code in refused.items():
                event = due[key][place]
                why = f"Nova answers {code} to {event['name']} for server {event['server_uuid']}"
                (dropped if self._never_taken(key, event, code) else again)[key] = why
        for key, server in [tried for tried in self._tries if tried[0] in due.keys() - again.keys()]:
            del self._tries[key, server]
        dropped = {key: why for key, why in dropped.items() if key not in again}
        return Outcome(frozenset(due.keys() - again.keys() - dropped.keys()), again, dropped)

    def _never_taken(self, key: str, event: Event, code: int) -> bool:
        tried = key, event["server_uuid"]
        self._tries[tried] += 1
        return code in DROPPED or (code != BROKEN and self._tries[tried] >= TRIES)

    async def _tell(self, batch: Sequence[tuple[str, Event]]) -> dict[str, int]:
        """The codes of those that Nova did not take."""
        if not batch:
            return {}
        answer = await self._client.post([event for _, event in batch])
        if answer.status in OF_ONE and len(batch) > 1:
            middle = len(batch) // 2
            return await self._tell(batch[:middle]) | await self._tell(batch[middle:])
        codes: Sequence[int] = answer.codes
        if len(codes) != len(batch):
            codes = [200 if answer.status < 300 else answer.status] * len(batch)
        return {key: code for (key, _), code in zip(batch, codes, strict=True) if code >= 300}


def _events(step: Step) -> Iterator[Event]:
    was, now = _told(step.was or {}), None if step.now is None else _told(step.now)
    return events(str(step.key), was, now)
