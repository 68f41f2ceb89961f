"""Open connections are counted from conntrack's listing, and what has ended is told once."""

from pathlib import Path

from tests.unit.services.lb.test_active import LISTENER, VIEW, entry

from netweft.agent.lb.active import ActiveConnections
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.model.counting import ACTIVE, Counted


async def test_open_connections_are_reported_each_time_and_their_end_once(tmp_path: Path) -> None:
    told: list[list[Counted]] = []
    side = ActiveConnections(tmp_path, 1.0, lambda: VIEW, lambda counted: told.append(list(counted)))
    listing = [entry(sport=1), entry(sport=2)]

    async def ask(*_: str) -> str:
        if not listing:
            raise CommandFailed("gone")
        return "\n".join(listing)

    side.ask = ask
    for _ in range(2):
        await side.look()
    listing[:] = [entry(sport=1, state="TIME_WAIT")]
    for _ in range(2):
        await side.look()
    listing.clear()
    await side.look()
    two, none = (Counted(kind=ACTIVE, id=LISTENER.id, life=0, packets_in=count) for count in (2, 0))
    assert told == [[two], [two], [none]]
