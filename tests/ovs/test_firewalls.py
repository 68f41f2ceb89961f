"""Firewalls in a real Open vSwitch: it takes their flows, and recirculates no packet more often than docs say."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.ovs.sandbox import Sandbox
from tests.ovs.test_recirculations import NODE, OPEN, Switch, built
from tests.ovs.test_routing import packet
from tests.unit.services.security.test_firewalls import ALL, GROUP, group, policy, rule

from netweft.model import AddressGroup, Port
from netweft.services.pipeline import RECIRCULATIONS
from netweft.testing.region import Region, interface, network, port, router, subnet

BLUE, RED = network(1), network(2)
R = router(1)
TO_BLUE, TO_RED = (
    replace(interface(number, R, net, address), firewall_group_id=GROUP)
    for number, net, address in ((1, BLUE, "10.0.0.1"), (2, RED, "10.0.1.1"))
)
B1 = port(10, BLUE, "10.0.0.10", firewall_group_id=GROUP)
B2 = port(11, BLUE, "10.0.0.11", firewall_group_id=GROUP, **OPEN)
R1, R2 = port(20, RED, "10.0.1.20"), port(21, RED, "10.0.1.21", **OPEN)
LISTED = AddressGroup(id="000000ab-9999-4000-8000-000000000000", addresses=("198.51.100.0/24", "2001:db8::/32"))
ENDS, RANGE = ("source", "destination"), {"min": 1, "max": 65534}
RULES = (
    rule(30, "deny", source_address_group_id=LISTED.id),
    rule(32, "deny", protocol=17, **{f"{end}_port_range_{of}": at for end in ENDS for of, at in RANGE.items()}),
    rule(31, "reject", protocol=6, destination_port_range_min=1000, destination_port_range_max=2047),
    *ALL,
)


@pytest.fixture(scope="module")
def switch(ovs: Sandbox) -> Iterator[Switch]:
    named = policy(7, *RULES)
    region = Region(nodes=2)
    region.create(BLUE, RED, R, TO_BLUE, TO_RED, B1, B2, R1, R2, LISTED, *RULES, named, group(named, named))
    region.create(subnet(BLUE, "10.0.0.0/24"), subnet(RED, "10.0.1.0/24"))
    region.plug(NODE, B1, B2, R1, R2)
    region.settle()
    with built(ovs, region.nodes[NODE]) as switch:
        yield switch


@pytest.mark.parametrize("state", ["trk,new", "trk,est", "trk,est,rpl"])
@pytest.mark.parametrize(("frm", "to"), [(B1, R1), (B1, R2), (B2, R2), (R2, B2)])
def test_routed(switch: Switch, frm: Port, to: Port, state: str) -> None:
    path = "past firewalls of routers' and VMs' ports, guarded or not, between ports of one node"
    by = TO_BLUE if frm.network_id == BLUE.id else TO_RED
    sent = packet(switch, frm, to.fixed_ips[0].ip_address).replace(TO_BLUE.mac_address, by.mac_address)
    assert switch.recirculations("int", sent, state) == RECIRCULATIONS[path]


@pytest.mark.parametrize(("frm", "to"), [(B1, B2), (B2, B1)])
def test_within_a_network(switch: Switch, frm: Port, to: Port) -> None:
    path = "past firewalls of VMs' ports, guarded or not, within a network"
    sent = packet(switch, frm, to.fixed_ips[0].ip_address).replace(TO_BLUE.mac_address, to.mac_address)
    assert switch.recirculations("int", sent, "trk,new") == RECIRCULATIONS[path]


@pytest.mark.parametrize(("what", "handed_up"), [("tcp,tcp_dst=1500", True), ("tcp,tcp_dst=999", False)])
def test_what_is_rejected_goes_to_the_agent(switch: Switch, what: str, handed_up: bool) -> None:
    assert ("controller(" in switch.trace("int", packet(switch, B1, "10.0.1.20", what=what), "trk,new")) == handed_up


@pytest.mark.parametrize(("ports", "dropped"), [((1, 65534), True), ((0, 7), False), ((7, 65535), False)])
def test_ranges_of_both_ends_meet(switch: Switch, ports: tuple[int, int], dropped: bool) -> None:
    sent = packet(switch, B2, "10.0.1.21", what=f"udp,udp_src={ports[0]},udp_dst={ports[1]}")
    assert ("Datapath actions: drop" in switch.trace("int", sent, "trk,new").splitlines()[-1]) == dropped


def test_whom_a_deny_list_names_gets_nowhere(switch: Switch) -> None:
    for source, gets_nowhere in (("198.51.100.7", True), ("198.51.101.7", False)):
        sent = packet(switch, B2, "10.0.1.21").replace("10.0.0.11", source)
        assert ("Datapath actions: drop" in switch.trace("int", sent, "trk,new").splitlines()[-1]) == gets_nowhere
