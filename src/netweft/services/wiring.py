"""From facts to the values that services work on, or to the reason why not.

A reason is a value too: it becomes the port's status.  Everything is read through a `Reader`, so that the memo knows
who depends on what.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from netweft.dataplane.ovsdb.rows import Vif
from netweft.model import (
    Network,
    Node,
    Peer,
    Port,
    PortState,
    PortStatus,
    QosPolicy,
    SecurityGroup,
    Segment,
    Subnet,
    qos_policy_id,
)
from netweft.reconcile.memo import Reader
from netweft.services import qos
from netweft.services.addresses import MAC_ANY_MULTICAST, Prefix, endpoint, maybe_mac, prefix, within
from netweft.services.dhcp import requests as dhcp
from netweft.services.dhcp.machine_leases import is_answered_here, machines_lease
from netweft.services.fields import GUARDED
from netweft.services.l2 import stt
from netweft.services.l2.local_vlans import SOON
from netweft.services.node_facts import DISCOVERY, NO_METERS, host_facts, observed_uplinks, uplinks
from netweft.services.security.firewall_rules import remote_set
from netweft.services.security.firewalls import firewall, group_events, router_firewalls
from netweft.services.values import (
    DESTINATION,
    PHYSICAL,
    SOURCE,
    TUNNELLED,
    Flood,
    HostFacts,
    LocalGroup,
    LocalNetwork,
    LocalPort,
    Member,
    PortGroup,
    RemoteAddress,
    RemotePort,
    UplinkNic,
    Uplinks,
    is_firewalled,
)


class Problem(Struct, frozen=True):
    """Why something cannot be wired.  passing: it is about to be put right, so nobody has to hear of it."""

    detail: str
    passing: bool = False
    state: PortState = PortState.ERROR


def local_network(read: Reader, network_id: str) -> LocalNetwork | Problem:
    network: Network | None = read.get(("network", network_id))
    if network is None:
        return Problem(f"network {network_id} is not known here yet", passing=True)
    if not network.admin_state_up:
        return Problem(f"network {network_id} is administratively down", state=PortState.DOWN)
    vlan: int | None = read.get(("vlan", network_id))
    if vlan is None:
        return Problem("no local VLAN is free on this node")
    if vlan == SOON:
        return Problem("a local VLAN is about to be free", passing=True)
    host = host_facts(read)
    segment = _segment(host, network)
    if isinstance(segment, Problem):
        return segment
    routed, balanced = bool(read.get(("routed", network_id))), bool(read.get(("balanced", network_id)))
    answered = routed and (segment.network_type in PHYSICAL or bool(read.get(("answered", network_id))))
    return LocalNetwork(
        network=network,
        vlan=vlan,
        segment=segment,
        dhcp=read.get(("dhcp", network_id)) or (),
        routed=routed,
        unsure=answered or (routed and _is_unsure(read, network_id)),
        answered=answered,
        can_limit=not routed or not read.get(NO_METERS),
        discovery=(routed or balanced) and bool(read.get(DISCOVERY)),
        balanced=balanced,
        names=host.dns,
        domain=(network.dns_domain or host.domain).removesuffix("."),
        firewalled=bool(read.get(("firewalled", network_id))),
        advertised=bool(read.get(("has advertisers", network_id)) and read.get(("advertised", network_id))),
    )


def _is_unsure(read: Reader, network_id: str) -> bool:
    hops: tuple[Prefix, ...] = read.get(("several", network_id)) or ()
    subnets: tuple[Subnet, ...] = (read.get(("subnets", network_id)) or ()) if hops else ()
    asked = any(within(hop, prefix(subnet.cidr)) for hop in hops for subnet in subnets)
    return asked or bool(read.get(("unsure", network_id)))


def _segment(host: HostFacts, network: Network) -> Segment | Problem:
    """The first that this node can do."""
    reasons = []
    for segment in network.segments:
        reason = _cannot(host, network, segment)
        if not reason:
            return segment
        reasons.append(reason)
    if not reasons:
        return Problem(f"network {network.id} has no segment")
    able = ", ".join([*(host.tunnel_types if host.tunnel_ip else ()), *host.bridge_mappings]) or "none"
    return Problem(f"{'; '.join(reasons)} (segment types and physical networks of this node: {able})")


def _cannot(host: HostFacts, network: Network, segment: Segment) -> str:
    """Why this node cannot do the segment; empty when it can."""
    kind, name = segment.network_type, segment.physical_network
    if kind in PHYSICAL:
        return "" if name in host.bridge_mappings else f"this node has no bridge for physical network {name}"
    if kind in TUNNELLED and kind in host.tunnel_types:
        return "" if host.tunnel_ip else f"this node has no tunnel address (tunnel_ip), which {kind} needs"
    return "" if kind == "local" else f"networks of type {kind} are not supported by this node"


def local_port(read: Reader, port_id: str) -> LocalPort | Problem | None:
    """None: nothing is plugged in."""
    place = plugged(read, port_id)
    if place is None:
        return None
    vif = place.vif
    port: Port | None = read.get(("port", port_id))
    if port is None:
        if place.tag:
            return Problem(f"sub-port {port_id} is not known here yet", passing=True)
        return Problem("plugged in, not bound to this node yet")  # reporting it claims it
    if not place.trunk_up:
        return Problem("its trunk is administratively down", state=PortState.DOWN)
    if vif.ofport is None:
        return Problem(f"Open vSwitch has not opened interface {vif.name} yet", passing=True)
    if vif.ofport < 1:
        return Problem(f"Open vSwitch cannot open interface {vif.name}: {vif.error or 'no reason given'}")
    network = local_network(read, port.network_id)
    if isinstance(network, Problem):
        return network
    misread = _misread(read, place, network)
    if misread is not None:
        return misread
    link = network.link(uplinks(read))
    policy, logged = _qos_policy(read, port, network), group_events(read, port)
    is_limited = bool(policy or logged) or is_firewalled(port, firewalled_network=network.firewalled)
    return LocalPort(
        port=port,
        network=network,
        port_name=vif.port_name,
        ofport=vif.ofport,
        tag=place.tag,
        carried=_carried(read, port),
        uplink=link.near if link else None,
        groups=_port_groups(read, port),
        group_events=logged,
        firewall=firewall(read, port),
        router_firewalls=router_firewalls(read, network.network.id),
        subnets=read.get(("subnets", port.network_id)) or (),
        routers=(read.get(("advertisers", port.network_id)) or ()) if network.advertised else (),
        deaf_to=read.get(("deaf", port_id)) or frozenset(),
        qos=policy,
        frame=qos.largest_frame(network.network.mtu, host_facts(read).datapath_type) if policy else 0,
        can_limit=not is_limited or not read.get(NO_METERS),
        uplink_nic=_uplink_nic(read, network) if policy and policy.minimum_bandwidths else None,
    )


def _qos_policy(read: Reader, port: Port, network: LocalNetwork) -> QosPolicy | None:
    policy_id = qos_policy_id(port, network.network)
    found: QosPolicy | None = read.get(("qos_policy", policy_id)) if policy_id else None
    return found


def _uplink_nic(read: Reader, network: LocalNetwork) -> UplinkNic | None:
    host = host_facts(read)
    nic = host.uplink_bandwidths.get(network.way_out)
    if nic is None:
        return None
    own = endpoint(host.tunnel_ip)
    offset = qos.mac_offset(network.segment.network_type, own.version if own else 4)
    return UplinkNic(nic.interface, offset, read.get(("nic problem", nic.interface)) or "")


def _misread(read: Reader, place: "Place", network: LocalNetwork) -> Problem | None:
    """Whether Open vSwitch would misread frames with two tags: docs/decisions/0084.

    A wire, and so a veth, hands over bytes, in which it looks for as many tags as `vlan-limit` says.  Looking at one,
    it sees nothing of what is below two.  Looking at two, what it keeps for frames with one tag passes those with two,
    unasked; and in a flat network the second one is a VLAN outside."""
    kind, transparent = network.segment.network_type, network.network.vlan_transparent
    if transparent and kind == stt.TYPE:
        return Problem("a VLAN-transparent network cannot be of type stt: its frames have two tags of ours already")
    looks_at_two = observed_uplinks(read).vlan_limit != 1
    two_tags = kind == "vlan" or (kind != "local" and host_facts(read).interconnect == "veth")
    if transparent and two_tags and not looks_at_two:
        return Problem(f"a VLAN-transparent network{_VLAN_LIMIT}=0")
    if place.tag and kind == "flat" and not transparent and looks_at_two:
        return Problem(f"a sub-port in a flat network{_VLAN_LIMIT}=1")
    return None


_VLAN_LIMIT = " needs on this node: ovs-vsctl set Open_vSwitch . other_config:vlan-limit"


class SubPlace(NamedTuple):
    """What a trunk says of one of its sub-ports."""

    parent_id: str
    tag: int
    trunk_up: bool


class Place(NamedTuple):
    """Where a port is plugged in: an interface of its own, or its trunk's with a tag."""

    vif: Vif
    tag: int = 0
    trunk_up: bool = True


