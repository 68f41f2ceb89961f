"""Who is a member of a remote group: a range of addresses is a member's only with the MAC that goes with it."""

import pytest
from msgspec.structs import replace
from tests.unit.services.security.test_firewall import NET, OUT, flows_of, group, passes, rule
from tests.unit.services.security.test_trials import VLAN, concern_of

from netweft.dataplane.openflow.fields import PROTO_UDP
from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import AddressPair, GroupMember, Port, SubPort, Trunk, key_of
from netweft.services.addresses import octets
from netweft.services.fields import NOBODY
from netweft.services.pipeline import INT
from netweft.services.security.ends import Ends
from netweft.services.security.trials import trials
from netweft.testing import packets
from netweft.testing.region import ANYTHING, Region, network, port
from netweft.testing.switch import Packet

OTHER_NET = network(2)
FRIENDS = group(6, *OUT)
GUARD = group(
    5,
    *OUT,
    rule(3, protocol=PROTO_UDP, remote_group_id=FRIENDS.id),
    rule(4, "ingress", "IPv6", protocol=PROTO_UDP, remote_group_id=FRIENDS.id),
)
VIRTUAL, INSIDE = "00:00:5e:00:01:07", {4: "192.0.2.9", 6: "2001:db8:9::9"}
SERVER = port(2, NET, "10.0.0.2", "fd00::2", security_groups=(GUARD.id,))


def member(*pairs: AddressPair) -> Port:
    return port(1, NET, "10.0.0.1", "fd00::1", security_groups=(FRIENDS.id,), allowed_address_pairs=pairs)


def stranger(*pairs: AddressPair) -> Port:
    return port(3, NET, "10.0.0.3", "fd00::3", security_groups=(ANYTHING.id,), allowed_address_pairs=pairs)


def own(one: Port, *ranges: str) -> tuple[AddressPair, ...]:
    return tuple(AddressPair(range_, one.mac_address) for range_ in ranges)


def made_of(*ports: Port, at: str) -> Region:
    """The server on hv1, all others there or elsewhere."""
    region = Region(nodes=2)
    region.create(NET, GUARD, FRIENDS, SERVER, *ports)
    region.plug("hv1", SERVER)
    region.plug(at, *ports)
    region.settle()
    return region


def says(frm: Port, source: str, mac: str = "") -> Packet:
    target = SERVER.fixed_ips[":" in source].ip_address
    return packets.udp(mac or frm.mac_address, SERVER.mac_address, source, target, 4000, 53)


WHERE = pytest.mark.parametrize("at", ["hv1", "hv2"])


@WHERE
@pytest.mark.parametrize(
    "ranges", [("0.0.0.0/0", "::/0"), ("192.0.2.0/24", "2001:db8::/32"), ("192.0.2.8/31", "2001:db8:9::8/127")]
)
@pytest.mark.parametrize("version", [4, 6])
def test_a_range_is_a_members_and_no_strangers(at: str, ranges: tuple[str, str], version: int) -> None:
    """The stranger may send from it as well, as a router does; and from its own address."""
    base = member()
    one, other = member(*own(base, *ranges)), stranger(*own(stranger(), *ranges))
    region = made_of(one, other, at=at)
    inside = INSIDE[version]
    own_address = other.fixed_ips[version == 6].ip_address
    assert passes(region, one, SERVER, says(one, inside))
    assert passes(region, one, SERVER, says(one, one.fixed_ips[version == 6].ip_address))
    assert not passes(region, other, SERVER, says(other, inside))
    assert not passes(region, other, SERVER, says(other, own_address))


@WHERE
def test_a_range_that_goes_with_a_mac_of_its_own(at: str) -> None:
    one = member(AddressPair("192.0.2.0/24", VIRTUAL))
    also = stranger(AddressPair("192.0.2.0/24", VIRTUAL))
    region = made_of(one, at=at)
    assert passes(region, one, SERVER, says(one, INSIDE[4], VIRTUAL))
    assert not passes(region, one, SERVER, says(one, INSIDE[4])), "it may not send so"
    region = made_of(also, at=at)
    assert not passes(region, also, SERVER, says(also, INSIDE[4], VIRTUAL)), "who is no member"


@WHERE
def test_a_single_address_is_known_by_itself(at: str) -> None:
    """It may come through a router, with the router's MAC: `/32` says no more than the address does."""
    router = stranger(*own(stranger(), "0.0.0.0/0"))
    region = made_of(member(AddressPair("192.0.2.9/32", VIRTUAL)), router, at=at)
    for address in ("10.0.0.1", "192.0.2.9"):
        assert passes(region, router, SERVER, says(router, address))
    assert not passes(region, router, SERVER, says(router, "192.0.2.10"))


@WHERE
def test_a_sub_port_is_a_member_by_its_own_mac(at: str) -> None:
    parent, base = port(9, OTHER_NET), member()
    sub = member(*own(base, "0.0.0.0/0"))
    region = Region(nodes=2)
    trunk = Trunk(id="t", port_id=parent.id, sub_ports=(SubPort(sub.id, 102),))
    region.create(NET, OTHER_NET, GUARD, FRIENDS, SERVER, parent, sub, stranger(), trunk)
    region.plug("hv1", SERVER)
    region.plug(at, parent, stranger())
    region.settle()
    assert passes(region, sub, SERVER, says(sub, INSIDE[4]))
    assert not passes(region, stranger(), SERVER, says(stranger(), "10.0.0.3"))


