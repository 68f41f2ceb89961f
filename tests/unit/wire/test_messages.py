"""What one end encodes the other decodes; anything else is refused with one error."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.model import (
    FIRST_KINDS,
    KINDS,
    AddressPair,
    FixedIp,
    Key,
    Network,
    Node,
    NodeFacts,
    Object,
    Peer,
    Port,
    PortState,
    PortStatus,
    Router,
    RouterPort,
    Segment,
    Subnet,
)
from netweft.model.counting import Counted
from netweft.wire import messages as wire
from netweft.wire.causes import Cause

OBJECTS = (
    Network(id="n", name="net", segments=(Segment("vxlan", None, 7),)),
    Subnet(id="s", network_id="n", ip_version=6, cidr="fd00::/64", gateway_ip="fd00::1"),
    Port(
        id="p",
        network_id="n",
        mac_address="m",
        fixed_ips=(FixedIp("s", "fd00::2"),),
        allowed_address_pairs=(AddressPair("10.0.0.0/8", "m"),),
        host_id="hv1",
    ),
    Peer(id="q", network_id="n", mac_address="m", ip_addresses=("fd00::3",), host_id="hv2"),
    Node(name="hv2", tunnel_ip="192.0.2.2", tunnel_types=("vxlan",)),
)
DOWNWARD: list[wire.Downward] = [
    wire.Snapshot(history="h", revision=3, objects=OBJECTS),
    wire.Delta(revision=4, upserts=OBJECTS, deletes=(("port", "p"), ("node", "hv2"))),
    wire.Denied({"p": "no"}),
    wire.Refused(reason="no", retry=True),
]
UPWARD: list[wire.Upward] = [
    wire.Subscribe(node="hv1", facts=NodeFacts(tunnel_ip="192.0.2.1", bridge_mappings={"physnet1": "br-eth1"})),
    wire.Facts(NodeFacts(datapath_type="netdev")),
    wire.Report(revision=4, ports=(PortStatus("p", PortState.ERROR, "no free VLAN"),), complete=True),
]


@pytest.mark.parametrize("message", DOWNWARD, ids=lambda message: type(message).__name__)
def test_downward(message: wire.Downward) -> None:
    assert wire.decode_downward(wire.encode(message)) == message


@pytest.mark.parametrize("message", UPWARD, ids=lambda message: type(message).__name__)
def test_upward(message: wire.Upward) -> None:
    assert wire.decode_upward(wire.encode(message)) == message


def test_each_direction_has_its_own_messages() -> None:
    for down in DOWNWARD:
        with pytest.raises(wire.BadMessage):
            wire.decode_upward(wire.encode(down))
    for up in UPWARD:
        with pytest.raises(wire.BadMessage):
            wire.decode_downward(wire.encode(up))


def test_fields_of_a_later_version_are_passed_over() -> None:
    frame = msgspec.msgpack.encode({"type": "denied", "ports": {}, "severity": "high"})
    assert wire.decode_downward(frame) == wire.Denied({})


@given(st.binary(max_size=200))
def test_garbage_is_refused_with_the_one_error(frame: bytes) -> None:
    for decode in (wire.decode_upward, wire.decode_downward):
        with pytest.raises(wire.BadMessage):
            decode(frame)


@given(st.sampled_from([wire.encode(message) for message in UPWARD]), st.integers(0, 200), st.integers(1, 255))
def test_a_damaged_message_is_refused_or_another_message(frame: bytes, place: int, flip: int) -> None:
    place %= len(frame)
    damaged = frame[:place] + bytes([frame[place] ^ flip]) + frame[place + 1 :]
    with suppress(wire.BadMessage):
        wire.decode_upward(damaged)


def test_deep_nesting_is_refused() -> None:
    deep = b"\x83\xa4type\xa6denied\xa5ports\x80\xa1x" + b"\x91" * 100_000
    with pytest.raises(wire.BadMessage):
        wire.decode_downward(deep)


def test_an_older_agent_gets_what_it_can_read() -> None:
    """Its decoder knows no other tags."""
    objects = (Network(id="n"), Router(id="r"), RouterPort(id="i", network_id="n", mac_address="fa:16:3e:00:00:01"))
    whole = wire.Snapshot(history="h", revision=1, objects=objects)
    assert wire.known(whole, KINDS) == whole
    assert wire.known(whole, FIRST_KINDS) == wire.Snapshot(history="h", revision=1, objects=objects[:1])
    change = wire.Delta(revision=2, upserts=objects, deletes=(("network", "m"), ("floating_ip", "f")))
    told = wire.Delta(revision=2, upserts=objects[:1], deletes=(("network", "m"),))
    assert wire.known(change, FIRST_KINDS) == told


class _OlderDelta(msgspec.Struct, frozen=True, kw_only=True, tag="delta"):
    """As it was before there were causes; as was the report below."""

    revision: int
    upserts: tuple[Object, ...] = ()
    deletes: tuple[Key, ...] = ()


class _OlderReport(msgspec.Struct, frozen=True, kw_only=True, tag="report"):
    revision: int
    ports: tuple[PortStatus, ...]
    complete: bool = False
    left: tuple[wire.Left, ...] = ()
    taken_up: tuple[wire.TakenUp, ...] = ()
    counted: tuple[Counted, ...] = ()
    gateways: tuple[str, ...] = ()


def test_who_knows_no_causes_reads_over_them_and_says_none() -> None:
    cause = Cause(request="req-1", span="00-", ids=("n",))
    up = (PortStatus("p", PortState.UP),)
    frame = wire.encode(wire.Delta(revision=2, upserts=(Network(id="n"),), causes=(cause,)))
    older = msgspec.msgpack.decode(frame, type=_OlderDelta)
    assert older == _OlderDelta(revision=2, upserts=(Network(id="n"),))
    assert wire.decode_downward(msgspec.msgpack.encode(older)) == wire.Delta(revision=2, upserts=older.upserts)
    frame = wire.encode(wire.Report(revision=2, ports=up, causes={"p": cause}))
    told = msgspec.msgpack.decode(frame, type=_OlderReport)
    assert told == _OlderReport(revision=2, ports=up)
    assert wire.decode_upward(msgspec.msgpack.encode(told)) == wire.Report(revision=2, ports=up)
