"""What nodes tell, written to the store: in turn with all others, and never so much at once that they wait for long.

Where the database is a process of its own, in a few worker threads of its own, so that neither many nodes at once nor
the API's requests take each other's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.control.l2 import binding, hosts, moving
from netweft.control.l3 import associations, counters, gateway_hosts, wire_hosts
from netweft.control.lb import health
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.model.counting import Counted
from netweft.model.health import MemberHealth
from netweft.store import Store, WriteTransaction
from netweft.wire.messages import HasAlone, Left, TakenUp

THREADS = 4
PORTS = 50  # in one transaction
COUNTED = 200  # likewise
MEMBERS = 100  # likewise

T = TypeVar("T")
S = TypeVar("S")
log = structlog.get_logger(__name__)


class Writer:
    """The methods' None or False: it could not be written; it is in the log why."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = CapacityLimiter(THREADS)

    @property
    def waiting(self) -> int:
        """How much, for a thread."""
        return self._threads.statistics().tasks_waiting

    async def connected(self, node: str, facts: NodeFacts) -> bool:
        def write(tx: WriteTransaction) -> list[str]:
            binding.node_connected(tx, node, facts)
            return hosts.rivals(tx, node, facts.tunnel_ip)

        rivals = await self._write(write)
        if rivals:
            log.error("tunnel address of several nodes", node=node, tunnel_ip=facts.tunnel_ip, also_of=rivals)
        return rivals is not None

    async def seen(self, nodes: Iterable[str]) -> None:
        def write(tx: WriteTransaction) -> None:
            for node in sorted(nodes):
                binding.node_seen(tx, node)

        await self._write(write)

    async def gone(self, node: str, seconds: float) -> None:
        await self._write(lambda tx: binding.node_gone(tx, node, seconds))
        await self._write(lambda tx: health.node_gone(tx, node))

    async def report(self, node: str, statuses: list[PortStatus], *, complete: bool) -> Mapping[str, str] | None:
        """Why ports were denied, by their ids.  complete: the node's other ports are down."""
        if complete:
            reported = {status.port_id for status in statuses}
            expected = await self._write(lambda tx: binding.expected(tx, node))
            if expected is None:
                return None
            statuses = [*(PortStatus(id, PortState.DOWN) for id in sorted(expected - reported)), *statuses]
        denied: dict[str, str] = {}
        for part in _parts(statuses, PORTS):
            found = await self._write(partial(binding.report_ports, node=node, statuses=part, complete=False))
            if found is None:
                return None
            denied |= found
        return denied

    async def gateways(self, node: str, port_ids: Iterable[str]) -> None:
        """That the node has taken over; it says so again as long as it sees that this is not known."""
        for id in sorted(port_ids):
            await self._write(partial(_taken_over, host=node, port_id=id))

    async def floating_ips(self, node: str, alone: Iterable[HasAlone]) -> None:
        """What could not be written is requested once more when it is associated with another port."""
        for one in alone:
            await self._write(partial(associations.has_alone, host=node, id=one.id, led=one.led))

    async def moving(self, node: str, left: Iterable[Left], taken_up: Iterable[TakenUp]) -> None:
        """Connections of ports that move.  What could not be written is lost, and nothing else with it."""
        for one in left:
            await self._write(partial(moving.left, node=node, port_id=one.port_id, told=one.connections))
        for done in taken_up:
            await self._write(partial(moving.taken_up, node=node, port_id=done.port_id, at=done.at))

    async def counted(self, node: str, counted: Sequence[Counted]) -> bool:
        """Totals of objects that the node has something to do with."""
        parts = _parts(counted, COUNTED)
        return await self._write_all(partial(counters.report, node=node, counted=part) for part in parts)

    async def health(self, node: str, told: Sequence[MemberHealth]) -> bool:
        """Of balancers' members."""
        parts = _parts(told, MEMBERS)
        return await self._write_all(partial(health.report, node=node, health=part) for part in parts)

    async def _write_all(self, use_cases: Iterable[Callable[[WriteTransaction], T]]) -> bool:
        """One after the other, as far as they could be written."""
        for use_case in use_cases:
            if await self._write(use_case) is None:
                return False
        return True

    async def _write(self, use_case: Callable[[WriteTransaction], T]) -> T | None:
        try:
            if self._store.embedded:  # shorter than handing it to a thread and back (decision 0021)
                return await self._store.turns.write(partial(self._store.run, use_case))
            return await to_thread.run_sync(self._store.run, use_case, limiter=self._threads)
        except Exception:  # whatever it is, other nodes' sessions go on
            log.exception("what a node told could not be written")
            return None


def _taken_over(tx: WriteTransaction, host: str, port_id: str) -> None:
    """A gateway, or what answers physical hosts on a wire."""
    if port_id in tx.held(wire_hosts.scope(host)):
        wire_hosts.taken_over(tx, host, port_id)
    else:
        gateway_hosts.taken_over(tx, host, port_id)


def _parts(told: Sequence[S], size: int) -> Iterator[Sequence[S]]:
    for start in range(0, len(told), size):
        yield told[start : start + size]
