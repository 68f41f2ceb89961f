"""What is asked to be forgotten is forgotten by a real conntrack, and nothing else; each protocol."""

from collections.abc import AsyncIterator

import pytest
from tests.netns.probes import ICMP, SCTP, TCP, UDP, Probe
from tests.ovs.sandbox import Sandbox

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.flow import Ct
from netweft.dataplane.unixctl.conntrack import LISTING, Connection, connections
from netweft.lab.guest import Nic
from netweft.model import FixedIp, Port
from netweft.services.fields import ENDED
from netweft.services.security.endings import Ended, by_mark, by_tuple, chosen

GRE, ZONE, OTHER_ZONE = 47, 7, 8
PROBES = (Probe(TCP, 80), Probe(UDP, 53), Probe(ICMP, 8), Probe(SCTP, 5), Probe(GRE))


def nic(last: int) -> Nic:
    addresses = (f"10.0.0.{last}/24", f"fd00::{last}/64")
    return Nic(tap="", mac=f"fa:16:3e:00:00:{last:02x}", addresses=addresses, mtu=1500)


A, B, C = map(nic, (1, 2, 3))
HERE = Port(
    id="c",
    network_id="n",
    mac_address=C.mac,
    host_id="h",
    fixed_ips=(FixedIp("s4", "10.0.0.3"), FixedIp("s6", "fd00::3")),
)


@pytest.fixture
async def conntrack(switch: OpenFlowConnection) -> AsyncIterator[OpenFlowConnection]:
    """Each of the three has asked each other, in all protocols."""
    for zone in (ZONE, OTHER_ZONE):
        for source, target in ((A, B), (B, A), (B, C), (C, B)):
            for version in (4, 6):
                for probe in PROBES:
                    frame = of(probe, version).frame(source, target, version, 5)
                    await switch.send_packet(frame, (Ct(zone=zone, commit=True),))
    yield switch
    await switch.flush_zones([ZONE, OTHER_ZONE])


def of(probe: Probe, version: int) -> Probe:
    return Probe(ICMP, 128) if (probe.protocol, version) == (ICMP, 6) else probe


def there(ovs: Sandbox, *words: str) -> list[Connection]:
    return list(connections(ovs.appctl(LISTING, *words)))


async def test_all_are_listed(ovs: Sandbox, conntrack: OpenFlowConnection) -> None:
    found = there(ovs, f"zone={ZONE}")
    assert len(found) == 2 * (3 * 4 + 2 * 2), "what has no ports here, SCTP and GRE, is asked and answers at once"
    assert {one.protocol for one in found} == {1, TCP, UDP, GRE, 58, SCTP}
    assert {one.zone for one in found} == {ZONE}
    assert len(there(ovs)) == 2 * len(found)


async def end(ovs: Sandbox, switch: OpenFlowConnection, *ends: Ended) -> list[Connection]:
    """As the agent does.  What is left, but for what answers cannot use any more."""
    over = list(chosen(there(ovs), {ZONE: ends}, {ZONE: [HERE]}))
    await switch.end_connections(filter(None, map(by_tuple, over)))
    for one in over:
        if not by_tuple(one):
            packet = by_mark(one)
            await switch.send_packet(packet.frame, packet.actions)
    left = there(ovs)
    assert len(left) == len(set(left)), "none came anew"
    return [one for one in left if one.mark != ENDED]


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
async def test_those_of_an_address(ovs: Sandbox, conntrack: OpenFlowConnection, address: str) -> None:
    before = there(ovs)
    left = await end(ovs, conntrack, Ended("n", address))
    assert left == [one for one in before if one.zone != ZONE or address not in (one.src, one.dst)]


async def test_those_of_a_range_but_for_what_others_hold(ovs: Sandbox, conntrack: OpenFlowConnection) -> None:
    before = there(ovs)
    left = await end(ovs, conntrack, Ended("n", "10.0.0.0/24", frozenset({"10.0.0.2", "10.0.0.3"})))
    assert left == [one for one in before if one.zone != ZONE or "10.0.0.1" not in (one.src, one.dst)]


async def test_those_in_which_nobody_here_has_a_part(ovs: Sandbox, conntrack: OpenFlowConnection) -> None:
    before = there(ovs)
    left = await end(ovs, conntrack, Ended("n"))
    assert left == [one for one in before if one.zone != ZONE or one.src.endswith("3") or one.dst.endswith("3")]


async def test_what_is_not_there_is_no_error(ovs: Sandbox, conntrack: OpenFlowConnection) -> None:
    before = there(ovs)
    for protocol in (TCP, UDP, SCTP):
        gone = Connection(zone=ZONE, src="10.0.0.99", dst="10.0.0.1", protocol=protocol, sport=1, dport=2)
        await conntrack.end_connections(filter(None, [by_tuple(gone)]))
    assert there(ovs) == before
