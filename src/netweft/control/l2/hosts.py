"""Which hosts there are, what each can wire, and what binding a port to one says about its virtual interface."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import msgspec

from netweft.control.l2.segments import ID, PHYSICAL, TYPE
from netweft.model import Network, NodeFacts
from netweft.model.network import Segment
from netweft.plugins.mechanisms import Link, Rack, links_of, vetoes
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

HOST, VIF_TYPE, VIF_DETAILS = "binding:host_id", "binding:vif_type", "binding:vif_details"
FAILED = "binding_failed"
HOST_SCOPE = "agent_host"
VXLAN = "vxlan"
VNIC_TYPE, BARE_METAL = "binding:vnic_type", "baremetal"
IN_A_SWITCH: Object = {VIF_TYPE: "other", VIF_DETAILS: {"connectivity": "l2"}, "status_detail": ""}
# Kept on a port, not shown: the host at which tunnels to it end, a switch that it is behind; empty where none is.
TUNNELLED_TO = "netweft:tunnelled_to"
PLUGGED_INTO = (VNIC_TYPE, "binding:profile")  # what says of bare metal where it is plugged in
# Kept on a port, not shown: a node took it because it was plugged in there and bound nowhere.
CLAIMED = "netweft:claimed"
# Kept on an agent, not shown: its tunnel address, spelled as everybody would.
TUNNEL_END = "netweft:tunnel_end"

GONE = "disconnected since"  # how the status_detail of an agent begins that is away

UNBOUND: Object = {HOST: "", VIF_TYPE: "unbound", VIF_DETAILS: {}, "status_detail": ""}


def agent_of(tx: ReadTransaction, host: str) -> Object | None:
    """The agent that reports as this host."""
    id = _agent_id(tx, host)
    return tx.get("agents", id) if id else None


def lock_agent_of(tx: WriteTransaction, host: str) -> Object | None:
    """Who binds ports there meanwhile waits, and sees what it says then."""
    id = _agent_id(tx, host)
    return tx.lock("agents", id) if id else None


def _agent_id(tx: ReadTransaction, host: str) -> str | None:
    holder = tx.holders(HOST_SCOPE, [host]).get(host)
    return holder[1] if holder else None


def tunnel_end(ip: str | None) -> str | None:
    return str(ip_address(ip)) if ip else None


def rivals(tx: ReadTransaction, host: str, ip: str | None) -> list[str]:
    """Other hosts that say they are at this tunnel address, so that frames for one of them get lost at another."""
    if not ip:
        return []
    agents = tx.query("agents", Query({TUNNEL_END: [tunnel_end(ip)]}))
    return sorted({agent["host"] for agent in agents} - {host})


def seconds_silent(agent: Object) -> float:
    """Since its last sign of life, to whichever server.  One from the future is as old: the clock was set back."""
    heard = datetime.strptime(agent["heartbeat_timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return abs((datetime.now(UTC) - heard).total_seconds())


class Binder:
    """Binds ports within one transaction; each host and each network is looked up once."""

    def __init__(self, tx: WriteTransaction, networks: Mapping[str, Object] | None = None) -> None:
        self._tx = tx
        self._networks = dict(networks or {})
        self._agents: dict[str, Object | None] = {}
        self._known: dict[tuple[str, str], Object] = {}

    def prepare(self, ports: Iterable[Object]) -> None:
        """Look up these ports' networks at once."""
        missing = {port["network_id"] for port in ports} - self._networks.keys()
        if missing:
            self._networks |= self._tx.glance.get_many("networks", missing)  # their types never change

    def bind(self, host: str, port: Object) -> Object:
        """The binding attributes of this port on this host; and why they are not better."""
        if not host:
            return UNBOUND
        place = host, port["network_id"]
        if place not in self._known or is_bare_metal(port):
            self.prepare([port])
            network = self._networks[port["network_id"]]
            if is_bare_metal(port):
                return bare_metal(host, network, links_of(port))
            if host not in self._agents:
                self._agents[host] = agent_of(self._tx, host)
            self._known[place] = binding(host, self._agents[host], network)
        bound = self._known[place]
        return {TUNNELLED_TO: "", **bound} if port.get(TUNNELLED_TO) else bound


