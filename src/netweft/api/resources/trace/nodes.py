"""A packet from node to node: what each node's Open vSwitch does with it, until it is somewhere or nowhere.

Each node is queried for its own part; where the packet leaves by a tunnel or a wire, the next node is queried for what
comes in there.  Changes nothing, and waits no longer than each question may take.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from netweft.api.resources.explain.node_answers import Asks
from netweft.control.explain.hosts import is_able, is_dead
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.hosts import HOST
from netweft.control.l3.owners import GATEWAY
from netweft.control.trace.packet import Packet
from netweft.control.trace.walker import Start
from netweft.control.trace.way import OUTSIDE, PORT, ROUTER, UNKNOWN, Way
from netweft.feed.queries import Silence
from netweft.model.load_balancer import VIP_OWNER
from netweft.model.node import OVN_AGENT
from netweft.wire.queries import MOST_DIFFERENCES, MOST_EXITS, MOST_HOPS, Answer, Ask, Exit, Sent, cut

MOST_INTERFACES = 64  # of one node
MOST_NODES = 8  # that one packet is followed through
OUTSIDERS_MAC = "02:00:00:00:00:01"  # of somebody on the external network
_KEY, _TYPE, _PHYSICAL = "provider:segmentation_id", "provider:network_type", "provider:physical_network"
KINDS = (
    *("ports", "networks", "routers", "floatingips", "security_groups", "security_group_rules", "port_forwardings"),
    *("firewall_groups", "firewall_policies", "firewall_rules", "loadbalancers", "listeners", "pools", "members"),
)
_OVNS = "it is OVN's, whose flows are not asked for: ask ovn-trace there"
TUNNELLED = ("vxlan", "gre", "geneve", "stt")
_ASKED_FIRST = (
    "its agent gets it, as where a next hop's MAC address is not known: let the VM send a packet, then ask again"
)


HostsAt = Callable[[str], Awaitable[Sequence[str]]]  # tunnel address -> the hosts that say it is theirs


class Looked(NamedTuple):
    """What one node said."""

    host: str
    question: Ask
    answer: Answer


@dataclass(slots=True)
class Followed:
    """arrived: None: that was not found out.  lost: where it ended, if not where it should.
    nobody: a tunnel's far end that is nobody's.  shared: one that several hosts say is theirs, and these."""

    looked: list[Looked] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    arrived: bool | None = None
    lost: tuple[Looked, Exit] | None = None
    nobody: str = ""
    shared: tuple[str, ...] = ()


class Goal(NamedTuple):
    """Where by the rows it ends: a port, or outside by this network.  gateways: the hosts that have the gateways of the
    routers on the way."""

    end: str
    port_id: str = ""
    network: Row | None = None
    gateways: tuple[str, ...] = ()


def goal_of(seen: Snapshot, way: Way, target: Row | None) -> Goal:
    ports = seen.all("ports", device_owner=GATEWAY)
    gateways = tuple(str(one[HOST]) for one in ports if one["device_id"] in way.routers and one.get(HOST))
    at = way.balanced if way.balanced is not None else way.at
    if way.end == PORT and at is not None:
        return Goal(PORT, at["id"], way.network, gateways)
    if target is not None:
        return Goal(PORT, target["id"], None, gateways)
    return Goal(way.end, "", way.network, gateways)


def first(seen: Snapshot, start: Start, way: Way, *, reply: bool, also: tuple[str, ...]) -> tuple[str, Ask] | str:
    """Whom to ask first, and what; or why nobody can be asked."""
    if not way.mac:
        return "where it is sent first is not known"
    begins = way.steps[0].packet
    if start.port is not None:
        host = start.port.get(HOST) or ""
        packet = _sent(begins, start.port["mac_address"], way.mac)
        asked = Ask(id="", port_id=start.port["id"], packet=packet, reply=reply, also=also)
    else:
        host = _host_outside(seen, start.network, way)
        asked = Ask(
            id="", network_id=start.network["id"], packet=_sent(begins, OUTSIDERS_MAC, way.mac), reply=reply, also=also
        )
    return (host, asked) if host else "it starts on no host"


def _host_outside(seen: Snapshot, network: Row, way: Way) -> str:
    """Which node takes what comes from outside: for a VM's floating IP the VM's own, where that is wired; what is for
    the router, or for a port that it forwards, the gateway's."""
    at = way.balanced if way.balanced is not None else way.at
    inside = at.get(HOST) if way.end == PORT and at is not None else None
    agent = seen.agent(inside) if inside else None
    its_own = any(nat.side == "dst" and _is_associated(seen, nat.was[0]) for nat in way.nats)
    if agent is not None and its_own and is_able(agent, network):
        return str(inside)
    gateways = seen.all("ports", device_owner=GATEWAY, network_id=network["id"])
    return next((str(one[HOST]) for one in gateways if one["device_id"] in way.routers and one.get(HOST)), "")


