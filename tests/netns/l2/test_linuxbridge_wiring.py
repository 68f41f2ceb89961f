"""The example's wiring and the kernel: whatever happened before, what is there in the end is what the view asks for."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from pyroute2 import IPRoute, netns
from pyroute2.netlink.exceptions import NetlinkError
from tests.examples import examples
from tests.netns.harness import new_name

from netweft.model import Network, Node, NodeView, Object, Peer, Port, PortState, Segment, view_of
from netweft.settings import AgentSettings
from netweft_linuxbridge import kernel
from netweft_linuxbridge.agent import LinuxBridges
from netweft_linuxbridge.desired import Forward, Overlay, desired

HERE = "192.0.2.1"
NETWORKS = [Network(id=f"net{n}net-net0", segments=(Segment("vxlan", None, 100 + n),)) for n in range(2)]
PORTS = [Port(id=f"port{n}-port0", network_id=NETWORKS[n % 2].id, mac_address=f"fa:16:3e:00:01:0{n}") for n in range(4)]
TAPS = [f"tap{port.id[:11]}" for port in PORTS]


class Step(Struct, frozen=True):
    """Which ports are bound here, which taps are there, where the peers are; then somebody breaks something."""

    ports: frozenset[int]
    taps: frozenset[int]
    peers: dict[int, int]
    mtu: int
    broken: int
    complete: bool

    def view(self) -> NodeView:
        networks = {PORTS[n].network_id for n in self.ports}
        objects: list[Object] = [
            *(Network(id=net.id, segments=net.segments, mtu=self.mtu) for net in NETWORKS if net.id in networks),
            *(PORTS[n] for n in self.ports),
            *(Node(name=f"hv{n}", tunnel_ip=f"192.0.2.{n}") for n in set(self.peers.values())),
        ]
        for n, host in self.peers.items():
            mac, network_id = f"fa:16:3e:00:02:0{n}", NETWORKS[n % 2].id
            objects.append(Peer(id=f"peer{n}", network_id=network_id, mac_address=mac, host_id=f"hv{host}"))
        return view_of("h", 1, objects)


_four = st.frozensets(st.integers(0, 3))
_steps = st.builds(
    Step,
    ports=_four,
    taps=_four,
    peers=st.dictionaries(st.integers(0, 3), st.integers(2, 4)),
    mtu=st.sampled_from([1450, 1400]),
    broken=st.integers(0, 7),
    complete=st.booleans(),
)
EMPTY = Step(frozenset(), frozenset(), {}, 1450, 0, True)
Inside: TypeAlias = Callable[[Callable[[], None]], None]


@pytest.fixture(scope="module")
def inside() -> Iterator[Inside]:
    """Runs something in a namespace of its own: that of the thread, and of the threads that it starts."""
    name = f"nw-{new_name()}-wiring"
    netns.create(name)
    with ThreadPoolExecutor(1, initializer=netns.setns, initargs=(name,)) as thread:
        yield lambda work: thread.submit(work).result()
    netns.remove(name)


def plug(taps: frozenset[int]) -> None:
    with IPRoute() as netlink:
        for n, tap in enumerate(TAPS):
            there = netlink.link_lookup(ifname=tap)
            if n in taps and not there:
                netlink.link("add", ifname=tap, kind="veth", peer=f"vm{n}")
            elif there and n not in taps:
                netlink.link("del", index=there[0])


def break_something(which: int) -> None:
    """Any one of what is there: gone, out of its bridge, down, without its entries."""
    with IPRoute() as netlink:
        _, items = kernel.read(netlink)
        for key, item in sorted(items.items())[which % 4 : which % 4 + 1]:
            with suppress(NetlinkError):
                if which < 4:
                    kernel.remove(netlink, item)
                elif found := netlink.link_lookup(ifname=key[1]):
                    netlink.link("set", index=found[0], state="down")


def wire(step: Step, *, delete: bool = True) -> None:
    asyncio.run(_wire(step.view(), HERE, delete=delete))


async def _wire(view: NodeView, tunnel_ip: str, *, delete: bool) -> None:
    wiring = LinuxBridges(AgentSettings(tunnel_ip=tunnel_ip))
    statuses = await wiring.wire(view, delete=delete)
    assert {status.state for status in statuses.values()} <= {PortState.UP}
    assert not await wiring.plan(view, delete=delete)


def is_as_wanted(step: Step) -> None:
    with IPRoute() as netlink:
        names, items = kernel.read(netlink)
    assert items == desired(step.view(), names, HERE).items
    assert {"theirs", "brqtheirs"} <= names


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_steps, min_size=1, max_size=5))
def test_any_way_leads_to_what_the_view_wants(inside: Inside, steps: list[Step]) -> None:
    def walk() -> None:
        with IPRoute() as netlink:
            for name in {"theirs", "brqtheirs"} - {link.get("IFLA_IFNAME") for link in netlink.link("dump")}:
                netlink.link("add", ifname=name, kind="bridge")
        for step in steps:
            plug(step.taps)
            wire(step, delete=step.complete)
            break_something(step.broken)
        wire(steps[-1])
        is_as_wanted(steps[-1])
        plug(EMPTY.taps)
        wire(EMPTY)
        is_as_wanted(EMPTY)

    inside(walk)


def test_nothing_is_removed_while_the_view_may_be_old(inside: Inside) -> None:
    def walk() -> None:
        both = Step(frozenset({0, 1}), frozenset({0, 1}), {0: 2, 1: 3}, 1450, 0, True)
        older = Step(frozenset({0}), both.taps, {0: 4}, 1450, 0, False)
        plug(both.taps)
        wire(both)
        with IPRoute() as netlink:
            _, before = kernel.read(netlink)
            wire(older, delete=False)
            _, after = kernel.read(netlink)
        assert after.keys() > before.keys()
        plug(EMPTY.taps)
        wire(EMPTY)

    inside(walk)


def test_the_tunnels_address_may_change_and_be_ipv6(inside: Inside) -> None:
    def walk() -> None:
        here = Step(frozenset({0}), frozenset({0}), {0: 2}, 1450, 0, True)
        plug(here.taps)
        wire(here)
        view = here.view().merged(2, [Node(name="hv2", tunnel_ip="FD00::0:2")], ())
        asyncio.run(_wire(view, "fd00:0::1", delete=True))
        with IPRoute() as netlink:
            _, items = kernel.read(netlink)
        assert {item.remote_ip for item in items.values() if isinstance(item, Forward)} == {"fd00::2"}
        assert {item.local_ip for item in items.values() if isinstance(item, Overlay)} == {"fd00::1"}
        plug(EMPTY.taps)
        wire(EMPTY)

    inside(walk)
