"""How a traced packet comes into Open vSwitch here: the bridge, and the flow for `ofproto/trace`."""

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from netweft.agent.facts import bridge_mappings
from netweft.model import Network, Segment
from netweft.services.fields import owner
from netweft.services.l2.bridges import physical_link, tunnel_link
from netweft.services.l2.stt import TYPE as STT
from netweft.services.pipeline import INT, TUN, physical_role
from netweft.services.values import PHYSICAL, TUNNELLED
from netweft.wire.queries import Ask, Exit, Sent

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

_PORTS: Final = {6: "tcp", 17: "udp", 132: "sctp"}
_MAC: Final = re.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_ICMP: Final = {(4, 1): "icmp", (6, 58): "icmp6"}


class NotHere(Exception):
    """There is no way in for it; the message says why."""


def check(packet: Sent) -> None:
    """One node's output as the next one's input: here it becomes part of a command.  Raises NotHere."""
    try:
        versions = {ip_address(packet.src).version, ip_address(packet.dst).version}
    except ValueError:
        raise NotHere("no packet: its addresses are none") from None
    numbers = (packet.protocol, packet.ttl, packet.sport >> 8, packet.dport >> 8)
    macs = _MAC.fullmatch(packet.eth_src) and _MAC.fullmatch(packet.eth_dst)
    if len(versions) > 1 or not macs or "%" in packet.src + packet.dst or not all(0 <= one < 256 for one in numbers):
        raise NotHere("no packet: its fields go together with none")


class Entry(NamedTuple):
    bridge: str
    flow: str


def entry(agent: "Agent", question: Ask, packet: Sent) -> Entry:
    """Raises NotHere."""
    check(packet)
    if question.tunnel_src:
        check(replace(packet, src=question.tunnel_src, dst=question.tunnel_src))
    if question.port_id:
        return _from_port(agent, question.port_id, packet)
    network = agent.desired.view.networks.get(question.network_id)
    if network is None:
        raise NotHere("the network is not on this node")
    if question.tunnel_src:
        return _out_of_tunnel(agent, network, question.tunnel_src, packet)
    return _from_wire(agent, network.segments, packet)


def _from_port(agent: "Agent", port_id: str, packet: Sent) -> Entry:
    here = agent.desired.local_port(port_id)
    if here is None or here.ofport <= 0:
        raise NotHere("the port is not wired here")
    tag = f"dl_vlan={here.tag},dl_vlan_pcp=0," if here.tag else ""
    return Entry(agent.settings.integration_bridge, f"in_port={here.ofport},{tag}{flow_of(packet)}")


def _out_of_tunnel(agent: "Agent", network: Network, source: str, packet: Sent) -> Entry:
    segment = next((one for one in network.segments if one.network_type in TUNNELLED), None)
    ofport = agent.uplinks.now.overlays.get(segment.network_type) if segment else None
    if segment is None or not ofport or ofport < 0:
        raise NotHere("there is no tunnel port for the network's type")
    if segment.network_type == STT:  # by our own carrier, which says the network by its local VLAN
        tag = f"dl_vlan={agent.desired.vlans.get(network.id, 0)},dl_vlan_pcp=0"
        return Entry(agent.settings.tunnel_bridge, f"in_port={ofport},{tag},{flow_of(packet)}")
    six = "ipv6_" if ":" in source else ""
    ends = f"tun_{six}src={source},tun_{six}dst={agent.settings.tunnel_ip}"
    flow = f"in_port={ofport},tun_id={segment.segmentation_id},{ends},{flow_of(packet)}"
    return Entry(agent.settings.tunnel_bridge, flow)


def _from_wire(agent: "Agent", segments: tuple[Segment, ...], packet: Sent) -> Entry:
    for segment in segments:
        bridge = mapped(agent).get(segment.physical_network or "")
        if segment.network_type not in PHYSICAL or bridge is None:
            continue
        view = agent.ovs.view
        nic = next((one for one in view.nics(bridge) if (one.ofport or 0) > 0), None) if view else None
        if nic is None:
            raise NotHere(f"bridge {bridge} has no interface to the wire")
        tag = f"dl_vlan={segment.segmentation_id},dl_vlan_pcp=0," if segment.network_type == "vlan" else ""
        return Entry(bridge, f"in_port={nic.ofport},{tag}{flow_of(packet)}")
    raise NotHere("the node is not wired to what carries the network")


def beyond(agent: "Agent", out: Exit) -> Entry | None:
    """What leaves by a veth between two bridges comes into the other one.  None: it has left the node, or ends."""
    ours, view = agent.settings.integration_bridge, agent.ovs.view
    ends = {agent.settings.tunnel_bridge: tunnel_link("veth")}
    ends |= {bridge: physical_link("veth", bridge) for bridge in mapped(agent).values()}
    for bridge, (near, far) in ends.items():
        other = {near: (bridge, far), far: (ours, near)}.get(out.interface) if out.kind == "elsewhere" else None
        if other is not None and view is not None and out.packet is not None and (view.ofport(other[1]) or 0) > 0:
            tag = f"dl_vlan={out.vlan},dl_vlan_pcp=0," if out.vlan else ""
            return Entry(other[0], f"in_port={view.ofport(other[1])},{tag}{flow_of(out.packet)}")
    return None


def flow_of(packet: Sent) -> str:
    version = 6 if ":" in packet.dst else 4
    six = "6" if version == 6 else ""
    ends = (
        f"ipv6_src={packet.src},ipv6_dst={packet.dst}" if version == 6 else f"nw_src={packet.src},nw_dst={packet.dst}"
    )
    base = f"dl_src={packet.eth_src},dl_dst={packet.eth_dst},{ends},nw_ttl={packet.ttl}"
    if name := _ICMP.get((version, packet.protocol)):
        fields = "icmpv6" if six else "icmp"
        return f"{name},{base},{fields}_type={packet.sport},{fields}_code={packet.dport}"
    if name := _PORTS.get(packet.protocol):
        return f"{name}{six},{base},{name}_src={packet.sport},{name}_dst={packet.dport}"
    return f"ip{'v6' if six else ''},{base},nw_proto={packet.protocol}"


def role_of(agent: "Agent", bridge: str) -> str:
    """Empty: no bridge of which we know the tables."""
    settings = agent.settings
    roles = {settings.integration_bridge: INT.role, settings.tunnel_bridge: TUN.role}
    roles |= {of: physical_role(name) for name, of in mapped(agent).items()}
    return roles.get(bridge, "")


def mapped(agent: "Agent") -> dict[str, str]:
    """Physical network -> its bridge."""
    return bridge_mappings(agent.settings)


def reason_of(cookie: int) -> str:
    """In words; empty: not ours, or not known."""
    whose = owner(cookie)
    return whose.reason.name.lower().replace("_", " ") if whose and whose.reason else ""
