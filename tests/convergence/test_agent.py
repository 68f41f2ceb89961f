"""Whatever happened on the way, split or merged, doubled, refused or broken by hand, with agents killed in between:
a last undisturbed turn ends where an agent ends that starts afresh on an empty switch."""

import asyncio
import copy
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.convergence.agent_world import AgentWorld, FakeSwitch
from tests.examples import examples

from netweft.model import (
    BandwidthLimit,
    FirewallGroup,
    FirewallPolicy,
    FirewallRule,
    Key,
    MinimumBandwidth,
    Node,
    Object,
    PacketRateLimit,
    Peer,
    QosPolicy,
    SubPort,
    Trunk,
    key_of,
    view_of,
)
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
RULES = [FirewallRule(id="u1", protocol=6), FirewallRule(id="u1", action="reject"), FirewallRule(id="u2", ip_version=6)]
FIREWALLS: list[Object] = [
    *RULES,
    *(FirewallPolicy(id="w", firewall_rules=ids, places=at) for ids, at in ((("u1", "u2"), (5, 9)), (("u2",), (9,)))),
    *(FirewallGroup(id="g", ingress_firewall_policy_id="w", admin_state_up=up) for up in (True, False)),
    *(replace(PORTS[0], firewall_group_id="g"), replace(PORTS[1], firewall_group_id="g", port_security_enabled=False)),
]

ROLES = ["int", "tun", "phys:physnet1", "phys:public"]

some = st.lists(st.sampled_from([*OBJECTS, *AHEAD, *POLICIES, *RATED, *FIREWALLS, TRUNK]), max_size=4)
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
    theirs = {flow.key: flow for flow in (replace(flow, table=flow.table + 100) for flow in switch.flows.values())}
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
