"""What this node alone knows of its own ports, for commands on the node: how one is, and what becomes of its packets.

Out of the last view, the rows of Open vSwitch and what it does with a packet.  What others do is named as not seen.
Changes nothing.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from netweft.agent.plugin import NotKnown
from netweft.agent.queries.differences import differences, interfaces
from netweft.agent.queries.trace_input import NotHere
from netweft.agent.queries.tracing import Command, traced
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.model import Network, Port, RouterPort
from netweft.wire.queries import SECONDS, Answer, Ask, Differs, Exit, Interface, Sent

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

_PING: Final = {4: (1, 8), 6: (58, 128)}  # ICMP's number, and the type of an echo request


class Packet(Struct, frozen=True, kw_only=True):
    """frm: a port here: its id, an address, a MAC, its interface.  to: one of its kind, or any address.
    protocol: IP's number; 1 is a ping in IPv6, too."""

    frm: str
    to: str
    protocol: int = 1
    port: int = 0
    source_port: int = 49152


class Said(Struct, frozen=True, kw_only=True):
    """code, about: as the server would tell it, and of which object: its kind and id."""

    code: str
    about: tuple[str, str]
    detail: str = ""


class Told(Struct, frozen=True, kw_only=True):
    """passes: of a packet; None: that cannot be found out here.  facts: in words, by name.  unseen: what was not looked
    at, and why."""

    node: str
    port_id: str
    revision: int
    facts: dict[str, str]
    findings: tuple[Said, ...] = ()
    passes: bool | None = None
    answer: Answer | None = None
    unseen: tuple[str, ...] = ()


def port_of(agent: "Agent", name: str) -> str:
    """Raises NotHere."""
    view, text = agent.desired.view, name.strip().lower()
    found = {
        port.id
        for port in view.ports.values()
        if text in (port.id, port.mac_address, *(fixed.ip_address for fixed in port.fixed_ips))
    }
    found |= {vif.iface_id for vif in agent.desired.vifs.values() if text in (vif.iface_id, vif.name.lower())}
    if len(found) != 1:
        raise NotHere(f"{'several ports' if found else 'no port'} here with the id, address or interface {name}")
    return found.pop()


async def explained(agent: "Agent", name: str, *, wants: bool = True) -> Told:
    """wants: whether it is known what should be in Open vSwitch.  Raises NotHere."""
    port_id = port_of(agent, name)
    its = next(iter(interfaces(agent, Ask(id="", port_id=port_id), ())), None)
    its = its if its is not None and its.port_id == port_id else None
    differs = [one for one in await differences(agent) if _is_of(one, port_id)] if wants else []
    found = tuple(_of_port(agent, port_id, its, differs))
    return Told(
        node=agent.settings.node,
        port_id=port_id,
        revision=agent.desired.view.revision,
        facts=dict(_facts(agent, port_id, its)),
        findings=found,
        unseen=tuple(_unseen(agent, wants=wants)),
    )


async def followed(agent: "Agent", asked: Packet, *, wants: bool = True) -> Told:
    """Raises NotHere."""
    told = await explained(agent, asked.frm, wants=wants)
    packet = _sent(agent, told.port_id, asked)
    try:
        run: Command = partial(command, Path(agent.settings.ovs_run_dir))
        answer = await traced(agent, Ask(id="", port_id=told.port_id, packet=packet), packet, run)
    except CommandFailed as problem:
        return msgspec.structs.replace(told, unseen=(*told.unseen, str(problem)))
    found = (*told.findings, *_of_packet(told.port_id, answer))
    beyond = tuple(_beyond(agent, answer.exits))
    arrived = any(out.kind == "port" for out in answer.exits)
    lost = bool(answer.exits) and all(out.kind == "drop" for out in answer.exits)
    return msgspec.structs.replace(
        told,
        findings=found,
        answer=answer,
        passes=False if lost else True if arrived and not beyond else None,
        unseen=(*told.unseen, "the way of the answer", *beyond),
    )


