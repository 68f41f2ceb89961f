"""Layer 2: who gets a frame.

    known here        to its port
    known elsewhere   through the tunnel bridge to the one host that has it, with the network's key; on a physical
                      network to the wire, whose switches know where it is
    of address pairs  to the ports here that may have it, and as any other that is not known
    not known         to the ports here without port security, which may have any MAC, and to exactly the hosts that
                      have the network, or the wire.  A guarded port's MACs are all known: it gets no other's frames
    multicast         and broadcast: to all of the network's ports here, and likewise to hosts or wire

What came in from another bridge never goes back to it, nor what came from the overlay into the overlay: on the tunnel
bridge its only way is to the integration bridge.  MAC addresses are never learned; the database knows them.
"""

from collections.abc import Iterable, Iterator

from netweft.dataplane.openflow.flow import OFPP_IN_PORT, Action, Move, Output, PopVlan, PushVlan, SetField
from netweft.dataplane.ovsdb.rows import VifTag
from netweft.services.addresses import MAC_ANY_MULTICAST, Prefix, is_multicast, mac
from netweft.services.fields import (
    ANY_TAG,
    BALANCED_ZONE,
    CROWD,
    FLOODED,
    IN_PORT,
    LOCAL_VLAN,
    ONE_OF_MANY,
    ORIGIN,
    OUT_PORT,
    SECOND_TAGS,
    TRACKED,
    UNTAGGED,
    Reason,
    cookie,
    tagged,
)
from netweft.services.l2 import stt
from netweft.services.l2.local_vlans import NETWORK_KEY, kept
from netweft.services.l2.physical import outside_vlan
from netweft.services.pipeline import INT, TUN, BridgeFlow, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Flood, HostFacts, Link, LocalNetwork, LocalPort, RemotePort, Uplinks

AHEAD, KNOWN, SHARED, FOR_MANY, UNKNOWN = 30, 20, 15, 10, 5

# Open vSwitch gives up a packet on its 4,096th table, for everybody.  A copy meets up to six and one for each group of
# its port, unless it is tracked: then it is a packet of its own after two.  A port with firewalls is evaluated up to 36
# times more, and counts as so many.
MOST_COPIES = 256
BEHIND_FIREWALLS = 4


def port(here: LocalPort) -> Iterator[Wanted]:
    """Its tag and MTU, who it is when it sends, and the way to it.

    A port whose binding is not active yet runs elsewhere: nobody here sends to it.  What comes from outside for it is
    delivered, since others may have learned of its move before us; and what it sends goes out, since a VM sends here
    only once it runs here, first of all its announcement."""
    if not here.tag:
        ids = ((NETWORK_KEY, here.port.network_id), *kept(here.carried))
        mtu = here.network.network.mtu
        yield VifTag(port_name=here.port_name, tag=here.network.vlan, mtu=mtu, external_ids=ids)
    yield from _classify(here)
    to_it: dict[str, Value] = {LOCAL_VLAN: here.network.vlan, "eth_dst": mac(here.port.mac_address)}
    from_outside: dict[str, Value] = {} if here.port.active else {IN_PORT: here.uplink or 0}
    if not is_multicast(here.port.mac_address):
        yield INT["switching"].flow(
            KNOWN if here.port.active else AHEAD,
            cookie(Reason.PORT_SWITCHING, here.port.id),
            {**to_it, **from_outside},
            SetField(OUT_PORT, here.number),
            INT["ingress"].goto,
        )
    yield from _deliver(here)


def _deliver(here: LocalPort) -> Iterator[Wanted]:
    """Ports of one trunk share an interface, and `output` never sends back out of a packet's input port."""
    owner, to_it = cookie(Reason.PORT_DELIVERY, here.port.id), {OUT_PORT: here.number}
    tag = (PushVlan(), SetField("vlan_vid", tagged(here.tag))) if here.tag else ()
    yield INT["deliver"].flow(10, owner, to_it, *tag, Output(here.ofport))
    if here.tag or here.carried:
        yield INT["deliver"].flow(30, owner, {**to_it, IN_PORT: here.number})
        same_interface: dict[str, Value] = {**to_it, IN_PORT: (here.ofport, 0xFFFF)}
        yield INT["deliver"].flow(20, owner, same_interface, *tag, Output(OFPP_IN_PORT))


