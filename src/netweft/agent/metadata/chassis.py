"""The agent of a chassis of OVN's (`driver = "ovn"`): it answers for metadata, and leaves the rest to ovn-controller.

It knows what is plugged in by the iface-ids of `br-int`, and looks them up at the server.  There is no feed: ports'
MACs and networks do not change while they are plugged in, and are looked at again now and then.

    plugged in otherwise ─┐
    a drift, a lost link ─┴─▶ wake ──▶ look up ──▶ rows ──▶ flows
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct

from netweft.agent.desired import RowChanges
from netweft.agent.host.links import LinksSide
from netweft.agent.host.ovs import OvsSide
from netweft.agent.metadata.any_server import AnyServer
from netweft.agent.metadata.client import NoAnswer
from netweft.agent.metadata.interface import InterfaceWatch
from netweft.agent.metadata.readings import readings
from netweft.agent.metadata.side import MetadataSide
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.driver import FlowDriver
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.ovsdb.errors import OvsdbError
from netweft.dataplane.ovsdb.rows import Row, RowKey, row_key
from netweft.dataplane.ovsdb.view import OvsView
from netweft.metrics import definitions as metrics
from netweft.metrics.values import Reading
from netweft.model import Port
from netweft.model.network import FixedIp
from netweft.model.node import ON_THIS_CHASSIS, ovn_metadata_port
from netweft.reconcile.plan import Plan
from netweft.reconcile.retry import Backoff
from netweft.services.fields import OURS, OURS_MASK
from netweft.services.metadata import chassis, ends
from netweft.services.metadata.chassis import Requester
from netweft.services.values import Asked
from netweft.settings import AgentSettings
from netweft.wire.metadata import SEATS_PATH, Plugged, Seat, Seats

LOOK_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 0.02
MOST_NUMBER: Final = 0xFEFF  # 240.0.255.0/24 is the agent's
_OVN_OPTIONS: Final = "ovn-cms-options"

log = structlog.get_logger(__name__)


class Sitting(Struct, frozen=True):
    """As `requesters.Here` has it."""

    port: Port
    number: int


class Sittings:
    """The ports here, by number.  A number is given to another port only once all others had their turn."""

    def __init__(self) -> None:
        self._by_id: dict[str, Sitting] = {}
        self._by_number: dict[int, Sitting] = {}
        self._last = 0
        self.deaf: set[str] = set()

    def see(self, seats: Iterable[Seat]) -> None:
        before, self._by_id = self._by_id, {}
        for seat in seats:
            known = before.get(seat.port_id)
            number = known.number if known else self._number()
            self._by_id[seat.port_id] = self._by_number[number] = Sitting(_port(seat), number)
        self._by_number = {one.number: one for one in self._by_id.values()}
        self.deaf &= self._by_id.keys()

    def _number(self) -> int:
        """Raises RuntimeError: there are no more."""
        for _ in range(MOST_NUMBER):
            self._last = self._last % MOST_NUMBER + 1
            if self._last not in self._by_number:
                return self._last
        raise RuntimeError(f"more than {MOST_NUMBER} ports on one chassis")

    @property
    def networks(self) -> set[str]:
        return {one.port.network_id for one in self._by_id.values()}

    def requesters(self) -> list[Requester]:
        return [
            Requester(one.number, one.port.id, one.port.network_id, one.port.mac_address)
            for one in self._by_id.values()
            if one.port.id not in self.deaf
        ]

    # requesters.Ports

    def port_at(self, number: int) -> Sitting | None:
        return self._by_number.get(number)

    def port_id_at(self, number: int) -> str | None:
        here = self._by_number.get(number)
        return here.port.id if here else None

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        (self.deaf.discard if again else self.deaf.add)(port_id)


def _port(seat: Seat) -> Port:
    addresses = tuple(FixedIp(subnet_id="", ip_address=one) for one in seat.ip_addresses)
    return Port(id=seat.port_id, network_id=seat.network_id, mac_address=seat.mac_address, fixed_ips=addresses)


class ChassisAgent:
    """An `L2Agent`.  Constructing it does no I/O; `run` does it all."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._awake = asyncio.Event()
        self._sittings = Sittings()
        self._asked: frozenset[str] = frozenset()  # what was plugged in at the last look-up
        self._rows: dict[RowKey, Row] = {}
        self._ovs = OvsSide(
            Path(settings.ovs_run_dir), settings.integration_bridge, lambda: self._rows.values(), self._awake.set
        )
        self._links = LinksSide(self._awake.set)
        self._answering = MetadataSide(
            settings, self._sittings, InterfaceWatch(), lambda: "", self._awake.set, _nothing_else
        )
        self._due, self._unknown = 0.0, Backoff(first=0.2, limit=LOOK_SECONDS)  # when it is asked again
        self._flows: FlowDriver | None = None
        self._problem = ""

    async def run(self) -> None:
        """Until cancelled."""
        servers = AnyServer(self._settings, lambda: "")
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (self._ovs.run(), self._links.run(), self._answering.run(), self._turns(servers)):
                    tasks.create_task(part)
        finally:
            servers.close()

    async def stop(self) -> None:
        """What is wired stays; requests are not answered until the server is back."""

    async def plan(self) -> Plan:
        return Plan.of(self._ovs.plan(delete=True), order=["bridge", "port", "tag"])

    async def readings(self) -> Iterable[Reading]:
        return [*readings(self._answering), metrics.IN_PLACE.at(not self._problem and self._flows is not None)]

    def show(self) -> str:
        requesters, networks = len(self._sittings.requesters()), len(self._sittings.networks)
        lines = [f"node {self._settings.node}", f"metadata for {requesters} ports on {networks} networks"]
        return "\n".join([*lines, *([f"problem {self._problem}"] if self._problem else [])])

    # the loop

    async def _turns(self, servers: AnyServer) -> None:
        clock = asyncio.get_running_loop().time
        backoff, again = Backoff(limit=5.0), LOOK_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await self._awake.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            self._awake.clear()
            if self._ovs.connection is None:
                continue  # it wakes us
            problem = ""
            try:
                await self._ask_who(servers, self._plugged(self._ovs.connection.replica))
                await self._wire(OvsView(self._ovs.connection.replica))
            except (NoAnswer, OvsdbError, OpenFlowError, RuntimeError) as error:
                problem = str(error) or type(error).__name__
            if problem and problem != self._problem:
                log.warning("metadata is not answered for all ports here", problem=problem)
            self._problem = problem
            if problem:
                again = backoff.failed(clock())
            else:
                backoff.succeeded()
                again = max(0.0, self._due - clock())

    def _plugged(self, replica: Any) -> frozenset[str]:
        ours = ovn_metadata_port("")
        vifs = OvsView(replica).vifs(self._settings.integration_bridge)
        return frozenset(id for id in vifs if not id.startswith(ours))

    async def _ask_who(self, servers: AnyServer, plugged: frozenset[str]) -> None:
        """When other ones are plugged in, now and then, and sooner while some are nobody's here: they may be bound, or
        come here, after they were plugged in.  Raises NoAnswer."""
        now = asyncio.get_running_loop().time()
        if plugged == self._asked and now < self._due:
            return
        if plugged != self._asked:
            self._unknown.succeeded()
        seats = (await servers.post(SEATS_PATH, Plugged(ports=tuple(sorted(plugged))), Seats)).seats
        self._sittings.see(seats)
        self._answering.observe()
        is_known = plugged <= {seat.port_id for seat in seats}
        self._asked, self._due = plugged, now + (LOOK_SECONDS if is_known else self._unknown.failed(now))

    async def _wire(self, seen: OvsView) -> None:
        """Raises OvsdbError, OpenFlowError."""
        integration = self._settings.integration_bridge
        datapath_type = seen.datapath_of(integration)
        if datapath_type is None:
            return  # ovn-controller makes it
        await self._mark()
        wanted = {
            row_key(row): row for row in chassis.rows(sorted(self._sittings.networks), integration, datapath_type)
        }
        upserts = [row for key, row in wanted.items() if self._rows.get(key) != row]
        gone = [key for key in self._rows if key not in wanted]
        self._rows = wanted
        self._ovs.change(RowChanges(upserts, gone))
        if await self._ovs.apply(delete=True):
            await self._ovs.vswitchd_done()
        self._links.want([ends.ENDPOINT], sweep=False)
        if (interface := seen.ofport(ends.INTERFACE) or 0) <= 0:
            return  # it wakes us when it has one
        patches = {network: seen.ofport(chassis.patch(network)) or 0 for network in self._sittings.networks}
        await self._put({network: at for network, at in patches.items() if at > 0}, interface)

    async def _mark(self) -> None:
        """What chassis say in the southbound database: that metadata is answered here."""
        assert self._ovs.connection is not None
        said = self._ovs.connection.replica.root.external_ids.get(_OVN_OPTIONS, "")
        options = [one for one in said.split(",") if one]
        if ON_THIS_CHASSIS not in options:
            await self._ovs.set_external_id(_OVN_OPTIONS, ",".join([*options, ON_THIS_CHASSIS]))

    async def _put(self, patches: Mapping[str, int], interface: int) -> None:
        """Raises OpenFlowError."""
        driver = self._flows or await self._connect()
        found = (one.flow for one in chassis.flows(self._sittings.requesters(), patches, interface))
        driver.want({flow.key: flow for flow in found})
        await driver.apply(delete=True)

    async def _connect(self) -> FlowDriver:
        connection = await OpenFlowConnection.connect(Path(self._settings.ovs_run_dir) / f"{chassis.BRIDGE}.mgmt")
        self._flows = FlowDriver(connection, OURS, OURS_MASK, self._awake.set)
        lost = asyncio.create_task(connection.wait_closed())
        lost.add_done_callback(self._lost)
        self._watching = lost
        return self._flows

    def _lost(self, _: object) -> None:
        self._flows = None
        self._awake.set()


async def _nothing_else() -> None:
    """Nobody waits for anything of this agent."""
