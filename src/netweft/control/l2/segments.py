"""Which segments carry a network: what an admin asks for, else the first type for plain users that has an id left."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from netweft.control.errors import BadRequest, Conflict, Exhausted, InvalidInput, Refused
from netweft.control.l2.segment_ranges import SegmentRanges
from netweft.plugins.segments import ANY, SegmentType
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Claim, Object, ReadTransaction, Taken, WriteTransaction

TYPE, PHYSICAL, ID = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
PROVIDER = (TYPE, PHYSICAL, ID)
_WHOLE = "untagged"  # claimed by the network that has all of a physical network


class NoNetworkAvailable(Exhausted):
    message = "Unable to create the network. No tenant network is available for allocation."


class VlanIdInUse(Conflict):
    message = "Unable to create the network. The VLAN %(vlan_id)s on physical network %(physical_network)s is in use."


class FlatNetworkInUse(Conflict):
    message = "Unable to create the flat network. Physical network %(physical_network)s is in use."


class TunnelIdInUse(Conflict):
    message = "Unable to create the network. The tunnel ID %(tunnel_id)s is in use."


class SegmentsSetInConjunctionWithProviders(BadRequest):
    message = "Segments and provider values cannot both be set."


class SegmentsContainDuplicateEntry(BadRequest):
    message = "Duplicate segment entry in request."


class Segment(NamedTuple):
    type: SegmentType
    physical: str | None = None
    id: int | None = None

    def attributes(self) -> Object:
        return {TYPE: self.type.name, PHYSICAL: self.physical, ID: self.id}

    def claims(self) -> list[Claim]:
        if self.id is not None:
            return [Claim(self.type.scope(self.physical), str(self.id))]
        return [Claim(self.type.scope(self.physical), _WHOLE)] if self.type.on_physical_network else []


class Segments:
    def __init__(self, settings: ServerSettings, types: Mapping[str, SegmentType], ranges: SegmentRanges) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._types = types
        self._ranges = ranges
        self._physical_networks = {type.name: type.ranges(settings).keys() for type in types.values()}
        unknown = [name for name in settings.tenant_network_types if name not in types]
        if unknown:
            raise SettingsError(f"tenant_network_types: there is no segment type {', '.join(unknown)}")

    def choose(self, tx: WriteTransaction, wanted: Object) -> list[Segment]:
        """For a new network; what is requested comes out of the pools, but is not claimed yet."""
        self._ranges.keep(tx)
        asked = self._asked(wanted)
        if not asked:
            return [self._for_tenant(tx, wanted["project_id"])]
        for segment in asked:
            self._check(tx, segment)
        full = [segment for segment in asked if segment.id is not None or segment.type.ids is None]
        if len(full) != len(set(full)):
            raise SegmentsContainDuplicateEntry()
        return [self._take(tx, segment, wanted["project_id"]) for segment in asked]

    def moved(self, tx: WriteTransaction, current: Object, id: int) -> Segment:
        """Where a network goes when it gets another id."""
        self._ranges.keep(tx)
        segment = Segment(self._types[current[TYPE]], current[PHYSICAL], id)
        self._check(tx, segment)
        return self._take(tx, segment, current["project_id"])

    def of(self, network: Object) -> list[Segment]:
        """Of a network that is there."""
        return [Segment(self._types[s[TYPE]], s[PHYSICAL], s[ID]) for s in network.get("segments") or [network]]

    def mtu(self, segments: Iterable[Segment]) -> int:
        """What passes on all of them."""
        return min(segment.type.mtu(self._settings, segment.physical) for segment in segments)

    def most_mtu(self, segments: Iterable[Segment]) -> int:
        """What may be requested."""
        return min(segment.type.most_mtu(self._settings, segment.physical) for segment in segments)

    def _asked(self, wanted: Object) -> list[Segment]:
        given = any(wanted.get(name) is not None for name in PROVIDER)
        if given and wanted.get("segments"):
            raise SegmentsSetInConjunctionWithProviders()
        return [self._parsed(one) for one in ([wanted] if given else wanted.get("segments") or [])]

    def _parsed(self, wanted: Object) -> Segment:
        name = wanted.get(TYPE)
        if name is None:
            raise InvalidInput("network_type required")
        if name not in self._types:
            raise InvalidInput(f"network_type value '{name}' not supported")
        return Segment(self._types[name], wanted.get(PHYSICAL), wanted.get(ID))

    def _check(self, tx: ReadTransaction, segment: Segment) -> None:
        """In Neutron's words."""
        type, physical, id = segment
        if physical is not None:
            if not type.on_physical_network:
                raise InvalidInput(f"provider:physical_network specified for {type.name} network")
            known = self._physical_networks[type.name]
            if ANY not in known and physical not in known and not self._ranges.has(tx, type, physical):
                raise InvalidInput(f"physical_network '{physical}' unknown for {type.name} provider network")
        elif type.on_physical_network and type.ids is None:
            raise InvalidInput(f"physical_network required for {type.name} provider network")
        elif type.on_physical_network and id is not None:
            raise InvalidInput(f"segmentation_id requires physical_network for {type.name} provider network")
        if id is None:
            return
        if type.ids is None:
            raise InvalidInput(f"segmentation_id prohibited for {type.name} provider network")
        if not type.ids[0] <= id <= type.ids[1]:
            raise InvalidInput(f"segmentation_id out of range ({type.ids[0]} through {type.ids[1]})")

    def _take(self, tx: WriteTransaction, segment: Segment, project_id: str) -> Segment:
        type, physical, id = segment
        if type.ids is None:
            return segment
        if id is not None:
            tx.pools.take_exactly(type.scope(physical), id)
            return segment
        drawn = self._ranges.draw(tx, type, physical, project_id)
        if drawn is None:
            raise NoNetworkAvailable()
        return Segment(type, *drawn)

    def _for_tenant(self, tx: WriteTransaction, project_id: str) -> Segment:
        for name in self._settings.tenant_network_types:
            type = self._types[name]
            if type.ids is None and not type.on_physical_network:
                return Segment(type)
            drawn = self._ranges.draw(tx, type, None, project_id)
            if drawn is not None:
                return Segment(type, *drawn)
        raise NoNetworkAvailable()


def shown(segments: Sequence[Segment]) -> Object:
    """As a network has them: its own attributes when there is one segment, else a list."""
    if len(segments) == 1:
        return segments[0].attributes()
    return {"segments": [segment.attributes() for segment in segments]}


def refusal(taken: Taken) -> Refused:
    """For a segment that another network has."""
    physical = taken.scope.split(":", 2)[2]
    if taken.value == _WHOLE:
        return FlatNetworkInUse(physical_network=physical)
    if physical:
        return VlanIdInUse(vlan_id=taken.value, physical_network=physical)
    return TunnelIdInUse(tunnel_id=taken.value)