async def explain(agent: "Agent", name: str) -> bytes:
    """JSON.  Raises NotKnown."""
    try:
        async with asyncio.timeout(SECONDS):
            return msgspec.json.encode(await explained(agent, name))
    except (NotHere, TimeoutError) as problem:
        raise NotKnown(str(problem) or "the agent has no answer in time") from None


async def trace(agent: "Agent", packet: bytes) -> bytes:
    """JSON in and out.  Raises NotKnown."""
    try:
        async with asyncio.timeout(SECONDS):
            return msgspec.json.encode(await followed(agent, msgspec.json.decode(packet, type=Packet)))
    except (NotHere, TimeoutError, msgspec.DecodeError) as problem:
        raise NotKnown(str(problem) or "Open vSwitch has no answer in time") from None


# -- a port


def _facts(agent: "Agent", port_id: str, its: Interface | None) -> Iterator[tuple[str, str]]:
    desired = agent.desired
    port, here, status = desired.view.ports.get(port_id), desired.local_port(port_id), desired.statuses.get(port_id)
    if port is not None:
        network = desired.view.networks.get(port.network_id)
        yield "network", " ".join([port.network_id, *_carried(network)])
        yield "addresses", " ".join([port.mac_address, *(fixed.ip_address for fixed in port.fixed_ips)])
    if its is not None:
        mtu = f"MTU {its.mtu}" if its.mtu else "MTU not known"  # of the kernel, by the agent only
        yield "interface", f"{its.name}, OpenFlow port {its.ofport}, link {its.link or 'not known'}, {mtu}"
    if here is not None:
        yield "local VLAN", f"{here.network.vlan}{f', VLAN {here.tag} of a trunk' if here.tag else ''}"
    if status is not None:
        yield "status", " ".join(filter(None, (status.state.value, status.detail)))


def _carried(network: Network | None) -> Iterator[str]:
    for segment in network.segments[:1] if network else ():
        yield " ".join(
            str(one) for one in (segment.network_type, segment.physical_network, segment.segmentation_id) if one
        )


def _of_port(agent: "Agent", port_id: str, its: Interface | None, differs: Sequence[Differs]) -> Iterator[Said]:
    desired, about = agent.desired, ("port", port_id)
    port, status = desired.view.ports.get(port_id), desired.statuses.get(port_id)
    network = desired.view.networks.get(port.network_id) if port else None
    if port is None:
        why = agent.denials.reasons.get(port_id, "the last view of this node has no such port")
        yield Said(code="port-not-bound", about=about, detail=why)
        return
    if not port.admin_state_up:
        yield Said(code="port-admin-down", about=about)
    if network is not None and not network.admin_state_up:
        yield Said(code="network-admin-down", about=("network", network.id))
    if its is None:
        yield Said(code="port-not-plugged", about=about, detail=f"no Interface with external_ids:iface-id={port_id}")
    elif its.ofport <= 0 or its.error:
        yield Said(code="interface-not-in-openvswitch", about=about, detail=its.error)
    elif its.link == "down":
        yield Said(code="vm-link-down", about=about, detail=its.name)
    if status is not None and status.detail:
        yield Said(code="port-not-wired", about=about, detail=status.detail)
    for one in differs:
        there = f"there is {one.there}" if one.there else "it is missing"
        yield Said(code="openvswitch-not-as-wanted", about=about, detail=f"{one.what}: {there}; wanted {one.wanted}")


def _is_of(one: Differs, port_id: str) -> bool:
    return bool(one.object.strip("0")) and port_id.replace("-", "").startswith(one.object)


def _unseen(agent: "Agent", *, wants: bool) -> Iterator[str]:
    link, revision = agent.feed.link, agent.desired.view.revision
    if not link.up:
        yield f"the server: what is said here is of revision {revision}{f': {link.problem}' if link.problem else ''}"
    if not wants:
        yield "the agent, which does not run: what it would change, and what VMs ask it for (DHCP, ARP, metadata)"
    if not revision:
        yield "what this node should have: there is no view of it on the disk"


# -- a packet