def plugged(read: Reader, port_id: str) -> Place | None:
    sub: SubPlace | None = read.get(("sub_port", port_id))
    vif: Vif | None = read.get(("vif", sub.parent_id if sub else port_id))
    if vif is None:
        return None
    return Place(vif, sub.tag, sub.trunk_up) if sub else Place(vif)


def _carried(read: Reader, parent: Port) -> tuple[tuple[int, str], ...]:
    """Kept on the interface's row, so that the sub-ports' networks find their local VLANs again."""
    subs = (read.get(("port", id)) for id in read.get(("sub_ports", parent.id)) or ())
    networks = {sub.network_id for sub in subs if sub} - {parent.network_id}
    vlans = ((read.get(("vlan", id)), id) for id in networks)
    return tuple(sorted((vlan, id) for vlan, id in vlans if vlan))


def _port_groups(read: Reader, port: Port) -> tuple[PortGroup, ...]:
    """Not the groups themselves: a rule is no news for the port."""
    found = ((read.get(("number", id)), read.get(("stateful", id))) for id in sorted(set(port.security_groups)))
    return tuple(PortGroup(number, stateful) for number, stateful in found if None not in (number, stateful))


def local_group(read: Reader, group_id: str) -> LocalGroup | None:
    """None: there is no such group."""
    group: SecurityGroup | None = read.get(("security_group", group_id))
    if group is None:
        return None
    named = {name for name in map(remote_set, group.rules) if name is not None}
    remotes = {name: read.get(("number", name)) for name in named}
    return LocalGroup(group=group, number=read.get(("number", group_id)), remotes=remotes)


