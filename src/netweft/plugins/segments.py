"""Segment types: what can carry a network's frames between hypervisors, as data.

A third party adds one as an entry point of the group `netweft.segments` that names a `SegmentType`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from netweft.settings import ServerSettings

ENTRY_POINTS = "netweft.segments"
Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentType:
    """ids: the segmentation ids there can be; None for a type that has none.
    on_physical_network: it needs one, and ids are unique per physical network.
    overhead: bytes it takes from the physical MTU.
    tenant_ids: ranges that tenants' networks get their id from.
    """

    name: str
    ids: Range | None = None
    on_physical_network: bool = False
    overhead: int = 0
    tenant_ids: Callable[[ServerSettings], list[Range]] = lambda settings: []

    def scope(self, physical_network: str | None = None) -> str:
        """Where its ids are claimed, and the pool's name."""
        return f"segment:{self.name}:{physical_network or ''}"


def parse_ranges(texts: tuple[str, ...]) -> list[Range]:
    """`("1:100", "200")`.  Raises ValueError."""
    ranges = []
    for text in texts:
        first, _, last = text.partition(":")
        ranges.append((int(first), int(last or first)))
    return ranges


# outer Ethernet is not part of the MTU; the inner Ethernet header is: 20 IPv4 + 8 UDP + 8 VXLAN + 14
VXLAN = SegmentType(
    name="vxlan", ids=(1, 2**24 - 1), overhead=50, tenant_ids=lambda settings: parse_ranges(settings.vni_ranges)
)
LOCAL = SegmentType(name="local")


def segment_types() -> Mapping[str, SegmentType]:
    """Ours and those installed beside us."""
    found = {ours.name: ours for ours in (LOCAL, VXLAN)}
    for point in entry_points(group=ENTRY_POINTS):
        theirs: SegmentType = point.load()
        found[theirs.name] = theirs
    return found