def _sent(agent: "Agent", port_id: str, asked: Packet) -> Sent:
    """Raises NotHere."""
    port = agent.desired.view.ports.get(port_id)
    if port is None:
        raise NotHere("which addresses the port has is not known here")
    dst = _address(agent, port, asked.to)
    version = ip_address(dst).version
    own = [one.ip_address for one in port.fixed_ips if ip_address(one.ip_address).version == version]
    if not own:
        raise NotHere(f"the port has no address of IPv{version}")
    protocol, kind = _PING[version] if asked.protocol in (1, 58) else (asked.protocol, 0)
    ports = (kind, 0) if kind else (asked.source_port, asked.port)
    return Sent(
        eth_src=port.mac_address,
        eth_dst=_next_mac(agent, port, dst),
        src=own[0],
        dst=dst,
        protocol=protocol,
        sport=ports[0],
        dport=ports[1],
    )


def _address(agent: "Agent", port: Port, to: str) -> str:
    try:
        return str(ip_address(to))
    except ValueError:
        pass
    peer = agent.desired.view.peers.get(to)
    other = agent.desired.view.ports.get(port_of(agent, to)) if peer is None else None
    found = peer.ip_addresses if peer else [one.ip_address for one in other.fixed_ips] if other else []
    versions = {ip_address(one.ip_address).version for one in port.fixed_ips}
    for one in found:
        if ip_address(one).version in versions:
            return one
    raise NotHere(f"{to} has no address that the port could send to")


def _next_mac(agent: "Agent", port: Port, dst: str) -> str:
    view = agent.desired.view
    subnets = [one for one in view.subnets.values() if one.network_id == port.network_id]
    near = any(ip_address(dst) in ip_network(one.cidr) for one in subnets)
    version = ip_address(dst).version
    hops = {dst} if near else {one.gateway_ip for one in subnets if one.gateway_ip and one.ip_version == version}
    owners = [(one.network_id, one.mac_address, _addresses(one)) for one in view.ports.values()]
    owners += [(one.network_id, one.mac_address, _addresses(one)) for one in view.router_ports.values()]
    owners += [(one.network_id, one.mac_address, {*one.ip_addresses}) for one in view.peers.values()]
    found = next((mac for network, mac, its in owners if network == port.network_id and its & hops), None)
    if found is None:
        raise NotHere(f"to whom the VM sends what is for {dst} is not known here")
    return found


def _addresses(port: Port | RouterPort) -> set[str]:
    return {fixed.ip_address for fixed in port.fixed_ips}


def _of_packet(port_id: str, answer: Answer) -> Iterator[Said]:
    foreign = [hop for hop in answer.hops if hop.foreign]
    dropped = [out for out in answer.exits if out.kind == "drop"]
    for hop in foreign if dropped else ():
        detail = f"{hop.bridge} {hop.table}: {hop.flow}: {hop.actions}"
        yield Said(code="openvswitch-foreign-flow", about=("port", port_id), detail=detail)
    for out in dropped if not foreign else ():
        last = next((hop for hop in reversed(answer.hops) if hop.object.strip("0")), None)
        whose = f"; last of {last.reason} {last.object}" if last else ""
        yield Said(code="openvswitch-drops", about=("port", port_id), detail=f"{out.why}{whose}")


def _beyond(agent: "Agent", exits: Sequence[Exit]) -> Iterator[str]:
    """Where it goes on that this node does not see."""
    hosts = {node.tunnel_ip: node.name for node in agent.desired.view.nodes.values()}
    for out in exits:
        if out.kind == "tunnel":
            host = hosts.get(out.tunnel, "nobody that is known")
            yield f"{host}: it goes there by a tunnel to {out.tunnel}, key {out.key}"
        elif out.kind == "wire":
            tag = f"VLAN {out.vlan}" if out.vlan else "untagged"
            yield f"physical network {out.physical}: it goes there by {out.interface}, {tag}"
        elif out.kind == "agent":
            yield "the agent, which gets it: it answers for a router, or does not know a next hop's MAC address yet"
        elif out.kind == "elsewhere":
            yield f"{out.interface}: it goes there, which is nothing of ours"
