"""Meters on the real switch: what is sent comes back, ours are made and removed, those of others left alone."""

import pytest
from tests.ovs.sandbox import Sandbox

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.errors import Rejected
from netweft.dataplane.openflow.fields import match
from netweft.dataplane.openflow.flow import Apart, Flow, Goto, Meter, Output
from netweft.dataplane.openflow.meter_driver import MeterDriver
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.services.fields import GUARDED, METERS_MASK, OUR_METERS, Limit, meter_number

LARGEST = meter_number(GUARDED | 0xFFF << 16 | 0xFFFF, Limit.INGRESS_PACKETS)
METERS = [
    DropMeter(id=meter_number(5, Limit.EGRESS_BANDWIDTH), unit="kbps", rate=1000, burst=800),
    DropMeter(id=meter_number(5 | 7 << 16, Limit.EGRESS_PACKETS), unit="pktps", rate=1, burst=1),
    DropMeter(id=LARGEST, unit="kbps", rate=2**31 - 1, burst=2**31 - 1),
]


def driver(switch: OpenFlowConnection) -> MeterDriver:
    return MeterDriver(switch, OUR_METERS, METERS_MASK)


async def test_a_meter_comes_back_as_it_was_sent(ovs: Sandbox, bridge: str, switch: OpenFlowConnection) -> None:
    assert await switch.max_meters() > 0
    await switch.change_meters([(MeterCommand.ADD, meter) for meter in METERS])
    assert sorted(await switch.dump_meters(), key=lambda meter: meter.id) == sorted(METERS, key=lambda meter: meter.id)
    text = " ".join(ovs.ofctl("dump-meters", bridge).split())
    assert all(" ".join(str(meter).split()) in text.replace("bands= type", "bands=type") for meter in METERS)
    changed = DropMeter(id=LARGEST, unit="pktps", rate=7, burst=6)
    await switch.change_meters([(MeterCommand.MODIFY, changed), *((MeterCommand.DELETE, one) for one in METERS[:2])])
    assert await switch.dump_meters() == [changed]


async def test_what_it_has_dropped_is_counted(ovs: Sandbox, bridge: str, switch: OpenFlowConnection) -> None:
    meter = DropMeter(id=METERS[1].id, unit="pktps", rate=1, burst=1)
    await switch.change_meters([(MeterCommand.ADD, meter)])
    assert await switch.dropped_by(meter.id) == 0
    for _ in range(20):
        await switch.send_packet(bytes(60), (Meter(meter.id), Output(1)))
    assert 10 <= await switch.dropped_by(meter.id) < 20
    with pytest.raises(Rejected):
        await switch.dropped_by(METERS[0].id)


async def test_what_is_refused_is_named(switch: OpenFlowConnection) -> None:
    with pytest.raises(Rejected, match=rf"meter mod failed: unknown \(12, 3\): modify meter={LARGEST} "):
        await switch.change_meters([(MeterCommand.MODIFY, METERS[2])])
    flow = Flow(table=0, priority=1, actions=(Meter(LARGEST), Output(1)))
    with pytest.raises(Rejected):
        await switch.apply([flow])


async def test_the_driver_makes_changes_and_removes_its_own(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection
) -> None:
    ovs.ofctl("add-meter", bridge, "meter=5 kbps bands=type=drop rate=9")
    ours = driver(switch)
    await ours.read()
    assert not ours.actual
    ours.want({meter.id: meter for meter in METERS})
    assert (await ours.put(), await ours.remove()) == (3, 0)
    slower = DropMeter(id=METERS[0].id, unit="kbps", rate=500, burst=400)
    fresh = driver(switch)  # one that remembers nothing
    assert await fresh.read() == ours.actual
    fresh.want({slower.id: slower})
    assert (await fresh.put(), await fresh.remove()) == (1, 2)
    assert {meter.id: meter.rate for meter in await switch.dump_meters()} == {5: 9, slower.id: 500}


async def test_a_meter_that_somebody_deleted_is_put_back(ovs: Sandbox, bridge: str, switch: OpenFlowConnection) -> None:
    ours = driver(switch)
    ours.want({METERS[0].id: METERS[0]})
    await ours.put()
    ovs.ofctl("del-meters", bridge)
    ours.doubt()
    assert await ours.put() == 1
    assert await switch.dump_meters() == [METERS[0]]


async def test_a_limit_for_one_copy_drops_nothing_of_the_others(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection
) -> None:
    """And costs nothing where there is only one."""
    await switch.change_meters([(MeterCommand.ADD, METERS[0])])
    await switch.apply(
        [
            Flow(table=0, priority=2, match=match(in_port=1), actions=(Apart(1), Apart(1))),
            Flow(table=0, priority=1, actions=(Apart(1),)),
            Flow(table=1, priority=1, actions=(Meter(METERS[0].id), Goto(2))),
            Flow(table=2, priority=1, actions=(Output(0xFFFFFFFE),)),
        ]
    )

    def actions(in_port: int) -> str:
        return ovs.appctl("ofproto/trace", bridge, f"in_port={in_port},ip").strip().splitlines()[-1].partition(": ")[2]

    assert actions(1).startswith("clone(meter(") and actions(1).count("meter(") == 2, actions(1)
    assert actions(2).startswith("meter(")
