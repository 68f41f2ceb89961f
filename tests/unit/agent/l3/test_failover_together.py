"""Several gateways of one router go where the first goes."""

import asyncio

from msgspec.structs import replace
from tests.unit.agent.l3.failover_world import FLAT, PORT, in_own_time

from netweft.agent.desired import Desired
from netweft.agent.l3.failover import Failover
from netweft.dataplane.openflow.flow import Flow
from netweft.model import EMPTY_VIEW, GatewayPort, Network, NodeView, Router
from netweft.services.fields import Reason, cookie
from netweft.services.l3.values import Gateway, GatewayPlace
from netweft.services.values import HostFacts

BOTH = ("hv1", "hv2")
FIRST = replace(PORT, router_id="r", host_id="hv1", hosts=BOTH)
OTHER = replace(FIRST, id="0000bbbb-0000-4000-8000-000000000002", network_id="ext2", fixed_ips=())
HERE = GatewayPlace("hv1", here=True, answers=True)


class Told(Desired):
    """It keeps where the gateways are."""

    def __init__(self, *ports: GatewayPort) -> None:
        super().__init__()
        self.places: dict[str, GatewayPlace | None] = {}
        self.see_ports(*ports)

    def see_ports(self, *ports: GatewayPort) -> None:
        self.view = NodeView(
            kinds=EMPTY_VIEW.kinds,
            networks={"ext": Network(id="ext", segments=(FLAT,))},
            routers={"r": Router(id="r", first_gateway=FIRST.id, extra_gateways=(OTHER.id,))},
            gateway_ports={port.id: port for port in ports},
        )

    def choose(self, port_id: str, place: GatewayPlace | None) -> None:
        self.places[port_id] = place

    def candidate(self, port_id: str) -> Gateway | None:
        return None


class Look:
    def bfd_status(self, interface: str) -> dict[str, str] | None:
        return None


class Agent:
    """hv1, on which both are found.  told: what the server heard."""

    def __init__(self, *ports: GatewayPort) -> None:
        self.desired, self.cut, self.told = Told(*ports), frozenset[str](), list[str]()
        self.failover = Failover("hv1", self.desired, lambda _: None, lambda: None, self.told.extend)
        self.failover.found(
            Flow(table=0, priority=1, cookie=cookie(Reason.ROUTER_ANSWERS, one.id)) for one in (FIRST, OTHER)
        )
        self.turn()

    def turn(self) -> dict[str, GatewayPlace | None]:
        self.failover.observe(Look(), HostFacts(name="hv1", bridge_mappings={"public": "br-ex"}), self.cut)
        return self.desired.places


def test_they_leave_together() -> None:
    async def run() -> None:
        agent = Agent(OTHER, FIRST)
        assert agent.desired.places == {FIRST.id: HERE, OTHER.id: HERE}
        agent.cut = frozenset({"public"})
        gone = GatewayPlace("hv2")
        assert agent.turn() == {FIRST.id: gone, OTHER.id: gone}

    in_own_time(run())


def test_what_cannot_go_there_is_nowhere() -> None:
    async def run() -> None:
        agent = Agent(FIRST, replace(OTHER, hosts=("hv1",)))
        agent.cut = frozenset({"public"})
        assert agent.turn() == {FIRST.id: GatewayPlace("hv2"), OTHER.id: GatewayPlace("")}

    in_own_time(run())


def test_they_go_where_the_server_wants_the_first() -> None:
    """Whichever of the two is heard of first."""

    async def run() -> None:
        agent = Agent(FIRST, OTHER)
        first, other = (replace(one, host_id="hv2", hosts=("hv2", "hv1")) for one in (FIRST, OTHER))
        agent.desired.see_ports(other, first)
        going = GatewayPlace("hv1", here=True)
        assert agent.turn() == {FIRST.id: going, OTHER.id: going}

    in_own_time(run())


def test_the_first_is_reported_to_the_server() -> None:
    async def run() -> None:
        agent = Agent(*(replace(one, host_id="hv2", hosts=("hv2", "hv1")) for one in (FIRST, OTHER)))
        assert agent.desired.places == {FIRST.id: HERE, OTHER.id: HERE}
        agent.failover._questions = lambda id: []  # type: ignore[method-assign]  # to which nobody answers
        agent.failover.wired()
        telling = asyncio.create_task(agent.failover.run())
        await asyncio.sleep(1.5)
        telling.cancel()
        assert agent.told == [FIRST.id]

    in_own_time(run())
