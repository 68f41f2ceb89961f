"""Segment types: what can carry a network's frames between hypervisors, as data.

A third party adds one as an entry point of the group `netweft.segments` that names a `SegmentType`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from netweft.settings import ServerSettings, SettingsError

ENTRY_POINTS = "netweft.segments"
ANY = "*"  # as a physical network: whichever an admin names
Range: TypeAlias = tuple[int, int]
Ranges: TypeAlias = Mapping[str, list[Range]]
"""Physical network ("" for a type that needs none) -> ids that plain users' networks get there."""

_IPV6_MORE = 20  # bytes of header, compared with IPv4


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentType:
    """ids: the segmentation ids there can be; None for a type that has none.
    on_physical_network: it needs one; each id there carries one network, or the whole of it does when there are no ids.
    overhead: bytes of the underlay's MTU that its headers take, over IPv4; 0 for a type that needs no underlay.
    cuts_to: the MTU that an admin may ask for, since it cuts and puts together itself; 0: what fits into a packet.
    overhead_with_ovn: what OVN's hosts add to that: an option of Geneve.
    ranges: what the settings say of its physical networks and ids.
    """

    name: str
    ids: Range | None = None
    on_physical_network: bool = False
    overhead: int = 0
    cuts_to: int = 0
    overhead_with_ovn: int = 0
    ranges: Callable[[ServerSettings], Ranges] = lambda settings: {}

    def scope(self, physical_network: str | None = None) -> str:
        """Where its ids are claimed, and the pool's name."""
        return f"segment:{self.name}:{physical_network or ''}"

    def most_mtu(self, settings: ServerSettings, physical_network: str | None) -> int:
        """The largest that may be requested, in bytes."""
        return max(self.cuts_to, self.mtu(settings, physical_network))

    def mtu(self, settings: ServerSettings, physical_network: str | None) -> int:
        """Of a network on such a segment, in bytes."""
        if self.overhead:
            more = _IPV6_MORE if settings.overlay_ip_version == 6 else 0
            more += self.overhead_with_ovn if settings.ovn_northbound else 0
            return settings.physical_mtu - self.overhead - more
        own = dict(text.rsplit(":", 1) for text in settings.physical_network_mtus)
        return int(own.get(physical_network or "", settings.physical_mtu))


def _vlan_ranges(settings: ServerSettings) -> Ranges:
    """A physical network without a range is there for admins, who give the id themselves."""
    result: dict[str, list[Range]] = {}
    for text in settings.vlan_ranges:
        physical, _, ids = text.partition(":")
        result.setdefault(physical, [])
        if ids:
            result[physical].append(_range("vlan_ranges", ids, VLAN))
    for ranges in result.values():
        _refuse_overlaps("vlan_ranges", ranges)
    return result


def _vni_ranges(name: str) -> Callable[[ServerSettings], Ranges]:
    """Those that name the type, else those that name none."""

    def ranges(settings: ServerSettings) -> Ranges:
        named = [text.removeprefix(f"{name}:") for text in settings.vni_ranges if text.startswith(f"{name}:")]
        common = [text for text in settings.vni_ranges if text.count(":") == 1]
        result = [_range("vni_ranges", text, TUNNELS[name]) for text in named or common]
        _refuse_overlaps("vni_ranges", result)
        return {"": result}

    return ranges


def _tunnel(name: str, bits: int, **values: Any) -> SegmentType:
    return SegmentType(name=name, ids=(1, 2**bits - 1), ranges=_vni_ranges(name), **values)


LOCAL = SegmentType(name="local")
FLAT = SegmentType(
    name="flat", on_physical_network=True, ranges=lambda settings: {name: [] for name in settings.flat_networks}
)
VLAN = SegmentType(name="vlan", ids=(1, 4094), on_physical_network=True, ranges=_vlan_ranges)
# The outer Ethernet header is not part of the MTU, the inner one is: 20 IPv4 + 8 UDP + 8 VXLAN or Geneve + 14;
# GRE is 20 IPv4 + 4 GRE + 4 key + 14; STT is 20 IPv4 + 20 that look like TCP + 18 STT + 14: larger frames are cut.
TUNNELS = {
    type.name: type
    for type in (
        _tunnel("vxlan", 24, overhead=50),
        _tunnel("gre", 32, overhead=42),
        _tunnel("geneve", 24, overhead=50, overhead_with_ovn=8),
        _tunnel("stt", 63, overhead=72, cuts_to=9000),
    )
}


def segment_types() -> Mapping[str, SegmentType]:
    """Ours and those installed beside us."""
    ours = {type.name: type for type in (LOCAL, FLAT, VLAN, *TUNNELS.values())}
    return {**ours, **_installed()}


@cache
def _installed() -> Mapping[str, SegmentType]:
    types: list[SegmentType] = [point.load() for point in entry_points(group=ENTRY_POINTS)]
    return {type.name: type for type in types}


def _range(setting: str, text: str, type: SegmentType) -> Range:
    first, _, last = text.partition(":")
    found = (int(first), int(last))
    assert type.ids is not None
    if not type.ids[0] <= found[0] <= found[1] <= type.ids[1]:
        raise SettingsError(f"{setting}: {text} is no range within {type.ids[0]} to {type.ids[1]} ({type.name})")
    return found


def _refuse_overlaps(setting: str, ranges: Iterable[Range]) -> None:
    before = (0, 0)
    for range in sorted(ranges):
        if range[0] <= before[1]:
            raise SettingsError(f"{setting}: {range[0]}:{range[1]} overlaps {before[0]}:{before[1]}")
        before = range
