"""STT: no Open vSwitch carries it, so a process of ours does (`dataplane/stt`), at the other end of a veth pair.

    br-tun ── stt-overlay ══ stt-carrier ── the carrier ── TCP-like packets, port 7471 ── other nodes

What other tunnel ports get in the packet's metadata, tags carry here.  To the carrier a frame has two: the outer one
says which peers it is for, the inner one is the network's local VLAN.  From it a frame comes with its local VLAN.

The outer tag is a hash of the peer's address, so that Open vSwitch and the carrier agree without any exchange, over
restarts, too.  Peers with one hash all get what is for one of them: who does not have the network drops it, who has it
does not have the MAC, and `switching` gives nothing back to the overlay.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from netweft.dataplane.host.values import VethPair
from netweft.dataplane.openflow.flow import Action, Output, PushVlan, SetField
from netweft.dataplane.stt.values import CARRIED, SttNetwork
from netweft.services.addresses import Prefix
from netweft.services.fields import tagged
from netweft.services.l2.bridges import LINK_MTU, overlay_port, port_row
from netweft.services.service import Service, Wanted
from netweft.services.values import Flood, LocalNetwork, Uplinks

TYPE: Final = "stt"
_TAGS: Final = 4094  # 1 to this


def tag_of(peer: Prefix) -> int:
    """The outer tag of what is for the node with this tunnel address."""
    return 1 + int.from_bytes(hashlib.blake2s(f"{peer.version} {peer.value}".encode(), digest_size=4).digest()) % _TAGS


def to_carrier(peers: Iterable[Prefix], overlay: int) -> Iterator[Action]:
    """Of a frame with its local VLAN as tag."""
    yield PushVlan()
    for tag in sorted(set(map(tag_of, peers))):
        yield SetField("vlan_vid", tagged(tag))
        yield Output(overlay)


def network(uplinks: Uplinks, here: LocalNetwork, _: Flood) -> Iterator[Wanted]:
    """All of them want the same port: it is there as long as one is."""
    if here.segment.network_type != TYPE:
        return
    yield VethPair(overlay_port(TYPE), CARRIED, mtu=LINK_MTU, offloads=uplinks.offloads)
    yield port_row(overlay_port(TYPE), uplinks.tunnel_bridge)
    yield SttNetwork(vlan=here.vlan, key=here.segment.segmentation_id or 0)


STT = Service("stt", network=network)
