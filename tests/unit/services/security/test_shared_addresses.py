"""Connections to an address that several ports have: a rule taken away ends its port's answers, and nobody else's."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples
from tests.unit.services.security.test_firewall import NET, OUT, group, rule

from netweft.dataplane.openflow.fields import PROTO_UDP
from netweft.model import AddressPair, Port
from netweft.services.fields import Reason, cookie, refusal
from netweft.services.pipeline import BridgeFlow
from netweft.testing import packets
from netweft.testing.packets import BROADCAST
from netweft.testing.region import ANYTHING, Region, port

VIRTUAL, MULTICAST, ADDRESS = "00:00:5e:00:01:07", "03:bf:0a:00:00:fa", "10.0.0.250"
SERVERS = tuple(
    port(number, NET, security_groups=(group(number).id,), allowed_address_pairs=(AddressPair(ADDRESS, VIRTUAL),))
    for number in (2, 3)
)
CLIENT = port(1, NET, security_groups=(group(1).id,))
FREE = port(7, NET, security_groups=(), port_security_enabled=False)
OPEN = port(8, NET, security_groups=(ANYTHING.id,))
ALLOWED = rule(3, protocol=PROTO_UDP)


@dataclass
class Stage:
    """The client on its node, the servers on hv1, and who else is there."""

    region: Region

    def allow(self, one: Port, *, yes: bool) -> None:
        number = int(one.id[:8], 16)
        own = (OUT if yes else ()) if one is CLIENT else (*OUT, *((ALLOWED,) if yes else ()))
        self.region.create(group(number, *own))
        self.region.settle()

    def ask(self, to: str = VIRTUAL) -> list[str]:
        return self.region.receivers(CLIENT, packets.udp(CLIENT.mac_address, to, "10.0.0.1", ADDRESS, 4000, 53))

    def answered(self, server: Port, frm: str = VIRTUAL) -> bool:
        frame = packets.udp(frm, CLIENT.mac_address, ADDRESS, "10.0.0.1", 53, 4000)
        return CLIENT.id in self.region.receivers(server, frame)


def stage(client_on: str, *beside: Port) -> Stage:
    region = Region(nodes=2)
    region.create(NET, CLIENT, *SERVERS, FREE, OPEN)
    region.plug(client_on, CLIENT)
    region.plug("hv1", *SERVERS, *beside)
    made = Stage(region)
    for one in (CLIENT, *SERVERS):
        made.allow(one, yes=True)
    return made


@pytest.mark.parametrize("to", [VIRTUAL, MULTICAST, BROADCAST])
@pytest.mark.parametrize("client_on", ["hv1", "hv2"])
def test_each_servers_rules_end_its_own_answers(client_on: str, to: str) -> None:
    found = stage(client_on, FREE, OPEN)
    one, other = SERVERS
    found.ask(to)
    assert found.answered(one)
    assert found.answered(other)
    found.allow(one, yes=False)
    assert one.id not in found.ask(to)
    assert not found.answered(one)
    assert found.answered(other), "whose rules permit it"
    found.allow(one, yes=True)
    assert one.id in found.ask(to)
    assert found.answered(one), "permitted again"


@pytest.mark.parametrize("client_on", ["hv1", "hv2"])
def test_the_askers_rules_end_all_answers(client_on: str) -> None:
    found = stage(client_on, FREE)
    found.ask()
    found.allow(CLIENT, yes=False)
    assert found.ask() == []
    assert not any(found.answered(server) for server in SERVERS)
    found.allow(CLIENT, yes=True)
    found.ask()
    assert all(found.answered(server) for server in SERVERS)


@pytest.mark.parametrize("client_on", ["hv1", "hv2"])
def test_what_others_permit_is_not_for_who_refuses_to_answer(client_on: str) -> None:
    """A new connection that an unguarded neighbour gets, and that the server's rules do not permit."""
    found = stage(client_on, FREE)
    found.allow(SERVERS[0], yes=False)
    assert found.ask() == [SERVERS[1].id, FREE.id]
    assert not found.answered(SERVERS[0])
    assert found.answered(SERVERS[1])


