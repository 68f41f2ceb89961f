"""Routers, gateways, floating IPs, forwarded ports: any order of events with agents that begin anew in between ends
where an agent ends that begins on the end state."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.convergence import outside_events
from tests.convergence.outside_events import EXT, HOPS, MORE, NODES, A
from tests.examples import examples

from netweft.model import Network
from netweft.services.l3.values import GatewayPlace
from netweft.testing.node import FakeNode, uplinks_of
from netweft.testing.region import Region

_nodes = st.sampled_from(NODES)
_macs = st.sampled_from([None, "02:00:00:00:01:01", "02:00:00:00:01:02"])
_gateway_ids = st.sampled_from([outside_events.gateway_id(number) for number in range(len(outside_events.GATEWAYS))])
_places = st.sampled_from(
    [
        None,
        GatewayPlace(""),
        GatewayPlace("hv1", here=True, answers=True),
        GatewayPlace("hv2", here=True),
        GatewayPlace("hv3"),
    ]
)
_hops = st.sampled_from([(net.id, hop) for net in (EXT, MORE) for hop in HOPS[net.id]] + [(A.id, "10.0.0.1")])
# what a node finds out by itself
_found_out = st.one_of(
    st.tuples(st.just("learn"), _nodes, _hops, _macs),
    st.tuples(st.just("silent"), _nodes, st.sampled_from([EXT, MORE, A]), st.lists(st.integers(0, 1), unique=True)),
    st.tuples(st.just("place"), _nodes, _gateway_ids, _places),
    st.tuples(st.just("cut"), _nodes, st.booleans()),
    st.tuples(st.just("carrier"), _nodes, st.sampled_from([frozenset(), frozenset({"public"})])),
    st.tuples(st.just("meters"), _nodes, st.booleans()),
)
_happenings = st.one_of(
    *[outside_events.events] * 6,
    _found_out,
    st.tuples(st.just("restart"), _nodes),
    *[st.tuples(st.just("settle"))] * 2,
)


class Findings:
    """What nodes have found out, to be told once more to whoever begins anew."""

    def __init__(self) -> None:
        self.of: dict[str, dict[object, Callable[[FakeNode], None]]] = {name: {} for name in NODES}

    def note(self, node: FakeNode, what: object, tell: Callable[[FakeNode], None]) -> None:
        self.of[node.name][what] = tell
        tell(node)

    def tell(self, node: FakeNode) -> None:
        for each in self.of[node.name].values():
            each(node)


def find_out(node: FakeNode, event: tuple[object, ...], findings: Findings) -> None:
    match event:
        case ("learn", _, (str(net), str(hop)), mac):
            known = mac if isinstance(mac, str) else None
            findings.note(node, ("learn", net, hop), lambda one: one.rendering.learn(net, hop, known))
        case ("silent", _, Network(id=id), list(which)):
            hops = [HOPS.get(id, ("10.0.0.1", "10.0.0.2"))[each] for each in which]
            findings.note(node, ("silent", id), lambda one: one.rendering.fall_silent(id, hops))
        case ("place", _, str(port_id), place):
            found = place if isinstance(place, GatewayPlace) else None
            findings.note(node, ("place", port_id), lambda one: one.rendering.choose(port_id, found))
        case ("cut", _, bool(cut)):
            findings.note(node, "cut", lambda one: one.rendering.cut_off(cut))
        case ("carrier", _, frozenset() as names):
            findings.note(node, "carrier", lambda one: one.rendering.set_uplinks(uplinks_of(one.host), names))
        case ("meters", _, bool(meters)):
            findings.note(
                node,
                "meters",
                lambda one: one.rendering.set_abilities(meters=meters, lengths=True, nic_problems={}),
            )


def happen(region: Region, event: tuple[object, ...], findings: Findings) -> None:
    match event:
        case ("settle",):
            region.settle()
        case ("restart", str(name)):
            region.nodes[name].restart()
            findings.tell(region.nodes[name])
        case (str(what), str(name), *_) if what in ("learn", "silent", "place", "cut", "carrier", "meters"):
            find_out(region.nodes[name], event, findings)
        case _:
            outside_events.do(region, event)


@settings(max_examples=examples(60))
@given(st.lists(_happenings, max_size=25))
def test_each_node_ends_as_if_it_began_there(sequence: list[tuple[object, ...]]) -> None:
    region, findings = outside_events.begin(), Findings()
    region.settle()
    for event in sequence:
        happen(region, event, findings)
    region.settle()
    for node in region.nodes.values():
        fresh = FakeNode(node.name, node.host, vifs=dict(node.vifs), view=node.view, links=dict(node.links))
        findings.tell(fresh)
        fresh.settle()
        assert node.applied == fresh.applied, node.name