def is_bare_metal(port: Mapping[str, Any]) -> bool:
    """No hypervisor's: a switch has it."""
    return bool(port.get(VNIC_TYPE) == BARE_METAL)


def bare_metal(host: str, network: Object, links: Sequence[Link]) -> Object:
    """A machine that is plugged into a switch at these links."""
    if not links:
        return _failed(host, "binding:profile has no local_link_information: no switch port is named")
    against = vetoes.against(host, as_model(network), links)
    if against is None:
        named = ", ".join(dict.fromkeys(link.switch_info or link.switch_id or "no switch" for link in links))
        return _failed(host, f"no switch that is known is called {named}, or no port of it is named")
    if against:
        return _failed(host, against)
    return {HOST: host, **in_a_switch(links)}


def in_a_switch(links: Sequence[Link]) -> Object:
    return {**IN_A_SWITCH, TUNNELLED_TO: vetoes.tunnel_end(links)}


def as_model(network: Object) -> Network:
    """Its segments are all that a mechanism goes by."""
    segments = network.get("segments") or [network]
    known = tuple(Segment(one[TYPE], one.get(PHYSICAL), one.get(ID)) for one in segments if one.get(TYPE))
    return Network(id=network["id"], segments=known)


def binding(host: str, agent: Object | None, network: Object) -> Object:
    if agent is None:
        return _failed(host, f"no agent has connected from host {host} yet")
    node = msgspec.convert(agent["configurations"], NodeFacts)
    segments = network.get("segments") or [network]
    rack = None if can_wire(agent, network) else _rack_of(host, node, segments)
    if rack is None and not can_wire(agent, network):
        wanted = " or ".join(_named(segment) for segment in segments)
        return _failed(host, f"host {host} cannot wire {wanted}: it has {_abilities(node)}")
    if against := vetoes.against(host, as_model(network)):
        return _failed(host, against)
    details: Object = {"connectivity": "l2", "port_filter": node.port_filter}
    if node.vif_type == "ovs":
        details |= {
            "ovs_hybrid_plug": False,
            "bridge_name": node.integration_bridge,
            "datapath_type": node.datapath_type,
        }
    behind: Object = {TUNNELLED_TO: rack.tunnel_end} if rack else {}
    return {HOST: host, VIF_TYPE: node.vif_type, VIF_DETAILS: details, "status_detail": "", **behind}


def _rack_of(host: str, node: NodeFacts, segments: Sequence[Object]) -> Rack | None:
    """Where its frames go as a VLAN of the rack that a switch maps to the network's tunnels."""
    rack = vetoes.rack_of(host)
    led = rack is not None and rack.physical_network in node.bridge_mappings
    return rack if led and any(segment[TYPE] == VXLAN for segment in segments) else None


def can_wire(agent: Object, network: Object) -> bool:
    """By one of the network's segments."""
    node = msgspec.convert(agent["configurations"], NodeFacts)
    return any(_can_wire(node, segment) for segment in network.get("segments") or [network])


def is_there(agent: Object) -> bool:
    """Nobody has found that it is not (`binding.node_gone`)."""
    return not (agent.get("status_detail") or "").startswith(GONE)


def _failed(host: str, reason: str) -> Object:
    return {HOST: host, VIF_TYPE: FAILED, VIF_DETAILS: {}, "status_detail": reason}


def _can_wire(node: NodeFacts, segment: Object) -> bool:
    if segment[PHYSICAL]:
        return segment[PHYSICAL] in node.bridge_mappings
    return segment[TYPE] == "local" or (segment[TYPE] in node.tunnel_types and bool(node.tunnel_ip))


def _named(segment: Object) -> str:
    """Without its id, which is nothing for plain users."""
    return f"{segment[TYPE]} on {segment[PHYSICAL]}" if segment[PHYSICAL] else str(segment[TYPE])


def _abilities(node: NodeFacts) -> str:
    physical = (
        f"bridges for {', '.join(sorted(node.bridge_mappings))}" if node.bridge_mappings else "no bridge mappings"
    )
    tunnels = ", ".join(node.tunnel_types) if node.tunnel_ip else ""
    return f"{physical}, and {f'tunnels of type {tunnels}' if tunnels else 'no tunnels'}"
