"""Connections on trial: when less is permitted, those that may have lost their rule are judged at once.

What goes a connection's own way asks the rules each time (see `firewall`); a stream of answers alone would go on until
its asker says something.  TCP says something all the time.  For UDP we say it: a packet of the connection's own way,
for the pipeline to judge as any other, and to give to nobody.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from netweft.dataplane.dhcp.datagram import Datagram, encode
from netweft.dataplane.openflow.flow import Action, Flow, SetField
from netweft.dataplane.unixctl.conntrack import Connection
from netweft.services.addresses import Prefix, octets, parsed, prefix, within
from netweft.services.announce import Packet
from netweft.services.fields import ENDED, GROUP, IN_PORT, LOCAL_VLAN, NOBODY, OUT_PORT, TRIAL
from netweft.services.firewall import SIDES
from netweft.services.pipeline import INT
from netweft.services.values import LocalPort

_RULES = frozenset(side.table("rules").id for side in SIDES)
_GROUPS = frozenset(side.table("groups").id for side in SIDES)
_ANSWERS = INT["egress_state"].id  # a port that shares its addresses no more: what it refused is marked otherwise
_REMOTE = ("ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst")


class Concern(Struct, frozen=True):
    """Whom it concerns that less is permitted: groups and logical ports by their numbers, members of remote sets."""

    groups: frozenset[int] = frozenset()
    ports: frozenset[int] = frozenset()
    members: frozenset[Prefix] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.groups or self.ports or self.members)

    def has_port(self, port: LocalPort) -> bool:
        return port.number in self.ports or any(group.number in self.groups for group in port.groups)

    def has_address(self, address: str) -> bool:
        return any(within(prefix(address), member) for member in self.members)


def concern(taken: Iterable[Flow]) -> Concern:
    """taken: flows of the integration bridge as they were, that are gone or do something else now."""
    groups, ports, members = set(), set(), set()
    for flow in taken:
        match = {name: (value, mask) for name, value, mask in flow.match}
        if flow.table in _GROUPS or flow.table == _ANSWERS:
            ports |= {match[name][0] for name in (IN_PORT, OUT_PORT) if name in match}
        elif flow.table in _RULES and GROUP in match:
            groups.add(match[GROUP][0])
        elif flow.table in _RULES:
            members |= {Prefix(4 if "4" in name else 6, *match[name]) for name in _REMOTE if name in match}
    return Concern(frozenset(groups), frozenset(ports), frozenset(members))


def trials(
    concern: Concern, connections: Iterable[Connection], at: Callable[[int, str], LocalPort | None]
) -> Iterator[Packet]:
    """at: the port here with an address, in the network with a local VLAN."""
    for connection in connections:
        if connection.mark & ENDED:
            continue
        asker, asked = at(connection.zone, connection.src), at(connection.zone, connection.dst)
        if any(one and concern.has_port(one) for one in (asker, asked)) or any(
            concern.has_address(end) for end in (connection.src, connection.dst)
        ):
            yield from _trial(connection, asker, asked)


def _trial(connection: Connection, asker: LocalPort | None, asked: LocalPort | None) -> Iterator[Packet]:
    """Who is elsewhere is judged there."""
    here = asker or asked
    if here is None:
        return
    actions: list[Action] = [SetField(LOCAL_VLAN, connection.zone), SetField(TRIAL, 1)]
    if asker:
        actions += (SetField(IN_PORT, asker.number), INT["egress"].resubmit)
    else:
        actions += (SetField(IN_PORT, here.uplink or 0), INT["switching"].resubmit)
    frame = Datagram(
        eth_src=octets(asker.port.mac_address) if asker else NOBODY,
        eth_dst=octets(asked.port.mac_address) if asked else NOBODY,
        src=parsed(connection.src),
        dst=parsed(connection.dst),
        sport=connection.sport,
        dport=connection.dport,
        payload=b"",
    )
    yield Packet(encode(frame), tuple(actions))
