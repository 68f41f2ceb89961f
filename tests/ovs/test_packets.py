"""Frames that a flow sends to the agent, and frames that the agent sends: with the real switch."""

import asyncio
from pathlib import Path

import pytest
from tests.ground.packets import Ends, udp
from tests.ovs.sandbox import Sandbox
from tests.waiting import PATIENCE

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.fields import VLAN_PRESENT, match
from netweft.dataplane.openflow.flow import CheckLarger, Controller, Ct, Flow, Output, PopVlan, Resubmit, SetField
from netweft.dataplane.openflow.messages import PacketIn

ID = 0x4E57
FRAME = bytes(range(12)) + b"\x88\xb5" + b"a frame of sixty bytes".ljust(46, b".")
TO_US = Flow(
    table=0,
    priority=5,
    match=match(eth_type=0x88B5),
    actions=(SetField("reg0", 7), SetField("reg2", 0x10000009), Controller(ID)),
    cookie=0x77,
)


@pytest.fixture
def sent(ovs: Sandbox, bridge: str, tmp_path: Path) -> Path:
    """What the switch sends out of its port 1."""
    found = tmp_path / "out.pcap"
    settings = ("type=dummy", "ofport_request=1", f"options:tx_pcap={found}")
    ovs.vsctl("add-port", bridge, f"{bridge}p", "--", "set", "Interface", f"{bridge}p", *settings)
    return found


def receive(ovs: Sandbox, bridge: str, frame: bytes) -> None:
    ovs.appctl("netdev-dummy/receive", f"{bridge}p", frame.hex())


async def test_a_frame_for_our_id_comes_with_its_registers_and_only_to_us(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, sent: Path
) -> None:
    await switch.apply([TO_US])
    ours: asyncio.Queue[PacketIn] = asyncio.Queue()
    theirs: list[PacketIn] = []
    other = await OpenFlowConnection.connect(ovs.mgmt(bridge))
    deaf = await OpenFlowConnection.connect(ovs.mgmt(bridge))
    await switch.watch_packets(ID, ours.put_nowait)
    await other.watch_packets(ID + 1, theirs.append)
    receive(ovs, bridge, FRAME)
    async with asyncio.timeout(PATIENCE):
        packet = await ours.get()
    assert packet == PacketIn(0x77, {"in_port": 1, "reg0": 7, "reg2": 0x10000009}, FRAME)
    await other.barrier()
    await deaf.barrier()
    assert ours.empty()
    assert not theirs
    for connection in (other, deaf):
        await connection.close()


async def test_a_frame_of_ours_goes_through_tables(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, sent: Path
) -> None:
    out = Flow(table=9, priority=5, match=match(reg1=4), actions=(Output(1),))
    await switch.apply([out])
    switch.send_packet_soon(FRAME, (SetField("reg1", 4), Resubmit(9)))
    await switch.barrier()
    assert FRAME in await asyncio.to_thread(sent.read_bytes)


async def test_a_frame_of_ours_is_tracked_where_a_flow_writes_in_port(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, sent: Path
) -> None:
    """As routers' next hops do."""
    frame = udp(Ends("10.0.0.1", 1000, "10.0.0.2", 53))
    track = Flow(
        table=9, priority=5, match=match(eth_type=0x0800), actions=(SetField("nxm_in_port", 0), Ct(zone=3, table=10))
    )
    out = Flow(table=10, priority=5, actions=(Output(1),))
    await switch.apply([track, out])
    await switch.send_packet(frame, (Resubmit(9),))
    assert frame in await asyncio.to_thread(sent.read_bytes)


async def test_a_frame_that_cannot_be_sent_does_not_spoil_what_comes_after(switch: OpenFlowConnection) -> None:
    switch.send_packet_soon(FRAME, (Output(0xFFFFFF01),))  # no such port can be
    await switch.apply([TO_US])
    assert await switch.dump_flows() == [TO_US]


@pytest.mark.parametrize("size", [1514, 1515])
async def test_how_long_a_frame_is_without_the_tag_that_was_taken_off(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection, sent: Path, size: int
) -> None:
    """A trunk's sub-port sends as much as any other port."""
    tagged = (VLAN_PRESENT, VLAN_PRESENT)
    actions = (PopVlan(), CheckLarger(1514, "reg11", 3), Controller(ID))
    await switch.apply([Flow(table=0, priority=5, match=match(vlan_vid=tagged), actions=actions)])
    ours: asyncio.Queue[PacketIn] = asyncio.Queue()
    await switch.watch_packets(ID, ours.put_nowait)
    untagged = FRAME[:12] + FRAME[12:].ljust(size - 12, b".")
    receive(ovs, bridge, untagged[:12] + b"\x81\x00\x00\x66" + untagged[12:])
    async with asyncio.timeout(PATIENCE):
        packet = await ours.get()
    assert packet.frame == untagged
    assert packet.fields.get("reg11", 0) == (8 if size > 1514 else 0)


async def test_a_frame_whose_message_is_longer_than_a_message_can_say(switch: OpenFlowConnection) -> None:
    """The kernel's datapath hands up whole datagrams.  Open vSwitch writes the length as it fits into 16 bits."""
    ours: asyncio.Queue[PacketIn] = asyncio.Queue()
    await switch.watch_packets(ID, ours.put_nowait)
    registers = tuple(SetField(f"reg{number}", 7) for number in range(16))
    send = Flow(table=9, priority=5, actions=(*registers, Controller(ID)), cookie=0x77)
    await switch.apply([send])
    for size in range(65_250, 65_450, 20):
        frame = FRAME.ljust(size, b".")
        await switch.send_packet(frame, (Resubmit(9),))
        async with asyncio.timeout(PATIENCE):
            packet = await ours.get()
        assert (packet.cookie, packet.frame == frame) == (0x77, True)
    switch.send_packet_soon(FRAME.ljust(65_531, b"."), (Resubmit(9),))  # it cannot be given back
    await switch.barrier()
    assert ours.empty()
