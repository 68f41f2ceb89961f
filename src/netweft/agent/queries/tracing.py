"""A packet through this node's Open vSwitch, by `ofproto/trace` and what conntrack knows."""

from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from netweft.agent.l3.neighbour_entries import Wanted
from netweft.agent.queries.trace_input import Entry, beyond, entry, mapped, reason_of, role_of
from netweft.dataplane.host.address_lookup import having
from netweft.dataplane.host.datapath import kernel_tracks
from netweft.dataplane.unixctl.client import CommandFailed
from netweft.dataplane.unixctl.conntrack import LISTING, Connection, connections
from netweft.dataplane.unixctl.ofproto_trace import KERNELS_TUNNEL, Met, Out, Part, asking, fields_of, outs, parts
from netweft.services.addresses import endpoint, octets, text
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, NEXT_HOP, ROUTER, Why, logical_port, owner
from netweft.services.l2 import stt
from netweft.services.l2.bridges import overlay_port
from netweft.services.pipeline import INT, TUN, pipeline_of
from netweft.wire.queries import MOST_EXITS, MOST_HOPS, Answer, Ask, Exit, Hop, Kind, Sent, cut

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

MOST_TRACKED: Final = 20_000  # connections: a listing of more takes vswitchd too long
BRIDGES: Final = 4  # that veths join, one after the other
ROUNDS: Final = 8  # conntrack look-ups on the way: the datapath itself has a limit
COUNT: Final = "dpctl/ct-get-nconns"  # of the userspace datapath
NEW, KNOWN, ANSWER = "trk,new", "trk,est", "trk,est,rpl"

Command = Callable[..., Awaitable[str]]


async def traced(agent: "Agent", question: Ask, packet: Sent, command: Command) -> Answer:
    """Once more, where the agent has found out a next hop for it.  Raises NotHere, CommandFailed."""
    wanted: list[Wanted] = []
    said = await _traced(agent, question, packet, command, wanted)
    if not wanted:
        return said
    if await agent.resolver.found_out(*wanted[0]):
        return await _traced(agent, question, packet, command, [])
    asked = str(wanted[0].address)
    return replace(said, exits=tuple(replace(out, asked=asked) if out.kind == "agent" else out for out in said.exits))


async def _traced(agent: "Agent", question: Ask, packet: Sent, command: Command, wanted: list[Wanted]) -> Answer:
    start: Entry | None = entry(agent, question, packet)
    said = Answer(id=question.id)
    for _ in range(BRIDGES):
        if start is None:
            break
        part = await _through(agent, question, packet, command, start, wanted)
        crossing = [(out, beyond(agent, out)) for out in part.exits]
        said = replace(
            part,
            hops=(*said.hops, *part.hops),
            exits=(*said.exits, *(out for out, onward in crossing if onward is None)),
            tracked=(*said.tracked, *part.tracked),
        )
        packet, start = next(((out.packet or packet, onward) for out, onward in crossing if onward), (packet, None))
    return replace(said, hops=said.hops[:MOST_HOPS], exits=said.exits[:MOST_EXITS])


async def _through(
    agent: "Agent", question: Ask, packet: Sent, command: Command, start: Entry, wanted: list[Wanted]
) -> Answer:
    """As far as Open vSwitch follows it: over patch ports, not over veths."""
    states: list[str] = []
    tracked: list[str] = []
    found = parts(await command(*asking(start.bridge, start.flow)))
    for _ in range(ROUNDS):
        resumed = [part for part in found if part.resumed and part.resumed != "thawed"]
        if len(resumed) <= len(states):
            break
        part = resumed[len(states)]
        state = ANSWER if question.reply else await _known(part, command)
        state = ",".join((state, *part.translated))
        tracked.append(f"zone {part.zone}: {state}")
        states.append(state)
        if state != NEW:
            found = parts(await command(*asking(start.bridge, start.flow, states)))
    wanted += filter(None, map(_unknown, found))
    return Answer(
        id=question.id,
        hops=tuple(hop for part in found for hop in _hops(agent, part)),
        exits=tuple(_exits(agent, found, packet)),
        tracked=tuple(tracked),
    )


async def _known(part: Part, command: Command) -> str:
    """What conntrack would say of it."""
    if await _tracks(command) > MOST_TRACKED:
        return NEW
    seen = part.fields
    ends = (seen.get("nw_src") or seen.get("ipv6_src", ""), seen.get("nw_dst") or seen.get("ipv6_dst", ""))
    ports = (int(seen.get("tp_src", 0)), int(seen.get("tp_dst", 0)))
    for one in connections(await command(LISTING, f"zone={part.zone}")):
        if one.zone == part.zone and (state := _state(one, ends, ports)):
            return state
    return NEW


async def _tracks(command: Command) -> int:
    """How many connections it would list."""
    try:
        return int(await command(COUNT) or 0)
    except CommandFailed:  # the kernel's datapath has no such count; who does not answer will not list either
        return kernel_tracks()


def _state(one: Connection, ends: tuple[str, str], ports: tuple[int, int]) -> str:
    if one.icmp is not None:
        return ""  # each ping is a connection of its own
    if ((one.src, one.dst), (one.sport, one.dport)) == (ends, ports):
        return KNOWN
    return ANSWER if ((one.dst, one.src), (one.dport, one.sport)) == (ends, ports) else ""


