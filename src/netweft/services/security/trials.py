"""Connections on trial: when less is permitted, those that may have lost their rule are judged at once.

Packets of a connection's original direction are matched against the rules each time (see `firewall`); a stream of
replies alone would go on until its client sends something.  TCP clients send all the time.  For UDP the agent does: a
packet of the original direction, which the pipeline judges as any other, and delivers to nobody.
"""

from collections.abc import Callable, Container, Iterable, Iterator

from msgspec import Struct

from netweft.dataplane.openflow.fields import ETH_IPV4
from netweft.dataplane.openflow.flow import Action, Flow, SetField
from netweft.dataplane.packets.datagram import Datagram, echo, encode, packet
from netweft.dataplane.unixctl.conntrack import UDP, Connection
from netweft.services.addresses import Prefix, parsed, prefix, within
from netweft.services.fields import ENDED, GROUP, IN_PORT, JUDGED, LOCAL_VLAN, OUT_PORT, POLICY, TRIAL
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.services.security.ends import End
from netweft.services.security.firewall import SIDES
from netweft.services.values import LocalPort

_RULES = frozenset(side.table("rules").id for side in SIDES)
_POLICIES, _SETS = INT["policy_rules"].id, INT["address_sets"].id
_ROUTERS = frozenset(INT[f"router_{side.name}"].id for side in SIDES)
_GROUPS = frozenset(side.table("groups").id for side in SIDES)
_ANSWERS = INT["egress_state"].id  # a port that shares its addresses no more: what it refused is marked otherwise
_REMOTE = ("ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst")


class Concern(Struct, frozen=True):
    """Whom it concerns that less is permitted: groups, logical ports and firewall policies by their numbers, networks
    by their local VLANs, members of sets of addresses."""

    groups: frozenset[int] = frozenset()
    ports: frozenset[int] = frozenset()
    policies: frozenset[int] = frozenset()
    networks: frozenset[int] = frozenset()
    members: frozenset[Prefix] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.groups or self.ports or self.policies or self.networks or self.members)

    def has_port(self, port: LocalPort) -> bool:
        if port.number in self.ports or port.network.vlan in self.networks:
            return True
        firewalls = (*((port.firewall,) if port.firewall else ()), *port.router_firewalls)
        asks = any(call.number in self.policies for one in firewalls for call in one.calls)
        return asks or any(group.number in self.groups for group in port.groups)

    def has_address(self, address: str) -> bool:
        return any(within(prefix(address), member) for member in self.members)


def may_refuse(added: Flow, refusing: Container[int]) -> bool:
    """refusing: tables in which a flow more may.  A rule that allows something does nothing."""
    return added.table in refusing and bool(added.actions)


def concern(taken: Iterable[Flow]) -> Concern:
    """taken: flows of the integration bridge as they were, that are gone or do something else now; or that are new,
    and may refuse."""
    groups, ports, policies, networks, members = set[int](), set[int](), set[int](), set[int](), set[Prefix]()
    for flow in taken:
        match = {name: (value, mask) for name, value, mask in flow.match}
        if flow.table in _GROUPS or flow.table == _ANSWERS:
            ports |= {match[name][0] for name in (IN_PORT, OUT_PORT) if name in match}
        elif flow.table in _RULES and GROUP in match:
            groups.add(match[GROUP][0])
        elif flow.table == _POLICIES and POLICY in match:
            policies.add(match[POLICY][0])
        elif flow.table in _ROUTERS and LOCAL_VLAN in match:
            networks.add(match[LOCAL_VLAN][0])
        elif flow.table in _RULES or flow.table == _SETS:
            named = {Prefix(4 if "4" in name else 6, *match[name]) for name in _REMOTE if name in match}
            if not named and "eth_type" in match:  # a prefix of length 0 is no match
                named = {Prefix(4 if match["eth_type"][0] == ETH_IPV4 else 6, 0, 0)}
            members |= named
    return Concern(
        groups=frozenset(groups),
        ports=frozenset(ports),
        policies=frozenset(policies),
        networks=frozenset(networks),
        members=frozenset(members),
    )


def trials(
    concern: Concern, connections: Iterable[Connection], at: Callable[[int, str], tuple[End, ...]]
) -> Iterator[Packet]:
    """at: who has an address in the network with a local VLAN.  Where that is ambiguous, the client's next packet ends
    it."""
    for connection in connections:
        if connection.mark & ENDED:
            continue
        clients, server = at(connection.zone, connection.src), at(connection.zone, connection.dst)
        if len(clients) == 1 and (
            any(end.port and concern.has_port(end.port) for end in (*clients, *server))
            or any(concern.has_address(end) for end in (connection.src, connection.dst))
        ):
            for end in {end.mac: end for end in server}.values():
                yield from trial(connection, clients[0], end)


def trial(connection: Connection, client: End, server: End, how: int = JUDGED) -> Iterator[Packet]:
    """Who is elsewhere is judged there."""
    here = client.port or server.port
    if here is None:
        return
    actions: list[Action] = [SetField(LOCAL_VLAN, connection.zone), SetField(TRIAL, how)]
    if client.port:
        actions += (SetField(IN_PORT, client.port.number), INT["egress"].resubmit)
    else:
        actions += (SetField(IN_PORT, here.uplink or 0), INT["switching"].resubmit)
    yield Packet(_first((client.mac, server.mac), connection), tuple(actions))


def _first(macs: tuple[bytes, bytes], connection: Connection) -> bytes:
    """A packet of the connection's own way.  Of protocols with ports: UDP."""
    src, dst = parsed(connection.src), parsed(connection.dst)
    if connection.protocol != UDP:
        body = echo((src, dst), *connection.icmp) if connection.icmp else b""
        return packet(macs, (src, dst), connection.protocol, body)
    frame = Datagram(
        eth_src=macs[0],
        eth_dst=macs[1],
        src=src,
        dst=dst,
        sport=connection.sport,
        dport=connection.dport,
        payload=b"",
    )
    return encode(frame)
