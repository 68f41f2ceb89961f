"""How many connections a conntrack zone may have: so many that no honest tenant has them, and never what is left.

A flood of new connections stays in its zones: those of the networks and routers that it goes through.  Each may have as
many as `conntrack_zone_limit` says, but an eighth of all at most, and no more than there is room for.  So that, however
many zones are flooded, one more can have as many as the largest of them has (the threshold of shared buffers: Choudhury
and Hahne, Dynamic Queue Length Thresholds for Shared-Memory Packet Switches, 1998).

In the kernel's datapath a limit costs what ovs-vswitchd's own does not: Linux walks through all connections of a zone
that has one for each new connection of it (nf_conncount.c).  There zones have limits while conntrack fills, and no
large ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from netweft.dataplane.unixctl.zone_limits import Zone
from netweft.services.fields import BALANCED_ZONE, LED_ZONE, PIECES_ZONE
from netweft.services.metadata import ends

LEAST: Final = 100
SHARE: Final = 8  # a flood fills several zones before it is looked again
WALKED: Final = 16_384  # a zone of the kernel's may have no more, while it has a limit
FILLS, EASED = 2, 4  # these parts of conntrack: from the one on zones of the kernel's have limits, below the other none
AHEAD: Final = 2  # times what came since the last look: so much more comes until limits are in place
APART: Final = 10  # a limit that is within a tenth of what it should be stays
NODE: Final = ("node", "")  # whose the zone of the metadata service is

Owner = tuple[str, str]  # kind and id of what the zone's connections go through


def limit(most: int, tracked: int, setting: int) -> int:
    """Of each zone.  most, tracked: connections, of all zones."""
    return max(LEAST, min(setting, most // SHARE, most - tracked))


def limit_in_kernel(most: int, tracked: int, setting: int, *, standing: bool, grown: int = 0) -> int:
    """Likewise; 0 for none.  most: 0 for any number, as of Linux.  standing: whether zones have limits now.  grown: how
    many have come since the last look."""
    reached = tracked * EASED if standing else (tracked + AHEAD * grown) * FILLS
    if not most or reached < most:
        return 0
    return limit(most, tracked, min(setting, WALKED))


def zones_of(networks: Mapping[str, int], routers: Mapping[int, str]) -> dict[int, Owner]:
    """networks: their local VLANs.  routers: whose NAT is in which zone."""
    found: dict[int, Owner] = {ends.ZONE: NODE}
    for network_id, vlan in networks.items():
        found[vlan] = found[vlan | BALANCED_ZONE] = found[vlan | LED_ZONE] = ("network", network_id)
    for zone, router_id in routers.items():
        found[zone] = found[zone | PIECES_ZONE] = ("router", router_id)
    return found


def wanting(there: Iterable[Zone], wanted: int) -> dict[int, int]:
    """The limits to be set, by zone; 0 for those to be taken away."""
    return {zone.number: wanted for zone in there if abs(zone.limit - wanted) * APART > wanted}


def crowded(there: Iterable[Zone], zones: Mapping[int, Owner]) -> Iterator[Owner]:
    """Whose zones take no more."""
    full = {zone.number for zone in there if 0 < zone.limit <= zone.tracked}
    return iter(sorted({zones[number] for number in full & zones.keys()}))


def is_flooded(there: Iterable[Zone], limit: int) -> bool:
    """The one zone of all VMs that ask their node for anything: while there still is room for others."""
    return any(zone.number == ends.ZONE and zone.tracked * 2 > limit for zone in there)


def problems(crowded: Iterable[Owner]) -> Iterator[str]:
    for kind, id in crowded:
        whose = f"{kind} {id}" if id else "the metadata service"
        yield f"{whose}: as many connections as may be here for one, new ones are refused"