def _classify(here: LocalPort) -> Iterator[Wanted]:
    """A sub-port's frames by their tag, any other port's without one; in a VLAN-transparent network with any."""
    owner = cookie(Reason.PORT_CLASSIFY, here.port.id)
    come_in = (*_in(here.network), SetField(IN_PORT, here.number), INT["egress_qos"].goto)
    if here.tag:
        match: dict[str, Value] = {"in_port": here.ofport, "vlan_vid": tagged(here.tag)}
        yield INT["classify"].flow(10, owner, match, PopVlan(), *come_in)
        return
    yield INT["classify"].flow(10, owner, {"in_port": here.ofport, "vlan_vid": UNTAGGED}, *come_in)
    if here.network.network.vlan_transparent:
        yield INT["classify"].flow(5, owner, {"in_port": here.ofport, "vlan_vid": ANY_TAG}, *come_in)
        yield _keeps_priority_tags(owner, here.ofport)


def _in(network: LocalNetwork) -> tuple[Action, Action]:
    """Whose clients' connections are balanced in a zone of their own."""
    return SetField(LOCAL_VLAN, network.vlan), SetField(ORIGIN, BALANCED_ZONE | network.vlan)


def _keeps_priority_tags(owner: int, in_port: int) -> BridgeFlow:
    return INT["priority_tag"].flow(20, owner, {"in_port": in_port, "vlan_vid": tagged(0)}, INT["classify"].goto)


def network(uplinks: Uplinks, here: LocalNetwork, flood: Flood) -> Iterator[Wanted]:
    """Flooding on the integration bridge, and how its frames come in from another one."""
    link = here.link(uplinks)
    out = (link.near,) if link and link.near is not None else ()
    many: dict[str, Value] = {"eth_dst": (MAC_ANY_MULTICAST, MAC_ANY_MULTICAST)}
    weight, judged = (BEHIND_FIREWALLS - 1) * flood.firewalled, tuple(filter(_is_judged, flood.unguarded))
    others = (*(number for number in flood.unguarded if number not in judged), *out)
    yield _flooded(here, FOR_MANY, many, (flood.ports, out), weight)
    yield _flooded(here, UNKNOWN, {}, (judged, others), weight)
    for address, holders in flood.shared.items():
        yield _flooded(here, SHARED, {"eth_dst": address}, ((*holders, *judged), others), weight)
    if link is not None and link.near is not None:
        yield from _from_uplink(link, link.near, here)
    if here.tunnelled:
        yield from _tunnelled(uplinks, here, flood)


def _is_judged(number: int) -> bool:
    """Without port security, but with a firewall."""
    return bool(number & TRACKED)


def _flooded(
    here: LocalNetwork, priority: int, to: dict[str, Value], whom: tuple[tuple[int, ...], tuple[int, ...]], weight: int
) -> BridgeFlow:
    """whom: ports that may be guarded, and others.  One receiver alone gets it as if its MAC were known.
    weight: what copies cost besides, in copies."""
    judging, others = whom
    receivers = (*judging, *others)
    if len(receivers) == 1:
        actions: tuple[Action, ...] = (SetField(OUT_PORT, receivers[0]), INT["ingress"].goto)
    else:
        flooded = SetField(FLOODED, ONE_OF_MANY | (CROWD if len(receivers) + weight > MOST_COPIES else 0))
        copies = (action for number in receivers for action in _copy_to(number))
        actions = (flooded, *copies) if judging else tuple(copies)
    owner = cookie(Reason.NETWORK_FLOOD, here.network.id)
    return INT["switching"].flow(priority, owner, {LOCAL_VLAN: here.vlan, **to}, *actions)


def _from_uplink(link: Link, near: int, here: LocalNetwork) -> Iterator[Wanted]:
    """Of two links to a physical network only one takes frames for everybody, which the switch there sends to both."""
    outside = tagged(here.vlan) if here.tunnelled else outside_vlan(here)
    reason = Reason.NETWORK_TUNNEL if here.tunnelled else Reason.NETWORK_PHYSICAL
    onward = INT["to_router" if here.routed else "switching"].goto
    come_in = (*_in(here), SetField(IN_PORT, near), onward)
    for in_port in link.nears:
        match: dict[str, Value] = {"in_port": in_port, "vlan_vid": outside}
        if in_port != near and not here.tunnelled:
            match["eth_dst"] = (0, MAC_ANY_MULTICAST)
        own = (PopVlan(),) if outside != UNTAGGED else ()
        yield INT["classify"].flow(10, cookie(reason, here.network.id), match, *own, *come_in)
        if here.network.vlan_transparent and outside == UNTAGGED:  # VMs' tags, unless a VLAN network here has them
            yield INT["classify"].flow(5, cookie(reason, here.network.id), {**match, "vlan_vid": ANY_TAG}, *come_in)
            yield _keeps_priority_tags(cookie(reason, here.network.id), in_port)


