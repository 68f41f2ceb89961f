"""Which packets of this node's own are no connections: those of its tunnels.

Where Open vSwitch forwards in the kernel, a tunnel's packets are the host's, and the module itself makes the host track
its connections: each connection of a VM to another node took a second place in that table, outside of every zone that
has a limit, and a flood of them through one network took the place of all others.
"""

from typing import Final

from msgspec import Struct

from netweft.dataplane.stt.values import PORT
from netweft.services.addresses import Prefix, endpoint
from netweft.services.values import HostFacts

_UDP, _TCP, _GRE = 17, 6, 47
_CARRIED_BY: Final = {"vxlan": (_UDP, 4789), "geneve": (_UDP, 6081), "stt": (_TCP, PORT), "gre": (_GRE, None)}


class Untracked(Struct, frozen=True):
    """address: the tunnels' own.  carried_by: IP protocols, each with the port that it is for."""

    address: Prefix
    carried_by: tuple[tuple[int, int | None], ...]


def untracked(host: HostFacts) -> Untracked | None:
    own = endpoint(host.tunnel_ip)
    if host.datapath_type != "system" or own is None or not host.tunnel_types:
        return None
    return Untracked(own, tuple(_CARRIED_BY[name] for name in host.tunnel_types if name in _CARRIED_BY))