def _is_associated(seen: Snapshot, address: str) -> bool:
    return any(one.get("port_id") for one in seen.all("floatingips", floating_ip_address=address))


def _sent(packet: Packet, src: str, dst: str) -> Sent:
    ports = (packet.sport, packet.dport) if packet.icmp_type is None else (packet.icmp_type, 0)
    return Sent(
        eth_src=src,
        eth_dst=dst,
        src=packet.src,
        dst=packet.dst,
        protocol=packet.protocol,
        sport=ports[0],
        dport=ports[1],
    )


async def follow(asks: Asks, seen: Snapshot, hosts_at: HostsAt, begin: tuple[str, Ask], goal: Goal) -> Followed:
    found = Followed()
    waiting = [begin]
    while waiting and len(found.looked) < MOST_NODES:
        host, question = waiting.pop(0)
        answer = await _asked(asks, seen, host, question)
        if isinstance(answer, str):
            found.unseen.append(f"{host}: {answer}")
            continue
        looked = Looked(host, question, answer)
        found.looked.append(looked)
        for out in answer.exits:
            more = await _onward(seen, hosts_at, found, looked, out, goal)
            waiting += [more] if more else []
    if not found.arrived and (found.unseen or goal.end == UNKNOWN or _is_others(seen, found, goal)):
        found.arrived = found.lost = None
    elif not found.arrived:
        found.arrived = False if found.looked else None
    return found


async def _asked(asks: Asks, seen: Snapshot, host: str, question: Ask) -> Answer | str:
    if is_dead(seen, host):
        return "its agent does not answer"
    if (agent := seen.agent(host)) is not None and agent.get("agent_type") == OVN_AGENT:
        return _OVNS
    answer = await asks.ask(host, question)
    if isinstance(answer, Silence):
        return answer.why
    return cut(answer.error) or _bounded(answer)


def _bounded(answer: Answer) -> Answer:
    """A node may say what it likes."""
    return replace(
        answer,
        hops=answer.hops[:MOST_HOPS],
        exits=answer.exits[:MOST_EXITS],
        differs=answer.differs[:MOST_DIFFERENCES],
        interfaces=answer.interfaces[:MOST_INTERFACES],
        tracked=answer.tracked[:MOST_HOPS],
    )


async def _onward(
    seen: Snapshot, hosts_at: HostsAt, found: Followed, looked: Looked, out: Exit, goal: Goal
) -> tuple[str, Ask] | None:
    """What comes of one way out: the next node to ask, or an end."""
    if _is_goal(seen, out, goal):
        found.arrived = True
    elif out.kind == "tunnel" and out.packet is not None:
        hosts = await hosts_at(out.tunnel)
        host = hosts[0] if hosts else ""
        found.shared = found.shared or ((out.tunnel, *hosts) if len(hosts) > 1 else ())
        network = next(_with_key(seen, out.key), None)
        if host and network is not None:
            return host, _next(looked, out.packet, network, tunnel=_tunnel_of(seen, looked.host))
        found.nobody = found.nobody or ("" if host else out.tunnel)
        found.lost = found.lost or (looked, out)
    elif out.kind == "wire" and out.packet is not None and (beyond := _on_wire(seen, looked, out, goal)) is not None:
        return beyond
    elif out.kind == "agent" and not out.asked:
        found.unseen.append(f"{looked.host}: {_ASKED_FIRST}")
    else:
        found.lost = found.lost or (looked, out)
    return None