def remote_address(read: Reader, mac_address: str, address: str) -> RemoteAddress | None:
    """None: it is in no set."""
    sets: tuple[str, ...] | None = read.get(("sets", mac_address, address))
    if sets is None:
        return None
    numbers: dict[str, list[int]] = {"ingress": [], "egress": []}
    for name in sets:
        for direction in read.get(("directions", name)) or ():
            numbers[direction].append(read.get(("number", name)))
    sorted_ = {name: tuple(sorted(found)) for name, found in numbers.items()}
    for end, name in ((SOURCE, "sources"), (DESTINATION, "destinations")):
        asked = (read.get(("set number", set_id, end)) for set_id in sets)
        sorted_[name] = tuple(sorted(number for number in asked if number is not None))
    return RemoteAddress(address=address, mac=mac_address, **sorted_)


def remote_port(read: Reader, peer_id: str) -> RemotePort | None:
    """None: there is no such peer, or its network is not wired here."""
    peer: Peer | None = read.get(("peer", peer_id))
    if peer is None:
        return None
    network = local_network(read, peer.network_id)
    if isinstance(network, Problem):
        return None
    tunnel, lease = tunnel_to(read, network, peer.host_id), None
    if tunnel is not None and network.answered and is_answered_here(read, peer):
        lease = machines_lease(read, network, peer)
    return RemotePort(peer=peer, network=network, tunnel=tunnel, lease=lease)