@WHERE
def test_to_members_likewise(at: str) -> None:
    """Of a rule for what is sent: the far end is where it goes."""
    sender_group = group(7, rule(8, "egress", protocol=PROTO_UDP, remote_group_id=FRIENDS.id))
    sender = port(4, NET, "10.0.0.4", security_groups=(sender_group.id,))
    open_member = replace(member(*own(member(), "0.0.0.0/0")), security_groups=(FRIENDS.id, ANYTHING.id))
    other = stranger(*own(stranger(), "0.0.0.0/0"))
    region = made_of(open_member, other, at=at)
    region.create(sender, sender_group)
    region.plug("hv1", sender)
    region.settle()
    for to, address, expected in (
        (open_member, INSIDE[4], True),
        (other, INSIDE[4], False),
        (other, "10.0.0.3", False),
    ):
        frame = packets.udp(sender.mac_address, to.mac_address, "10.0.0.4", address, 4000, 53)
        assert passes(region, sender, to, frame) == expected


def test_what_it_costs() -> None:
    """A flow for each range, however many groups name it; none of it more than an address costs."""
    base = member()
    counts = []
    for pairs in ((), own(base, "192.0.2.0/24"), own(base, "192.0.2.0/24", "0.0.0.0/0"), own(base, "192.0.2.9/32")):
        flows = flows_of(made_of(member(*pairs), at="hv2"), "hv1")
        counts.append(sum(item.flow.table == INT["ingress_rules"].id for item in flows if item.bridge == INT.role))
    assert [count - counts[0] for count in counts] == [0, 1, 2, 1]


def test_a_range_without_a_mac_is_nobodys() -> None:
    """As a server says it that is older than its agents."""
    region = made_of(stranger(), at="hv1")
    node = region.nodes["hv1"]
    for told in (
        GroupMember(group_id=FRIENDS.id, port_id="old", ip_addresses=("0.0.0.0/0", "nonsense")),
        GroupMember(group_id=FRIENDS.id, port_id="odd", ranges=(AddressPair("0.0.0.0/0", "nonsense"),)),
    ):
        node.see([*region.view_of("hv1"), told])
        node.settle()
        assert key_of(told) in {key_of(obj) for obj in node.view.objects()}
        assert not passes(region, stranger(), SERVER, says(stranger(), "10.0.0.3"))


def macs_of(region: Region, connection: Connection, *changed: Port) -> list[tuple[bytes, bytes]]:
    """Of the packets that try it: who is said to send, and to get it."""
    less = concern_of(region, *changed)
    node = region.nodes["hv1"]
    ranges = [pair for one in node.view.group_members.values() for pair in one.ranges]
    ends = Ends(node.rendering.ports_on(VLAN)[1], node.view.peers.values(), ranges)
    return [
        (packet.frame[6:12], packet.frame[:6])
        for packet in trials(less, [connection], lambda _, address: ends.at(address))
    ]


@WHERE
def test_a_connection_on_trial_has_the_members_mac(at: str) -> None:
    """A member less by a range of all addresses concerns everybody; who stays a member is judged as it is."""
    one, other = member(*own(member(), "192.0.2.0/24")), stranger(*own(stranger(), "0.0.0.0/0"))
    also = replace(other, security_groups=(FRIENDS.id,))
    connection = Connection(zone=VLAN, src=INSIDE[4], dst="10.0.0.2", sport=4000, dport=53)
    region = made_of(one, also, at=at)
    tried = macs_of(region, connection, other)
    assert tried in ([], [(octets(one.mac_address), octets(SERVER.mac_address))])
    fixed = replace(connection, src="10.0.0.1")
    region = made_of(one, also, at=at)
    assert macs_of(region, fixed, other) == [(octets(one.mac_address), octets(SERVER.mac_address))]


def test_who_has_an_address() -> None:
    one = member(*own(member(), "192.0.2.0/24"), AddressPair("10.0.0.250", VIRTUAL))
    also = stranger(AddressPair("10.0.0.250", VIRTUAL), AddressPair("192.0.2.128/25", VIRTUAL))
    far = port(8, NET, "10.0.0.8")
    region = made_of(one, also, at="hv1")
    region.create(far)
    region.plug("hv2", far)
    region.settle()
    node = region.nodes["hv1"]
    elsewhere = [AddressPair("198.51.100.0/24", "fa:16:3e:00:00:77")]
    ends = Ends(node.rendering.ports_on(VLAN)[1], node.view.peers.values(), elsewhere)
    found = {
        address: [(end.port.port.id if end.port else "", end.mac) for end in ends.at(address)]
        for address in ("10.0.0.1", "10.0.0.250", "192.0.2.9", "192.0.2.200", "10.0.0.8", "198.51.100.1", "203.0.113.1")
    }
    assert found == {
        "10.0.0.1": [(one.id, octets(one.mac_address))],
        "10.0.0.250": [(one.id, octets(VIRTUAL)), (also.id, octets(VIRTUAL))],
        "192.0.2.9": [(one.id, octets(one.mac_address))],
        "192.0.2.200": [],
        "10.0.0.8": [("", octets(far.mac_address))],
        "198.51.100.1": [("", octets("fa:16:3e:00:00:77"))],
        "203.0.113.1": [("", NOBODY)],
    }
