"""From facts to the values that services work on, or to the reason why not.

A reason is a value too: it becomes the port's status.  Everything is read through a `Reader`, so that the memo knows
who depends on what.
"""

from msgspec import Struct
from msgspec.structs import asdict

from netweft.dataplane.ovsdb.rows import Vif
from netweft.model import Network, Node, Peer, Port, PortState, PortStatus
from netweft.reconcile.memo import Fact, Reader
from netweft.services.addresses import Prefix, endpoint
from netweft.services.values import Flood, HostFacts, LocalNetwork, LocalPort, RemotePort, Uplinks

HOST: Fact = "host"
UPLINKS: Fact = "uplinks"
TUNNELLED = frozenset({"vxlan"})
_UPLINKS = {
    "to_tun": "the port to the tunnel bridge",
    "to_int": "the port to the integration bridge",
    "overlay": "the tunnel port",
}


class Problem(Struct, frozen=True):
    """Why something cannot be wired.  passing: it is about to be put right, so nobody has to hear of it."""

    detail: str
    passing: bool = False
    state: PortState = PortState.ERROR


def host_facts(read: Reader) -> HostFacts:
    facts: HostFacts = read.get(HOST)
    return facts


def uplinks(read: Reader) -> Uplinks:
    """Only those that frames can be sent through."""
    links = _observed_uplinks(read)
    return Uplinks(**{name: ofport for name, ofport in asdict(links).items() if ofport is not None and ofport > 0})


def _observed_uplinks(read: Reader) -> Uplinks:
    links: Uplinks | None = read.get(UPLINKS)
    return links or Uplinks()


def local_network(read: Reader, network_id: str) -> LocalNetwork | Problem:
    network: Network | None = read.get(("network", network_id))
    if network is None:
        return Problem(f"network {network_id} is not known here yet", passing=True)
    if not network.admin_state_up:
        return Problem(f"network {network_id} is administratively down", state=PortState.DOWN)
    vlan: int | None = read.get(("vlan", network_id))
    if vlan is None:
        return Problem("no local VLAN is free on this node")
    if not network.segments:
        return Problem(f"network {network_id} has no segment")
    segment = network.segments[0]
    if segment.network_type == "local":
        return LocalNetwork(network=network, vlan=vlan)
    host = host_facts(read)
    if segment.network_type not in TUNNELLED or segment.network_type not in host.tunnel_types:
        return Problem(f"networks of type {segment.network_type} are not supported by this node")
    if not host.tunnel_ip:
        return Problem(f"this node has no tunnel address (tunnel_ip), which {segment.network_type} needs")
    return LocalNetwork(network=network, vlan=vlan, tunnel_key=segment.segmentation_id)


def local_port(read: Reader, port_id: str) -> LocalPort | Problem | None:
    """None: nothing is plugged in."""
    vif: Vif | None = read.get(("vif", port_id))
    if vif is None:
        return None
    port: Port | None = read.get(("port", port_id))
    if port is None:
        return Problem("plugged in, not bound to this node yet")  # reporting it claims it
    if vif.ofport is None:
        return Problem(f"Open vSwitch has not opened interface {vif.name} yet", passing=True)
    if vif.ofport < 1:
        return Problem(f"Open vSwitch cannot open interface {vif.name}: {vif.error or 'no reason given'}")
    network = local_network(read, port.network_id)
    if isinstance(network, Problem):
        return network
    return LocalPort(port=port, network=network, port_name=vif.port_name, ofport=vif.ofport)


def remote_port(read: Reader, peer_id: str) -> RemotePort | None:
    """None: there is no such peer, or its network is not wired here."""
    peer: Peer | None = read.get(("peer", peer_id))
    if peer is None:
        return None
    network = local_network(read, peer.network_id)
    if isinstance(network, Problem):
        return None
    return RemotePort(peer=peer, network=network, tunnel=_tunnel(read, peer.host_id))


def flood(read: Reader, network_id: str) -> Flood:
    tunnels = {_tunnel(read, name) for name in read.get(("hosts", network_id)) or ()}
    reachable = sorted(tunnel[:2] for tunnel in tunnels if tunnel)
    return Flood(read.get(("members", network_id)) or (), tuple(Prefix(*tunnel, None) for tunnel in reachable))


def status(read: Reader, port_id: str, wired: LocalPort | Problem) -> PortStatus | None:
    """What to report once everything that was rendered is in place.  None: nothing yet."""
    port: Port | None = read.get(("port", port_id))
    if port is not None and not port.admin_state_up:
        return PortStatus(port_id, PortState.DOWN)
    if isinstance(wired, Problem):
        return _report(port_id, wired)
    missing = _missing_uplink(_observed_uplinks(read)) if wired.network.tunnel_key is not None else None
    return PortStatus(port_id, PortState.UP) if missing is None else _report(port_id, missing)


def _report(port_id: str, problem: Problem) -> PortStatus | None:
    return None if problem.passing else PortStatus(port_id, problem.state, problem.detail)


def _missing_uplink(links: Uplinks) -> Problem | None:
    for name, what in _UPLINKS.items():
        ofport: int | None = getattr(links, name)
        if ofport is None:
            return Problem(f"{what} is not there yet", passing=True)
        if ofport < 1:
            return Problem(f"Open vSwitch cannot open {what}")
    return None


def _tunnel(read: Reader, name: str) -> Prefix | None:
    """The node's end point, if it is another one than ours and of the same IP version."""
    node: Node | None = read.get(("node", name))
    own, other = endpoint(host_facts(read).tunnel_ip), endpoint(node.tunnel_ip) if node else None
    return other if own and other and other != own and other.version == own.version else None
