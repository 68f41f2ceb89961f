"""Whatever happened on the way, split or merged, doubled, refused or broken by hand, with agents killed in between:
a last undisturbed turn ends where an agent ends that starts afresh on an empty switch."""

import asyncio
import copy
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.convergence.agent_world import AgentWorld, FakeSwitch
from tests.examples import examples

from netweft.agent import announcer
from netweft.dataplane.openflow.errors import FlowRejected
from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.model import (
    BandwidthLimit,
    Key,
    MinimumBandwidth,
    Node,
    Object,
    PacketRateLimit,
    Peer,
    PortState,
    PortStatus,
    QosPolicy,
    SecurityGroup,
    SecurityGroupRule,
    SubPort,
    Trunk,
    key_of,
    view_of,
)
from netweft.services.fields import OBJECT_MASK, object_bits
from netweft.testing.region import network, port, subnet
from netweft.wire.messages import Delta, Snapshot

POLICIES = [QosPolicy(id="iron"), QosPolicy(id="iron", bandwidth_limits=(BandwidthLimit(max_kbps=1000),)),
    QosPolicy(id="gold", dscp_mark=46, minimum_bandwidths=(MinimumBandwidth(min_kbps=5000),),
              packet_rate_limits=(PacketRateLimit(max_kpps=1), PacketRateLimit(max_kpps=2, direction="ingress"))),
    QosPolicy(id="gold", bandwidth_limits=(BandwidthLimit(max_kbps=1000, direction="ingress"),)),
]  # fmt: skip
NETWORKS = [network(1), replace(network(2, "vlan"), qos_policy_id="iron"), network(3, "local")]
PORTS = [port(number, NETWORKS[number % 3], qos_policy_id="gold" if number == 3 else None) for number in range(1, 5)]
RATED = [
    replace(PORTS[0], qos_policy_id="iron"),
    replace(PORTS[2], qos_policy_id=None),
    replace(NETWORKS[0], qos_policy_id="gold"),
]
SUBNETS = [subnet(net, "10.0.0.0/24") for net in NETWORKS]
TRUNK = Trunk(id="t", port_id=PORTS[0].id, sub_ports=(SubPort(PORTS[1].id, 7), SubPort(PORTS[3].id, 8)))
PEERS = [
    Peer(id=f"{number:08x}-2222", network_id=NETWORKS[number % 3].id, mac_address=f"fa:16:3e:00:00:{number:02x}",
         ip_addresses=(f"10.0.0.{number}",), host_id=f"hv{number}")
    for number in (11, 12)
]  # fmt: skip
NODES = [Node(name=f"hv{number}", tunnel_ip=f"192.0.2.{number}", tunnel_types=("vxlan",)) for number in (11, 12)]
AHEAD = [replace(wanted, active=False) for wanted in PORTS]
OBJECTS: list[Object] = [*NETWORKS, *SUBNETS, *PORTS, *PEERS, *NODES]

ROLES = ["int", "tun", "phys:physnet1", "phys:public"]

some = st.lists(st.sampled_from([*OBJECTS, *AHEAD, *POLICIES, *RATED, TRUNK]), max_size=4)
events = st.one_of(
    st.tuples(st.just("delta"), some, some),
    st.tuples(
        st.just("snapshot"),
        st.lists(st.sampled_from([*OBJECTS, *POLICIES[1:3], TRUNK]), max_size=len(OBJECTS), unique=True),
    ),
    st.tuples(st.just("plug"), st.sampled_from(PORTS)),
    st.tuples(st.just("unplug"), st.sampled_from(PORTS)),
    st.tuples(st.just("turn")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("refuse"), st.sampled_from([*ROLES, "rows"])),
    st.tuples(st.just("delete flow"), st.sampled_from(ROLES), st.integers(0, 99)),
    st.tuples(st.just("change flow"), st.sampled_from(ROLES), st.integers(0, 99)),
    st.tuples(st.just("delete meter"), st.integers(0, 9)),
    st.tuples(st.just("interconnect"), st.sampled_from(["patch", "veth"])),
    st.tuples(st.just("bridge"), st.sampled_from(["br-eth1", "br-ex"])),
)


async def do(world: AgentWorld, event: tuple[object, ...]) -> None:
    view = world.desired.view
    match event:
        case ("delta", list(upserts), list(deletes)):
            gone: tuple[Key, ...] = tuple(key_of(obj) for obj in deletes)
            world.tell(Delta(revision=view.revision + 1, upserts=tuple(upserts), deletes=gone))
        case ("snapshot", list(objects)):
            world.tell(Snapshot(history="h", revision=view.revision + 1, objects=tuple(objects)), first=True)
        case ("plug", plugged):
            world.plug(plugged.id)  # type: ignore[attr-defined]
        case ("unplug", unplugged):
            world.ovs.plugged.pop(unplugged.id, None)  # type: ignore[attr-defined]
        case ("turn",):
            await world.agent.turn()
        case ("restart",):
            await world.start(subscribed=False)
            world.see(view, view.objects())
        case ("interconnect", str(kind)):
            world.settings = replace(world.settings, interconnect=kind)
            await world.start(subscribed=False)
            world.see(view, view.objects())
        case ("bridge", str(name)):
            world.ovs.bridges ^= {name}
        case ("refuse", "rows"):
            world.ovs.fail = True
        case ("refuse", str(role)):
            world.switches[role].fail = True
        case ("delete flow", str(role), int(nth)):
            world.switches[role].somebody_deletes(nth)
        case ("delete meter", int(nth)):
            world.switches["int"].somebody_deletes_meter(nth)
        case ("change flow", str(role), int(nth)):
            world.switches[role].somebody_changes(nth)


