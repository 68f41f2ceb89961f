"""The example agent: what it wants of the kernel for a view, and what it says of ports that cannot be had."""

import pytest
from msgspec.structs import replace

from netweft.agent.follower import Follower
from netweft.model import Network, Node, Object, Peer, Port, PortState, Segment, view_of
from netweft.settings import AgentSettings
from netweft_linuxbridge.agent import LinuxBridges, create
from netweft_linuxbridge.desired import ANYBODY, Bridge, Forward, Item, Member, Overlay, desired

NET = Network(id="01234567-89ab-4000-8000-000000000000", segments=(Segment("vxlan", None, 1001),))
OTHER = Network(id="ffffffff-89ab-4000-8000-000000000000", segments=(Segment("vxlan", None, 1002),))
PORT = Port(id="76543210-1111-4000-8000-000000000000", network_id=NET.id, mac_address="fa:16:3e:00:00:01")
TAP = f"tap{PORT.id[:11]}"
BRQ = f"brq{NET.id[:11]}"
HERE = "192.0.2.1"


def peer(number: int, host: str, net: Network = NET) -> Peer:
    return Peer(id=f"p{number}", network_id=net.id, mac_address=f"FA:16:3E:00:00:0{number}", host_id=host)


def items(*objects: Object, plugged: tuple[str, ...] = (TAP,), tunnel_ip: str = HERE) -> set[Item]:
    return set(desired(view_of("h", 1, objects), plugged, tunnel_ip).items.values())


def told(*objects: Object, tunnel_ip: str = HERE) -> tuple[PortState, str]:
    result = desired(view_of("h", 1, objects), (TAP,), tunnel_ip)
    assert (result.items == {}) == (result.statuses[PORT.id].state is not PortState.UP)
    return result.statuses[PORT.id].state, result.statuses[PORT.id].detail


WIRED = {Bridge(BRQ), Member(TAP, BRQ), Overlay("nwvx1001", BRQ, 1001, HERE, 1500)}


def test_nothing_is_wanted_before_a_tap_is_there() -> None:
    result = desired(view_of("h", 1, [NET, PORT, peer(2, "hv2"), Node(name="hv2", tunnel_ip="192.0.2.2")]), (), HERE)
    assert (result.items, result.statuses) == ({}, {})


def test_frames_for_all_go_once_to_each_host_that_has_the_network() -> None:
    nodes = [Node(name=f"hv{n}", tunnel_ip=f"192.0.2.{n}") for n in (2, 3)]
    others = [peer(2, "hv2"), peer(3, "hv2"), peer(4, "hv3"), peer(5, "unknown"), peer(6, "hv3", OTHER)]
    wanted = {(ANYBODY, 2), (ANYBODY, 3), ("fa:16:3e:00:00:02", 2), ("fa:16:3e:00:00:03", 2), ("fa:16:3e:00:00:04", 3)}
    forwards = {Forward("nwvx1001", mac, f"192.0.2.{n}") for mac, n in wanted}
    assert items(NET, PORT, *nodes, *others) == WIRED | forwards


@pytest.mark.parametrize("theirs", [None, HERE, "fd00::2", "nonsense"])
def test_a_host_that_cannot_be_reached_gets_nothing(theirs: str | None) -> None:
    assert items(NET, PORT, peer(2, "hv2"), Node(name="hv2", tunnel_ip=theirs)) == WIRED


def test_ipv6_addresses_are_written_as_the_kernel_does() -> None:
    wanted = items(NET, PORT, peer(2, "hv2"), Node(name="hv2", tunnel_ip="FD00:0::2"), tunnel_ip="fd00::0:1")
    assert Overlay("nwvx1001", BRQ, 1001, "fd00::1", 1500) in wanted
    assert Forward("nwvx1001", ANYBODY, "fd00::2") in wanted


def test_a_local_network_has_no_overlay() -> None:
    local = replace(NET, segments=(Segment("local"),))
    assert items(local, PORT, peer(2, "hv2"), Node(name="hv2", tunnel_ip="192.0.2.2")) == {
        Bridge(BRQ),
        Member(TAP, BRQ),
    }


def test_the_first_segment_that_it_can_do() -> None:
    several = replace(NET, segments=(Segment("vlan", "physnet1", 7), *NET.segments, Segment("local")))
    assert items(several, PORT) == WIRED


def test_why_not() -> None:
    assert told(NET, PORT) == (PortState.UP, "")
    assert told(NET, replace(PORT, admin_state_up=False)) == (PortState.DOWN, "")
    assert told(PORT) == (PortState.ERROR, f"network {NET.id} is not known here")
    assert told(replace(NET, admin_state_up=False), PORT)[0] is PortState.DOWN
    vlan = replace(NET, segments=(Segment("vlan", "physnet1", 7),))
    assert told(vlan, PORT) == (PortState.ERROR, "the network is vlan, this node can do local, vxlan only")
    assert told(NET, PORT, tunnel_ip="") == (
        PortState.ERROR,
        "the network is vxlan, this node can do local only; it has no tunnel address (tunnel_ip)",
    )


@pytest.mark.parametrize(
    ("port", "net"), [(replace(PORT, qos_policy_id="q"), NET), (PORT, replace(NET, qos_policy_id="q"))]
)
def test_requested_qos_is_said_not_to_be_done(port: Port, net: Network) -> None:
    assert told(net, port) == (PortState.UP, "its QoS policy is not in effect: this agent does no QoS")


def test_what_is_reported_of_the_node() -> None:
    settings = AgentSettings(node="hv1", tunnel_ip=HERE)
    facts = LinuxBridges(settings).facts()
    assert (facts.agent_type, facts.vif_type, facts.tunnel_ip) == ("Linux bridge agent", "bridge", HERE)
    assert isinstance(create(settings), Follower)