def _tunnelled(uplinks: Uplinks, here: LocalNetwork, flood: Flood) -> Iterator[Wanted]:
    """On the tunnel bridge: the way between local VLAN and tunnel key."""
    far = uplinks.tun.far
    overlay = uplinks.overlays.get(here.segment.network_type)
    if overlay is None:
        return
    if far is not None:
        yield _from_overlay(here, overlay, far)
    if flood.tunnels:
        yield TUN["flood"].flow(
            10,
            cookie(Reason.NETWORK_FLOOD, here.network.id),
            {"vlan_vid": tagged(here.vlan)},
            *encapsulate(here, flood.tunnels, overlay),
        )


def _from_overlay(here: LocalNetwork, overlay: int, far: int) -> BridgeFlow:
    owner = cookie(Reason.NETWORK_TUNNEL, here.network.id)
    if here.segment.network_type == stt.TYPE:
        return TUN["from_overlay"].flow(10, owner, {"in_port": overlay, "vlan_vid": tagged(here.vlan)}, Output(far))
    match: dict[str, Value] = {"in_port": overlay, "tun_id": here.segment.segmentation_id or 0}
    tag = (PushVlan(), SetField("vlan_vid", tagged(here.vlan)))
    return TUN["from_overlay"].flow(10, owner, match, *tag, Output(far))


def peer(uplinks: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    """To a peer on another node: past the ports here, then to the wire or into the tunnel to its host."""
    here = there.network
    link = here.link(uplinks)
    if link is None or link.near is None or (here.tunnelled and there.tunnel is None):
        return
    if is_multicast(there.peer.mac_address):
        return
    eth_dst = mac(there.peer.mac_address)
    yield INT["switching"].flow(
        KNOWN,
        cookie(Reason.PEER_SWITCHING, there.peer.id),
        {LOCAL_VLAN: here.vlan, "eth_dst": eth_dst},
        SetField(OUT_PORT, link.near),
        INT["ingress"].goto,
    )
    overlay = uplinks.overlays.get(here.segment.network_type)
    if there.tunnel is not None and overlay is not None:
        yield TUN["to_peer"].flow(
            10,
            cookie(Reason.PEER_TUNNEL, there.peer.id),
            {"vlan_vid": tagged(here.vlan), "eth_dst": eth_dst},
            *encapsulate(here, (there.tunnel,), overlay),
        )


def host(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """Towards another bridge a frame carries its local VLAN as 802.1Q tag, unless it came from there: by the link that
    is being replaced it could go back."""
    owner = cookie(Reason.PIPELINE)
    yield INT["priority_tag"].flow(10, owner, {"vlan_vid": tagged(0)}, PopVlan(), INT["only_tag"].goto)
    for second in SECOND_TAGS:
        yield INT["only_tag"].flow(10, owner, second)
    for link in (uplinks.tun, *uplinks.physical.values()):
        if link.near is not None:
            yield INT["deliver"].flow(20, owner, {OUT_PORT: link.near, IN_PORT: link.near})
            retag = (PushVlan(), Move(LOCAL_VLAN, "vlan_vid", bits=12))
            yield INT["deliver"].flow(10, owner, {OUT_PORT: link.near}, *retag, Output(link.near))


def _copy_to(number: int) -> Iterator[Action]:
    """Through `ingress`, so that whatever guards a port guards it from flooded frames too."""
    yield SetField(OUT_PORT, number)
    yield INT["ingress"].resubmit


def encapsulate(here: LocalNetwork, tunnels: Iterable[Prefix], overlay: int) -> Iterator[Action]:
    if here.segment.network_type == stt.TYPE:
        yield from stt.to_carrier(tunnels, overlay)
        return
    yield PopVlan()
    yield from into_tunnels(here.segment.segmentation_id or 0, tunnels, overlay)


def into_tunnels(tunnel_key: int, tunnels: Iterable[Prefix], overlay: int) -> Iterator[Action]:
    """Of a frame without a tag."""
    yield SetField("tun_id", tunnel_key)
    for tunnel in tunnels:
        yield SetField(f"tun_ipv{tunnel.version}_dst", tunnel.value)
        yield Output(overlay)


SWITCHING = Service("switching", host=host, network=network, port=port, peer=peer)