async def calm(world: AgentWorld) -> None:
    for switch in world.switches.values():
        switch.fail = False
    world.ovs.fail = False
    for _ in range(7):  # local VLANs become free, links are made, tried, used, and the old ones unmade
        await world.agent.turn()


async def fresh(world: AgentWorld, folder: Path) -> AgentWorld:
    other = AgentWorld(folder)
    other.settings = world.settings
    other.ovs.bridges = world.ovs.bridges
    other.ovs.plugged = copy.copy(world.ovs.plugged)
    await other.start(subscribed=False)
    other.see(world.desired.view, world.desired.view.objects())
    await calm(other)
    return other


@settings(max_examples=examples(120))
@given(st.lists(events, max_size=20))
def test_any_way_leads_to_the_state_of_a_fresh_start(sequence: list[tuple[object, ...]]) -> None:
    async def play(folder: Path) -> None:
        world = AgentWorld(folder)
        await world.start()
        for event in sequence:
            await do(world, event)
        await calm(world)
        other = await fresh(world, folder)
        assert world.state() == other.state()
        assert world.desired.leases == other.desired.leases

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


async def test_a_restart_takes_nothing_away_before_the_view_is_complete(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    world.plug(PORTS[0].id)
    await calm(world)
    before = world.state()
    await world.start(subscribed=False)
    await world.agent.turn()
    assert world.state() == before
    world.see(world.desired.view, OBJECTS)
    await world.agent.turn()
    assert world.state() == before
    assert all(switch.deleted == 0 for switch in world.switches.values())


async def test_another_versions_tables_stay_as_they_are_before_the_view_is_complete(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    switch = world.switches["int"]
    theirs = {flow.key: flow for flow in (replace(flow, table=flow.table + 40) for flow in switch.flows.values())}
    switch.flows.clear()
    switch.flows.update(theirs)
    await world.start(subscribed=False)
    assert switch.flows == theirs
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    assert not theirs.items() & switch.flows.items()


async def test_a_view_on_disk_that_is_older_than_what_is_wired_deletes_nothing(tmp_path: Path) -> None:
    """As after a kill -9 in the second before a new port was written to disk, while no server answers."""
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    for wanted in PORTS[:2]:
        world.plug(wanted.id)
    await calm(world)
    before = world.state()[:5]
    on_disk = view_of("h", 1, [obj for obj in OBJECTS if obj is not PORTS[0]])
    await world.start(subscribed=False, on_disk=on_disk)
    assert world.state()[:5] == before
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    assert world.state()[:5] == before


async def test_a_view_on_disk_is_enough_to_clean_up_by(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    for wanted in PORTS[:2]:
        world.plug(wanted.id)
    await calm(world)
    del world.ovs.plugged[PORTS[0].id]
    await world.start(subscribed=False, on_disk=view_of("h", 1, OBJECTS))
    assert world.state()[0] == (await fresh(world, tmp_path)).state()[0]


async def test_up_is_told_only_when_the_flows_are_in_place(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    world.plug(PORTS[0].id)
    world.switches["int"].fail = True
    await world.agent.turn()
    status = world.told[PORTS[0].id]
    assert status.state == PortState.ERROR
    assert "table full" in status.detail
    await world.agent.turn()
    assert world.told[PORTS[0].id].state == PortState.UP


async def test_a_failure_does_not_take_an_up_port_down(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    world.plug(PORTS[0].id)
    await calm(world)
    world.plug(PORTS[1].id)
    world.switches["int"].fail = True
    await world.agent.turn()
    assert world.told[PORTS[0].id].state == PortState.UP
    assert world.told[PORTS[1].id].state == PortState.ERROR


async def test_what_makes_us_stumble_stops_nobody_else(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    for wanted in PORTS[:2]:
        world.plug(wanted.id)
    rule = SecurityGroupRule(id="r", direction="ingress", ethertype="IPv9")
    nonsense = replace(PORTS[0], mac_address=None)
    group = SecurityGroup(id="g", rules=(rule,))
    world.see(world.desired.view, [*NETWORKS, nonsense, PORTS[1], group])
    await calm(world)
    assert world.told[PORTS[1].id].state == PortState.UP
    status = world.told[PORTS[0].id]
    assert (status.state, status.detail.partition(": ")[0]) == (PortState.ERROR, "cannot be wired")
    assert world.desired.problems == ["security_group g: KeyError: 'IPv9'"]
    world.see(world.desired.view, [*NETWORKS, *PORTS[:2]])
    await calm(world)
    assert world.told[PORTS[0].id].state == PortState.UP
    assert world.desired.problems == []


async def test_a_move_is_announced_on_a_physical_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some times, to different addresses of everybody; and not again when the same is told again."""
    monkeypatch.setattr(announcer, "PAUSES", (0.0, 0.0, 0.0, 0.0))
    world = AgentWorld(tmp_path)
    await world.start()
    moving = PORTS[3]
    assert moving.network_id == NETWORKS[1].id, "the VLAN network"
    world.see(world.desired.view, [*NETWORKS, replace(moving, active=False)])
    world.plug(moving.id)
    await calm(world)
    packets = world.switches["int"].packets
    assert packets == []
    world.see(world.desired.view, [*NETWORKS, moving])
    await calm(world)
    announcing = asyncio.create_task(world.agent.announcer.run())
    async with asyncio.timeout(5):
        while len(packets) < 4:
            await asyncio.sleep(0)
    assert len({packet[:6] for packet in packets}) == 4
    assert {packet[6:12].hex(":") for packet in packets} == {moving.mac_address}
    world.see(world.desired.view, [*NETWORKS, moving])
    await calm(world)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(packets) == 4
    announcing.cancel()


async def test_a_denial_is_forgotten_when_it_is_over(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    for wanted in PORTS[:2]:
        world.plug(wanted.id)
    await calm(world)
    world.agent.ports_denied({wanted.id: "bound to hv9" for wanted in PORTS[:3]})
    assert world.agent.denials.reasons.keys() == {wanted.id for wanted in PORTS[:2]}, "of those that are plugged in"
    world.see(world.desired.view, [*NETWORKS, PORTS[0]])
    await calm(world)
    assert world.agent.denials.reasons.keys() == {PORTS[1].id}
    world.ovs.plugged.clear()
    await calm(world)
    assert not world.agent.denials.reasons


async def test_in_sync_nothing_is_written(tmp_path: Path) -> None:
    world = AgentWorld(tmp_path)
    await world.start()
    world.see(world.desired.view, OBJECTS)
    for wanted in PORTS:
        world.plug(wanted.id)
    await calm(world)
    written: list[object] = []

    class Counting(FakeSwitch):
        async def apply(self, adds: object, deletes: object = (), *, clear: object = None) -> None:
            written.append((adds, deletes))

    for switch in world.switches.values():
        switch.__class__ = Counting
    world.see(world.desired.view, OBJECTS)
    await world.agent.turn()
    assert written == []


class Slow(AgentWorld):
    """Whatever is written waits for `go`; complete: what the server got as a complete report, one after the other."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.writing, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.complete: list[dict[str, PortState]] = []

    async def gate(self, what: str) -> None:
        self.writing.set()
        await self.go.wait()

    def _told(self, statuses: Iterable[PortStatus], *, complete: bool = False) -> None:
        statuses = list(statuses)
        if complete:
            self.complete.append({status.port_id: status.state for status in statuses})
        super()._told(statuses, complete=complete)


async def test_a_complete_report_is_of_its_sessions_view(tmp_path: Path) -> None:
    """A session that begins while a turn is under way hears nothing of what that turn took for true."""
    world = Slow(tmp_path)
    await world.start()
    wanted, other = PORTS[0], PORTS[2]
    for each in (wanted, other):
        world.plug(each.id)
    world.see(world.desired.view, [*NETWORKS, wanted])
    await calm(world)
    world.complete.clear()
    world.tell(Delta(revision=world.desired.view.revision + 1, upserts=(other,), deletes=()))
    world.writing.clear()
    world.go.clear()
    turn = asyncio.create_task(world.agent.turn())
    await world.writing.wait()
    world.see(world.desired.view, [*NETWORKS, replace(wanted, admin_state_up=False), other])
    world.go.set()
    await turn
    assert world.complete == []
    await world.agent.turn()
    assert [report[wanted.id] for report in world.complete] == [PortState.DOWN]


async def test_a_refused_flow_is_told_of_its_port(tmp_path: Path) -> None:
    """The others are served, also when the agent is new; and it is tried again."""
    refused = {object_bits(PORTS[0].id)}

    class Picky(FakeSwitch):
        async def apply(
            self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
        ) -> None:
            for each in adds:
                if each.cookie & OBJECT_MASK in refused:
                    raise FlowRejected(4, 9, "bad prerequisite", each)
            await super().apply(adds, deletes, clear=clear)

    world = AgentWorld(tmp_path)
    world.switches["int"].__class__ = Picky
    await world.start()
    for wanted in PORTS:
        world.plug(wanted.id)
    world.see(world.desired.view, OBJECTS)
    await calm(world)
    assert not world.agent.bridges["int"].plan(delete=True)
    assert {id for id, status in world.told.items() if status.state is PortState.UP} == {each.id for each in PORTS[1:]}
    assert "bad prerequisite" in world.told[PORTS[0].id].detail
    assert "bad prerequisite" in world.agent.retries.problem
    refused.clear()
    await world.agent.turn()
    assert world.told[PORTS[0].id].state is PortState.UP
    assert not world.agent.retries.problem
