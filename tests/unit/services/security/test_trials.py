"""Which connections are judged anew when less is permitted, and by which packets."""

import pytest
from msgspec.structs import replace
from tests.unit.services.security.test_firewall import NET, OUT, group, rule

from netweft.dataplane.openflow.fields import PROTO_UDP
from netweft.dataplane.openflow.flow import Flow, Resubmit, SetField
from netweft.dataplane.packets.datagram import decode
from netweft.dataplane.unixctl.conntrack import Connection, udp_connections
from netweft.model import Port, SecurityGroup
from netweft.services.fields import ENDED, IN_PORT, PERMITTED
from netweft.services.pipeline import INT
from netweft.services.security.ends import End, Ends
from netweft.services.security.firewall_policies import TABLES
from netweft.services.security.trials import Concern, concern, may_refuse, trials
from netweft.testing.region import Region, port

SERVERS = group(5, *OUT, rule(3, protocol=PROTO_UDP))
NARROWER = group(5, *OUT, rule(3, protocol=PROTO_UDP, port_range_min=53, port_range_max=53))
OTHERS = group(6, *OUT)
CLIENT = port(1, NET, "10.0.0.1", security_groups=(OTHERS.id,))
SERVER = port(2, NET, "10.0.0.2", security_groups=(SERVERS.id,))
VLAN = 1
ASKED = Connection(zone=VLAN, src="10.0.0.1", dst="10.0.0.2", sport=40000, dport=5353)


def region_of(node_of_client: str) -> Region:
    region = Region(nodes=2)
    region.create(NET, CLIENT, SERVER, SERVERS, OTHERS)
    region.plug(node_of_client, CLIENT)
    region.plug("hv1", SERVER)
    region.settle()
    return region


def concern_of(region: Region, *changed: SecurityGroup | Port) -> Concern:
    """Of hv1, by what these take away there."""
    before = dict(region.nodes["hv1"].bridges["int"].flows)
    region.create(*changed)
    region.settle()
    after = region.nodes["hv1"].bridges["int"].flows
    return concern(flow for key, flow in before.items() if after.get(key) != flow)


def tried(region: Region, concern: Concern, *connections: Connection) -> list[tuple[Connection, str, int]]:
    """Of which connection, where it starts, who is said to send it."""
    node = region.nodes["hv1"]
    members = node.view.group_members.values()
    ranges = [pair for member in members for pair in member.ranges]
    ends = Ends(node.rendering.ports_on(VLAN)[1], node.view.peers.values(), ranges)

    def at(vlan: int, address: str) -> tuple[End, ...]:
        return ends.at(address)

    found = []
    for packet in trials(concern, connections, at):
        datagram = decode(packet.frame)
        assert datagram is not None
        said = Connection(
            zone=VLAN, src=str(datagram.src), dst=str(datagram.dst), sport=datagram.sport, dport=datagram.dport
        )
        *sets, start = packet.actions
        in_port = next(one.value for one in sets if isinstance(one, SetField) and one.field == IN_PORT)
        assert isinstance(start, Resubmit)
        found.append((said, list(INT.tables)[start.table], in_port))
    return found


def test_a_rule_less_concerns_the_ports_that_ask_it() -> None:
    region = region_of("hv1")
    less = concern_of(region, NARROWER)
    client = region.nodes["hv1"].rendering.local_port(CLIENT.id)
    assert client
    stranger = Connection(zone=VLAN, src="10.0.0.1", dst="10.0.0.77", sport=1, dport=2)
    ended = Connection(zone=VLAN, src="10.0.0.1", dst="10.0.0.2", sport=1, dport=2, mark=ENDED)
    assert tried(region, less, ASKED, stranger, ended) == [(ASKED, "egress", client.number)]


def test_what_comes_from_elsewhere_starts_where_it_comes_in() -> None:
    region = region_of("hv2")
    server = region.nodes["hv1"].rendering.local_port(SERVER.id)
    assert server
    assert tried(region, concern_of(region, NARROWER), ASKED) == [(ASKED, "switching", server.uplink)]


@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_a_member_less_concerns_its_connections(node: str) -> None:
    region = region_of(node)
    members = group(5, *OUT, rule(4, remote_group_id=OTHERS.id))
    region.create(members)
    region.settle()
    lonely = port(1, NET, "10.0.0.1", security_groups=())
    less = concern_of(region, lonely)
    assert [connection for connection, *_ in tried(region, less, ASKED)] == [ASKED]


def test_more_concerns_nobody() -> None:
    assert not concern_of(region_of("hv1"), group(5, *OUT, rule(3, protocol=PROTO_UDP), rule(9)))


def test_connections_as_open_vswitch_lists_them() -> None:
    listing = (
        "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=2),reply=(src=10.0.0.2,dst=10.0.0.1,sport=2,dport=1),zone=1,"
        "protoinfo=(state=ESTABLISHED)\n"
        "udp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=40000,dport=5353),reply=(src=10.0.0.2,dst=10.0.0.1,sport=5353,"
        "dport=40000),zone=1\n"
        "udp,orig=(src=fe80::1,dst=fe80::2,sport=3,dport=4),reply=(src=fe80::2,dst=fe80::1,sport=4,dport=3),zone=7,mark=1\n"
    )
    six = Connection(zone=7, src="fe80::1", dst="fe80::2", sport=3, dport=4, mark=1)
    answered = [
        replace(ASKED, answers_from="10.0.0.2", answering_port=5353),
        replace(six, answers_from="fe80::2", answering_port=4),
    ]
    assert list(udp_connections(listing)) == answered


def test_a_firewalls_rule_that_allows_refuses_nothing() -> None:
    rules = INT["policy_rules"].id
    allow, deny = (Flow(table=rules, priority=9, actions=done) for done in ((), (SetField(PERMITTED, 0),)))
    assert not may_refuse(allow, TABLES)
    assert may_refuse(deny, TABLES)
    assert not may_refuse(replace(deny, table=INT["egress_rules"].id), TABLES)
