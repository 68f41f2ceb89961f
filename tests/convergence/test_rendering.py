"""The dataplane depends on the state only, not on the way there: any order of plugging, creating, deleting, moving,
restarting, settling now or later, ends where a fresh start ends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from netweft.services.rendering import ItemKey
from netweft.testing.region import FakeNode, Region, network, port

NETWORKS = [network(1), network(2), network(3, "local")]
PORTS = [port(number, NETWORKS[number % 3], f"10.0.0.{number}", f"2001:db8::{number}") for number in range(1, 7)]
NODES = ("hv1", "hv2", "hv3")

port_numbers = st.integers(0, len(PORTS) - 1)
events = st.one_of(
    st.tuples(st.just("create"), port_numbers),
    st.tuples(st.just("delete"), port_numbers),
    st.tuples(st.just("plug"), port_numbers, st.sampled_from(NODES)),
    st.tuples(st.just("unplug"), port_numbers),
    st.tuples(st.just("create network"), st.integers(0, 2)),
    st.tuples(st.just("delete network"), st.integers(0, 2)),
    st.tuples(st.just("restart"), st.sampled_from(NODES)),
    st.tuples(st.just("settle")),
)


def do(region: Region, event: tuple[object, ...]) -> None:
    match event:
        case ("create", int(number)):
            region.create(PORTS[number])
        case ("delete", int(number)):
            region.ports.pop(PORTS[number].id, None)
        case ("plug", int(number), str(node)):
            unplug(region, number)
            region.plug(node, PORTS[number])
        case ("unplug", int(number)):
            unplug(region, number)
        case ("create network", int(number)):
            region.create(NETWORKS[number])
        case ("delete network", int(number)):
            region.networks.pop(NETWORKS[number].id, None)
        case ("restart", str(node)):
            region.nodes[node].restart()
        case ("settle",):
            region.settle()


def unplug(region: Region, number: int) -> None:
    node = region.bound.pop(PORTS[number].id, None)
    if node:
        region.nodes[node].unplug(PORTS[number].id)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=25))
def test_any_way_leads_to_the_state_of_a_fresh_start(sequence: list[tuple[object, ...]]) -> None:
    region = Region(nodes=3)
    for event in sequence:
        do(region, event)
    region.settle()
    for node in region.nodes.values():
        assert node.applied == fresh(node), node.name


def fresh(node: FakeNode) -> dict[ItemKey, object]:
    """What an agent without memory makes on a switch without flows, from the same view and the same Port rows."""
    other = FakeNode(node.name, node.host, vifs=dict(node.vifs), view=node.view)
    other.settle()
    return dict(other.applied)
