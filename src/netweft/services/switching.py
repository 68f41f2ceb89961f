"""Layer 2: who gets a frame.

    known here        to its port
    known elsewhere   through the tunnel bridge to the one host that has it, with the network's key
    anything else     flooded: to the network's ports here and to exactly the hosts that have the network

A frame from the overlay never goes back to it: on the tunnel bridge its only way is to the integration bridge, and
there Open vSwitch sends nothing out where it came in.  MAC addresses are never learned; the database knows them.
"""

from collections.abc import Iterable, Iterator

from netweft.dataplane.openflow.flow import Action, Move, Output, PopVlan, PushVlan, SetField
from netweft.dataplane.ovsdb.rows import VifTag
from netweft.services.addresses import Prefix, mac
from netweft.services.fields import LOCAL_VLAN, OUT_PORT, UNTAGGED, Reason, cookie, tagged
from netweft.services.pipeline import INT, TUN
from netweft.services.values import Flood, HostFacts, LocalNetwork, LocalPort, RemotePort, Service, Uplinks, Wanted

NETWORK_KEY = "netweft-network"  # external_ids of a VIF's Port row: which network its tag stands for

KNOWN, UNKNOWN = 20, 10


def port(here: LocalPort) -> Iterator[Wanted]:
    """Its tag, who it is when it sends, and the way to it."""
    vlan, port_id = here.network.vlan, here.port.id
    yield VifTag(port_name=here.port_name, tag=vlan, external_ids=((NETWORK_KEY, here.port.network_id),))
    yield INT["classify"].flow(
        10,
        cookie(Reason.PORT_CLASSIFY, port_id),
        {"in_port": here.ofport, "vlan_vid": UNTAGGED},
        SetField(LOCAL_VLAN, vlan),
        INT["source_mac"].goto,
    )
    yield INT["switching"].flow(
        KNOWN,
        cookie(Reason.PORT_SWITCHING, port_id),
        {LOCAL_VLAN: vlan, "eth_dst": mac(here.port.mac_address)},
        SetField(OUT_PORT, here.ofport),
        INT["deliver"].goto,
    )
    yield INT["deliver"].flow(10, cookie(Reason.PORT_DELIVERY, port_id), {OUT_PORT: here.ofport}, Output(here.ofport))


def network(uplinks: Uplinks, here: LocalNetwork, flood: Flood) -> Iterator[Wanted]:
    """Flooding on both bridges, and the way between local VLAN and tunnel key."""
    overlay = here.tunnel_key is not None and uplinks.to_tun is not None
    copies = (*flood.ofports, *((uplinks.to_tun,) if overlay else ()))
    yield INT["switching"].flow(
        UNKNOWN,
        cookie(Reason.NETWORK_FLOOD, here.network.id),
        {LOCAL_VLAN: here.vlan},
        *(action for ofport in copies for action in _copy_to(ofport)),
    )
    if here.tunnel_key is None:
        return
    if uplinks.to_tun is not None:
        yield INT["classify"].flow(
            10,
            cookie(Reason.NETWORK_TUNNEL, here.network.id),
            {"in_port": uplinks.to_tun, "vlan_vid": tagged(here.vlan)},
            PopVlan(),
            SetField(LOCAL_VLAN, here.vlan),
            INT["switching"].goto,
        )
    if uplinks.to_int is not None:
        yield TUN["from_overlay"].flow(
            10,
            cookie(Reason.NETWORK_TUNNEL, here.network.id),
            {"tun_id": here.tunnel_key},
            PushVlan(),
            SetField("vlan_vid", tagged(here.vlan)),
            Output(uplinks.to_int),
        )
    if uplinks.overlay is not None and flood.tunnels:
        yield TUN["flood"].flow(
            10,
            cookie(Reason.NETWORK_FLOOD, here.network.id),
            {"vlan_vid": tagged(here.vlan)},
            *_encapsulate(here.tunnel_key, flood.tunnels, uplinks.overlay),
        )


def peer(uplinks: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    """To a peer on another node: past the ports here, then into the tunnel to its host."""
    here = there.network
    if here.tunnel_key is None or there.tunnel is None or uplinks.to_tun is None or uplinks.overlay is None:
        return
    eth_dst = mac(there.peer.mac_address)
    yield INT["switching"].flow(
        KNOWN,
        cookie(Reason.PEER_SWITCHING, there.peer.id),
        {LOCAL_VLAN: here.vlan, "eth_dst": eth_dst},
        SetField(OUT_PORT, uplinks.to_tun),
        INT["deliver"].goto,
    )
    yield TUN["to_peer"].flow(
        10,
        cookie(Reason.PEER_TUNNEL, there.peer.id),
        {"vlan_vid": tagged(here.vlan), "eth_dst": eth_dst},
        *_encapsulate(here.tunnel_key, (there.tunnel,), uplinks.overlay),
    )


def host(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """Towards the tunnel bridge a frame carries its local VLAN as 802.1Q tag."""
    if uplinks.to_tun is not None:
        yield INT["deliver"].flow(
            10,
            cookie(Reason.PIPELINE),
            {OUT_PORT: uplinks.to_tun},
            PushVlan(),
            Move(LOCAL_VLAN, "vlan_vid", bits=12),
            Output(uplinks.to_tun),
        )


def _copy_to(ofport: int) -> Iterator[Action]:
    """Through `deliver`, so that whatever guards a port guards it from flooded frames too."""
    yield SetField(OUT_PORT, ofport)
    yield INT["deliver"].resubmit


def _encapsulate(tunnel_key: int, tunnels: Iterable[Prefix], overlay: int) -> Iterator[Action]:
    yield PopVlan()
    yield SetField("tun_id", tunnel_key)
    for tunnel in tunnels:
        yield SetField(f"tun_ipv{tunnel.version}_dst", tunnel.value)
        yield Output(overlay)


SWITCHING = Service("switching", host=host, network=network, port=port, peer=peer)