def test_an_asker_with_a_mac_of_its_pair() -> None:
    """The other direction: answers are what is flooded."""
    client = replace(CLIENT, allowed_address_pairs=(AddressPair(ADDRESS, VIRTUAL),))
    server = port(4, NET, security_groups=(group(4).id,))
    region = Region(nodes=2)
    region.create(NET, client, server, FREE, group(1, *OUT))
    region.plug("hv1", client, server, FREE)
    ask = packets.udp(VIRTUAL, server.mac_address, ADDRESS, "10.0.0.4", 4000, 53)
    answer = packets.udp(server.mac_address, VIRTUAL, "10.0.0.4", ADDRESS, 53, 4000)
    for allowed in (True, False, True):
        region.create(group(4, *OUT, *((ALLOWED,) if allowed else ())))
        region.settle()
        assert (server.id in region.receivers(client, ask)) == allowed
        assert (client.id in region.receivers(server, answer)) == allowed


def test_a_port_that_shares_no_more() -> None:
    """What it refused stays so from the asker's next packet on."""
    found = stage("hv1", FREE)
    one = SERVERS[0]
    to_it = packets.udp(CLIENT.mac_address, one.mac_address, "10.0.0.1", "10.0.0.2", 4000, 53)
    answer = packets.udp(one.mac_address, CLIENT.mac_address, "10.0.0.2", "10.0.0.1", 53, 4000)
    assert found.region.receivers(CLIENT, to_it) == [one.id]
    for alone in (False, True):
        found.region.create(replace(one, allowed_address_pairs=()) if alone else one)
        for yes in (False, True):
            found.allow(one, yes=yes)
            assert (found.region.receivers(CLIENT, to_it) == [one.id]) == yes
            assert (found.region.receivers(one, answer) == [CLIENT.id]) == yes


def test_bits_are_among_the_thirty() -> None:
    assert {refusal(f"{number:08x}-1111") for number in range(200)} <= {1 << bit for bit in range(2, 32)}


def test_only_ports_that_share_pay_for_it() -> None:
    def flows(one: Port) -> int:
        region = Region(nodes=1)
        region.create(NET, one, group(2, *OUT))
        region.plug("hv1", one)
        region.settle()
        owner = cookie(Reason.PORT_GROUPS, one.id)
        items = region.nodes["hv1"].applied.values()
        return sum(isinstance(item, BridgeFlow) and item.flow.cookie == owner for item in items)

    assert flows(replace(SERVERS[0], allowed_address_pairs=())) == 2
    assert flows(SERVERS[0]) == 2 + 8


STEPS = st.one_of(
    st.tuples(st.just("allow"), st.sampled_from([CLIENT, *SERVERS]), st.booleans()),
    st.tuples(st.just("ask"), st.sampled_from([VIRTUAL, MULTICAST]), st.none()),
)


@settings(max_examples=examples(60))
@given(st.sampled_from(["hv1", "hv2"]), st.sets(st.sampled_from(["free", "open"])), st.lists(STEPS, max_size=12))
def test_who_answers_is_who_permitted_the_last_question(
    client_on: str, beside: set[str], steps: list[tuple[str, object, object]]
) -> None:
    found = stage(client_on, *({"free": FREE, "open": OPEN}[name] for name in sorted(beside)))
    permits = dict.fromkeys((one.id for one in (CLIENT, *SERVERS)), True)
    heard = dict.fromkeys((one.id for one in SERVERS), False)
    asked = reached = False
    for what, whom, yes in steps:
        if isinstance(whom, Port):
            found.allow(whom, yes=bool(yes))
            permits[whom.id] = bool(yes)
        else:
            assert what == "ask"
            got = found.ask(str(whom))
            asked = permits[CLIENT.id]
            reached |= asked
            heard = {id: permits[id] for id in heard} if asked else heard
            assert [id for id in sorted(heard) if id in got] == [id for id in sorted(heard) if asked and heard[id]]
        for server in SERVERS if reached else ():  # else it would be who asks
            assert found.answered(server) == (asked and heard[server.id])