def _unknown(part: Part) -> Wanted | None:
    """The next hop that the agent is to find out."""
    seen = fields_of(part.final if "=" in part.final else part.flow)
    if int(seen.get(HANDED_UP, "0"), 0) != Why.UNKNOWN_NEXT_HOP:
        return None
    words = [int(seen.get(register, "0"), 0) for register in NEXT_HOP]
    packed = b"".join(word.to_bytes(4, "big") for word in (words[-1:] if "nw_dst" in seen else words))
    own = octets(seen.get("dl_src", ""))
    return Wanted(int(seen.get(ROUTER, "0"), 0), int(seen.get(LOCAL_VLAN, "0"), 0), ip_address(packed), own)


def _hops(agent: "Agent", part: Part) -> Iterator[Hop]:
    for met in part.met:
        role = role_of(agent, met.bridge)
        tables = {table.id: table.name for table in pipeline_of(role).tables.values()} if role else {}
        whose = owner(met.cookie)
        yield Hop(
            bridge=met.bridge,
            table=tables.get(met.table, str(met.table)),
            flow=cut(met.match),
            actions=cut("; ".join(met.actions)),
            reason=reason_of(met.cookie),
            object=whose.object if whose else "",
            foreign=bool(met.match) and whose is None and role in (INT.role, TUN.role),
        )


def _exits(agent: "Agent", found: list[Part], packet: Sent) -> Iterator[Exit]:
    out = [(part, one) for part in found for one in outs(part.datapath)]
    last = [(part, one) for part, one in out if one.kind != "conntrack"]
    for part, one in last:
        yield _exit(agent, part, one, packet)
    if not last:
        why = next((met for part in reversed(found) for met in reversed(part.met)), None)
        yield Exit(kind="drop", why=cut(_words(why)) if why else "")


def _words(met: Met) -> str:
    return "; ".join([f"{met.bridge} table {met.table}: {met.match or 'no flow'}", *met.actions])


def _exit(agent: "Agent", part: Part, one: Out, packet: Sent) -> Exit:
    after = _after(packet, part, one)
    if one.kind == "agent":
        return Exit(kind="agent", packet=after)
    if one.tunnel:
        key = int(one.tunnel.get("tun_id", "0") or "0", 0)
        far = one.tunnel.get("dst") or one.tunnel.get("ipv6_dst", "")
        own = agent.settings.tunnel_ip
        nic = having(own) if own and KERNELS_TUNNEL.match(one.interface) else ""
        return Exit(kind="tunnel", interface=one.interface, nic=nic, tunnel=far, key=key, packet=after)
    if one.interface == overlay_port(stt.TYPE) and one.inner:
        far, key = _carried(agent, one.vlan or 0, one.inner)
        return Exit(kind="tunnel", interface=one.interface, tunnel=far, key=key, packet=after)
    vlan = _vlan(part, one)
    vif = next((vif for vif in agent.desired.vifs.values() if vif.name == one.interface), None)
    if vif is not None:
        numbers = [logical_port(vif.ofport or 0, vlan, guarded=guarded) for guarded in (True, False)] if vlan else []
        tagged = next(filter(None, map(agent.desired.port_id_at, numbers)), None)
        return Exit(kind="port", port_id=tagged or vif.iface_id, interface=one.interface, vlan=vlan, packet=after)
    physical = _physical(agent, one.interface)
    kind: Kind = "wire" if physical else "elsewhere"
    return Exit(kind=kind, interface=one.interface, physical=physical, vlan=vlan, packet=after)


def _carried(agent: "Agent", tag: int, vlan: int) -> tuple[str, int]:
    """To whom STT's carrier sends what has these tags, and with which key."""
    view = agent.desired.view
    network = view.networks.get(agent.desired.network_at(vlan))
    segments = network.segments if network else ()
    key = next((one.segmentation_id or 0 for one in segments if one.network_type == stt.TYPE), 0)
    ends = filter(None, (endpoint(node.tunnel_ip) for node in view.nodes.values()))
    return next((text(end) for end in ends if stt.tag_of(end) == tag), ""), key


def _physical(agent: "Agent", interface: str) -> str:
    """The physical network that it is the way to; empty: none."""
    view = agent.ovs.view
    if view is None:
        return ""
    bridges = mapped(agent).items()
    return next((name for name, bridge in bridges if any(nic.name == interface for nic in view.nics(bridge))), "")


def _vlan(part: Part, one: Out) -> int:
    if one.vlan is not None:
        return one.vlan
    return int(part.fields.get("dl_vlan", "0"), 0)


def _after(packet: Sent, part: Part, one: Out) -> Sent:
    """As it leaves: what it was when this part began, and what was set since."""
    seen, put = part.fields, one.packet
    version = "ipv6" if ":" in packet.dst else "ipv4"
    layer4 = {6: "tcp", 17: "udp", 132: "sctp"}.get(packet.protocol, "")
    six = version == "ipv6"
    return Sent(
        eth_src=put.get("eth.src") or seen.get("dl_src", packet.eth_src),
        eth_dst=put.get("eth.dst") or seen.get("dl_dst", packet.eth_dst),
        src=put.get(f"{version}.src") or seen.get("ipv6_src" if six else "nw_src", packet.src),
        dst=put.get(f"{version}.dst") or seen.get("ipv6_dst" if six else "nw_dst", packet.dst),
        protocol=packet.protocol,
        sport=int(put.get(f"{layer4}.src") or seen.get("tp_src") or packet.sport),
        dport=int(put.get(f"{layer4}.dst") or seen.get("tp_dst") or packet.dport),
        ttl=int(put.get(f"{version}.ttl") or put.get(f"{version}.hlimit") or seen.get("nw_ttl") or packet.ttl),
    )
