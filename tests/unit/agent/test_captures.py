"""What a node watches for servers: whose packets are kept, how many watches there are, and that each of them ends."""

import asyncio
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from netweft.agent.queries import captures as node_captures
from netweft.agent.queries.captures import Watches
from netweft.agent.queries.trace_input import NotHere
from netweft.dataplane.host.capture import Raw
from netweft.dataplane.packets.probe import probe
from netweft.services.addresses import octets, parsed
from netweft.settings import AgentSettings
from netweft.wire import captures as wire_captures
from netweft.wire.captures import AT_ONCE, OF_A_PROJECT, Caught, Match, Of, Watch

ENDS = ("10.0.0.1", "10.0.0.2")
MATCH = Match(src=ENDS[0], dst=ENDS[1], protocol=17, dport=53)
PORTS = {"parent": 0, "sub": 101, "mine": 0}


class Captured:
    """In place of packet sockets."""

    now: ClassVar[list["Captured"]] = []

    def __init__(self, filter: bytes, keep: int, take: Any) -> None:
        self.take, self.interfaces = take, tuple[str, ...]()
        self.now.append(self)

    def look_at(self, names: Iterable[str]) -> None:
        self.interfaces = tuple(names)

    def drain(self) -> None:
        """All that came was given at once."""

    def lost(self) -> int:
        return 0

    def close(self) -> None:
        self.now.remove(self)


@pytest.fixture(autouse=True)
def captures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Captured]]:
    Captured.now = []
    monkeypatch.setattr(node_captures, "Capture", Captured)
    yield Captured.now
    assert Captured.now == [], "each one has ended"


def node() -> Any:
    def local_port(id: str) -> Any:
        if id not in PORTS:
            return None
        name = "tap-mine" if id == "mine" else "tap-trunk"
        return SimpleNamespace(port_name=name, ofport=5, tag=PORTS[id])

    nics = SimpleNamespace(nics=lambda bridge: [SimpleNamespace(name=f"nic-{bridge}")])
    settings = AgentSettings(node="hv1", bridge_mappings=("physnet1:br-eth1",), underlay="eth0")
    return cast(
        Any,
        SimpleNamespace(
            settings=settings, desired=SimpleNamespace(local_port=local_port), ovs=SimpleNamespace(view=nics)
        ),
    )


def sent(dport: int = 53, ends: tuple[str, str] = ENDS) -> bytes:
    macs = (octets("fa:16:3e:00:00:01"), octets("fa:16:3e:00:00:02"))
    return probe(macs, (parsed(ends[0]), parsed(ends[1])), 17, (1000, dport), b"x" * 60)


def vxlan(frame: bytes, key: int) -> bytes:
    macs = (octets("fa:16:3e:00:00:03"), octets("fa:16:3e:00:00:04"))
    head = b"\x08\0\0\0" + (key << 8).to_bytes(4, "big")
    return probe(macs, (parsed("192.0.2.1"), parsed("192.0.2.2")), 17, (1000, 4789), head + frame)


def raw(interface: str, data: bytes, tag: int | None = None, *, out: bool = False) -> Raw:
    return Raw(interface, out, tag, len(data), data, 1.0)


def begun(ports: tuple[str, ...] = ("mine",), of: tuple[Of, ...] = (), **more: Any) -> tuple[Watches, Captured]:
    watches = Watches(node())
    watches.take(Watch(id="w", project="p", seconds=60, ports=ports, of=of, matches=(MATCH,), **more))
    return watches, Captured.now[-1]


def end(watches: Watches, id: str = "w") -> Caught:
    return watches.take(Watch(id=id, over=True))


async def test_of_a_ports_interface_its_packets_are_kept() -> None:
    watches, capture = begun(bytes=100)
    assert capture.interfaces == ("tap-mine",)
    for one in (sent(), sent(54), sent(ends=(ENDS[1], ENDS[0])), b"noise", vxlan(sent(), 7)):
        capture.take(raw("tap-mine", one))
    capture.take(raw("tap-mine", sent(), 101))
    (frame,) = end(watches).frames
    assert (frame.port_id, frame.out, frame.dport, frame.data) == ("mine", False, 53, sent()[:100])


async def test_of_a_trunk_each_port_has_its_own_tag() -> None:
    watches, capture = begun(("sub",))
    for tag in (None, 0, 102, 101):
        capture.take(raw("tap-trunk", sent(), tag))
    assert [frame.port_id for frame in end(watches).frames] == ["sub"]
    watches, capture = begun(("parent",))
    for tag in (101, None):
        capture.take(raw("tap-trunk", sent(), tag))
    assert [frame.port_id for frame in end(watches).frames] == ["parent"]


async def test_what_leaves_the_node_is_kept_of_these_segments_and_without_what_it_carries() -> None:
    """Another network may have the same addresses."""
    of = (Of(network_type="vxlan", key=7), Of(network_type="vlan", physical_network="physnet1", key=101))
    watches, capture = begun(of=of, bytes=1600)
    assert capture.interfaces == ("tap-mine", "nic-br-eth1", "eth0")
    for key in (8, 7):
        capture.take(raw("eth0", vxlan(sent(), key), out=True))
    for interface, tag in (("nic-br-eth1", 102), ("nic-br-eth1", None), ("eth0", 101), ("nic-br-eth1", 101)):
        capture.take(raw(interface, sent(), tag))
    found = end(watches).frames
    assert [(frame.interface, frame.tunnel, frame.data) for frame in found] == [
        ("eth0", "vxlan", b""), ("nic-br-eth1", "", b""),
    ]  # fmt: skip


async def test_so_many_at_once() -> None:
    watches = Watches(node())
    begun = []
    for number in range(100):
        try:
            watches.take(
                Watch(id=str(number), project=f"p{number // 4}", seconds=60, ports=("mine",), matches=(MATCH,))
            )
        except NotHere:
            continue
        begun.append(number)
    assert len(begun) == len(Captured.now) == AT_ONCE
    assert begun[:OF_A_PROJECT] == [0, 1]
    assert 2 not in begun
    for number in begun:
        end(watches, str(number))
    assert end(watches, "nobody's") == Caught()


async def test_each_ends_with_its_time_and_without_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_captures, "FORGET_SECONDS", 0.05)
    watches = Watches(node())
    watch = Watch(id="asked", project="p", seconds=0.2, ports=("mine",), matches=(MATCH,))
    watches.take(Watch(id="forgotten", project="p", seconds=60, ports=("mine",), matches=(MATCH,)))
    watches.take(watch)
    async with asyncio.timeout(30):
        while Captured.now:
            await asyncio.sleep(0.01)


async def test_frames_that_nobody_fetches_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    watches, capture = begun()
    for _ in range(3000):
        capture.take(raw("tap-mine", sent()))
    found = end(watches)
    assert (len(found.frames), found.lost) == (wire_captures.MOST_FRAMES, 3000 - 1024)


WRONG: tuple[dict[str, Any], ...] = (
    {"src": "x"}, {"src": "fd00::1"}, {"src": "", "dst": ""}, {"protocol": 300}, {"sport": -1}, {"dport": 70000},
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_what_cannot_be_watched(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"src": ENDS[0], "dst": ENDS[1], "protocol": 17}
    with pytest.raises(NotHere, match="nothing to watch"):
        Watches(node()).take(Watch(id="w", seconds=60, ports=("mine",), matches=(Match(**fields | wrong),)))