def flood(read: Reader, network: LocalNetwork) -> Flood:
    network_id = network.network.id
    tunnels = _tunnels(read, network, read.get(("hosts", network_id)) or ())
    domain = _tunnels(read, network, (read.get(("domain", network_id)) or ()) if network.unsure else ())
    members: tuple[Member, ...] = read.get(("members", network_id)) or ()
    shared: dict[int, list[int]] = {}
    for member in members:
        for address in filter(None, map(maybe_mac, member.macs)):
            if not address & MAC_ANY_MULTICAST:
                shared.setdefault(address, []).append(member.number)
    return Flood(
        ports=tuple(member.number for member in members),
        tunnels=tunnels,
        unguarded=tuple(member.number for member in members if not member.number & GUARDED),
        shared={address: tuple(shared[address]) for address in sorted(shared)},
        paired=read.get(("paired", network_id)) or (),
        paired_macs=read.get(("paired_macs", network_id)) or (),
        domain=domain if set(domain) > set(tunnels) else (),
        firewalled=sum(member.firewalled for member in members),
    )


def _tunnels(read: Reader, network: LocalNetwork, hosts: Iterable[str]) -> tuple[Prefix, ...]:
    found = {tunnel_to(read, network, name) for name in hosts}
    return tuple(Prefix(*tunnel, None) for tunnel in sorted(tunnel[:2] for tunnel in found if tunnel))


def status(read: Reader, port_id: str, wired: LocalPort | Problem) -> PortStatus | None:
    """What to report once everything that was rendered is in place.  None: nothing yet."""
    port: Port | None = read.get(("port", port_id))
    if port is not None and not port.admin_state_up:
        return PortStatus(port_id, PortState.DOWN)
    if isinstance(wired, Problem):
        return _report(port_id, wired)
    off = _switched_off(read, port_id)
    if off is not None:
        return _report(port_id, off)
    missing = _missing_uplink(observed_uplinks(read), wired.network)
    if missing is not None:
        return _report(port_id, missing)
    return PortStatus(port_id, PortState.UP, "; ".join(filter(None, (qos.unmet(wired), dhcp.unsaid(wired.port)))))


def _switched_off(read: Reader, port_id: str) -> Problem | None:
    """It stays wired: the device may come back.  One without carrier is well: its guest is about to start."""
    place = plugged(read, port_id)
    if place is not None and place.vif.ifindex == 0:
        return Problem(f"its interface {place.vif.name} is gone", state=PortState.DOWN)
    if place is not None and place.vif.down:
        return Problem(f"its interface {place.vif.name} is switched off", state=PortState.DOWN)
    return None


def is_out_of_use(read: Reader, port_id: str) -> bool:
    """Nothing is plugged in for it, or what is cannot be used."""
    place = plugged(read, port_id)
    return place is None or (place.vif.ofport or 0) < 1 or _switched_off(read, port_id) is not None


def _report(port_id: str, problem: Problem) -> PortStatus | None:
    return None if problem.passing else PortStatus(port_id, problem.state, problem.detail)


def _missing_uplink(links: Uplinks, network: LocalNetwork) -> Problem | None:
    link, segment = network.link(links), network.segment
    if link is None:
        return None
    why = links.problems.get(segment.physical_network or "")
    if why:
        return Problem(why)
    where = "tunnel bridge" if network.tunnelled else f"bridge of physical network {segment.physical_network}"
    needed = {f"the port to the {where}": link.near, "the port to the integration bridge": link.far}
    if network.tunnelled:
        needed[f"the {segment.network_type} port"] = links.overlays.get(segment.network_type)
    for what, ofport in needed.items():
        if ofport is None:
            return Problem(f"{what} is not there yet", passing=True)
        if ofport < 1:
            return Problem(f"Open vSwitch cannot open {what}")
    return None


def tunnel_to(read: Reader, network: LocalNetwork, name: str) -> Prefix | None:
    """The node's end point, if it is another one than ours, of the same IP version, and takes the network's tunnels."""
    if not network.tunnelled:
        return None
    node: Node | None = read.get(("node", name))
    if node is None or network.segment.network_type not in node.tunnel_types:
        return None
    own, other = endpoint(host_facts(read).tunnel_ip), endpoint(node.tunnel_ip)
    return other if own and other and other != own and other.version == own.version else None
