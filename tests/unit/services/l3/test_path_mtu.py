"""What is too big for the network that it is routed into is handed up, with that network known; all else passes."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.flow import CheckLarger
from netweft.model import HostRoute, Port
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, Why
from netweft.testing import packets
from netweft.testing.region import Region, interface, network, port, router, subnet
from netweft.testing.switch import Packet

LARGE, SMALL = replace(network(1), mtu=1500), replace(network(2, "vlan"), mtu=1400)
TINY = replace(network(3), mtu=1300)
R = router(1, routes=(HostRoute("10.0.2.0/24", "10.0.1.2"),))
TO_LARGE = interface(1, R, LARGE, "10.0.0.1", "fd00:a::1")
TO_SMALL = interface(2, R, SMALL, "10.0.1.1", "fd00:b::1")
NEXT = router(2, routes=(HostRoute("10.0.0.0/24", "10.0.1.1"),))
CHAIN = (
    NEXT,
    interface(3, NEXT, SMALL, "10.0.1.2", "fd00:b::2"),
    interface(4, NEXT, TINY, "10.0.2.1", "fd00:c::1"),
)
A, FREE = (
    port(10, LARGE, "10.0.0.10", "fd00:a::10"),
    port(11, LARGE, "10.0.0.11", "fd00:a::11", port_security_enabled=False, security_groups=()),
)
B, C = port(20, SMALL, "10.0.1.20", "fd00:b::20"), port(30, TINY, "10.0.2.30", "fd00:c::30")
HEADER = 14


@pytest.fixture(params=["beside", "there"])
def region(request: pytest.FixtureRequest) -> Region:
    made = Region(nodes=2)
    made.create(LARGE, SMALL, TINY, R, TO_LARGE, TO_SMALL, *CHAIN, A, FREE, B, C)
    for net, letter, number in ((LARGE, "a", 0), (SMALL, "b", 1), (TINY, "c", 2)):
        made.create(subnet(net, f"10.0.{number}.0/24"), subnet(net, f"fd00:{letter}::/64"))
    made.plug("hv1", A, FREE)
    made.plug("hv1" if request.param == "beside" else "hv2", B, C)
    made.settle()
    return made


def sent(frm: Port, to: str, size: int, by: str = TO_LARGE.mac_address) -> Packet:
    """size: of the IP packet."""
    make, own = (packets.ping6, frm.fixed_ips[1]) if ":" in to else (packets.ping, frm.fixed_ips[0])
    return {**make(frm.mac_address, by, own.ip_address, to), "ip_ttl": 64, "length": size + HEADER}


def punted(region: Region) -> list[Packet]:
    return region.nodes["hv1"].bridges["int"].punted


@pytest.mark.parametrize("to", ["10.0.1.20", "fd00:b::20"])
@pytest.mark.parametrize("frm", [A, FREE], ids=["guarded", "unguarded"])
def test_one_byte_too_many(region: Region, frm: Port, to: str) -> None:
    assert region.receivers(frm, sent(frm, to, SMALL.mtu)) == [B.id]
    assert punted(region) == []
    assert region.send(frm, sent(frm, to, SMALL.mtu + 1)) == []
    (found,) = punted(region)
    assert found[HANDED_UP] == Why.TOO_BIG
    node = region.nodes["hv1"]
    assert found[LOCAL_VLAN] == node.rendering.vlans.assigned[SMALL.id]


def test_at_each_router_of_a_chain(region: Region) -> None:
    assert region.receivers(A, sent(A, "10.0.2.30", TINY.mtu)) == [C.id]
    for size, net in ((TINY.mtu + 1, TINY), (SMALL.mtu + 1, SMALL)):
        punted(region).clear()
        assert region.send(A, sent(A, "10.0.2.30", size)) == []
        (found,) = punted(region)
        assert found[LOCAL_VLAN] == region.nodes["hv1"].rendering.vlans.assigned[net.id]


def test_an_address_of_the_routers_in_a_smaller_network_answers_what_fits_the_senders(region: Region) -> None:
    assert region.receivers(A, sent(A, "10.0.1.1", LARGE.mtu)) == [A.id]


def checks(region: Region) -> int:
    flows = region.nodes["hv1"].bridges["int"].flows.values()
    return sum(isinstance(action, CheckLarger) for flow in flows for action in flow.actions)


def test_lengths_are_looked_at_only_where_networks_differ(region: Region) -> None:
    """Once for each route into a smaller one: R's to SMALL (2) and by SMALL (1), NEXT's to TINY (2)."""
    assert checks(region) == 5
    region.create(replace(SMALL, mtu=1500), replace(TINY, mtu=1500))
    region.settle()
    assert checks(region) == 0
    region.create(replace(LARGE, mtu=9000))
    region.settle()
    assert checks(region) == 3
    region.nodes["hv1"].rendering.set_abilities(meters=True, lengths=False, nic_problems={})
    region.settle()
    assert checks(region) == 0, "vswitchd would look at each packet"
    assert region.receivers(A, sent(A, "10.0.1.20", 5000)) == [B.id]