def _is_goal(seen: Snapshot, out: Exit, goal: Goal) -> bool:
    if goal.end == PORT:
        return out.kind == "port" and (out.port_id == goal.port_id or _is_vip(seen, goal.port_id))
    if goal.end == OUTSIDE and out.kind == "port":  # outside for who asks: by a floating IP that is not theirs
        return seen.get("ports", out.port_id) is None
    if goal.end == OUTSIDE:
        return out.kind == "wire" and goal.network is not None and _is_wire_of(goal.network, out)
    return goal.end == ROUTER and out.kind in ("agent", "port")


def _is_vip(seen: Snapshot, port_id: str) -> bool:
    """What is for a load balancer's arrives at one of its members."""
    return (seen.get("ports", port_id) or {}).get("device_owner") == VIP_OWNER


def _is_others(seen: Snapshot, found: Followed, goal: Goal) -> bool:
    """It has ended at what is not the caller's, on the way outside: that is not told."""
    if goal.end != OUTSIDE or found.lost is None:
        return False
    return (digits := last_object(found.lost[0].answer)) != "" and row_of(seen, digits) is None


def last_object(answer: Answer) -> str:
    """Whose the flow is that it met last: how the id begins."""
    return next((hop.object for hop in reversed(answer.hops) if hop.object.strip("0")), "")


def row_of(seen: Snapshot, digits: str) -> tuple[str, Row] | None:
    """The object whose id begins so, of those that are seen."""
    for kind in KINDS if digits.strip("0") else ():
        for row in seen.all(kind):
            if str(row["id"]).replace("-", "").startswith(digits):
                return kind, row
    return None


def _is_wire_of(network: Row, out: Exit) -> bool:
    return any(
        segment.get(_PHYSICAL) == out.physical and (segment.get(_KEY) or 0) == out.vlan
        for segment in _segments(network)
    )


def _next(looked: Looked, packet: Sent, network: Row, tunnel: str = "") -> Ask:
    asked = looked.question
    return Ask(id="", network_id=network["id"], tunnel_src=tunnel, packet=packet, reply=asked.reply, also=asked.also)


def _tunnel_of(seen: Snapshot, host: str) -> str:
    agent: Mapping[str, object] = (seen.agent(host) or {}).get("configurations") or {}
    return str(agent.get("tunnel_ip") or "")


def _with_key(seen: Snapshot, key: int) -> "filter[Row]":
    return filter(lambda network: any(_is_segment(one, key) for one in _segments(network)), seen.all("networks"))


def _segments(network: Row) -> list[Row]:
    return list(network.get("segments") or [network])


def _is_segment(segment: Row, key: int) -> bool:
    return segment.get(_TYPE) in TUNNELLED and segment.get(_KEY) == key


def _on_wire(seen: Snapshot, looked: Looked, out: Exit, goal: Goal) -> tuple[str, Ask] | None:
    """To who has the MAC that the frame is sent to; where that is nobody's, to the VM's own node for a floating IP,
    else to who has the router's gateway: between nodes it has a MAC of its own."""
    network = next((one for one in seen.all("networks") if _is_wire_of(one, out)), None)
    if network is None or out.packet is None:
        return None
    its = [one.get(HOST) for one in seen.all("ports", mac_address=out.packet.eth_dst, network_id=network["id"])]
    taking = (*its, *_floating(seen, network, out.packet.dst), *goal.gateways)
    host = next((one for one in taking if one and one != looked.host), None)
    return (str(host), _next(looked, out.packet, network)) if host else None


def _floating(seen: Snapshot, network: Row, address: str) -> Iterator[str]:
    """The nodes of VMs with this floating IP that take it themselves."""
    for one in seen.all("floatingips", floating_ip_address=address, floating_network_id=network["id"]):
        port = seen.get("ports", one["port_id"] or "")
        agent = seen.agent(port[HOST]) if port and port.get(HOST) else None
        if port is not None and agent is not None and is_able(agent, network):
            yield str(port[HOST])
