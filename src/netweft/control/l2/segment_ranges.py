"""Ranges of segmentation ids: whose networks get theirs from where.

The settings' ranges are the default ones: for everybody, and not to be changed.  Admins add others, for everybody or
for one project; a project's range is taken out of those for everybody.  Which numbers are free, the store's pools know.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from netweft.control.errors import BadRequest, Conflict, NotFound
from netweft.control.standard import born, bumped
from netweft.plugins.segments import Range, SegmentType
from netweft.settings import ServerSettings
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

KIND = "network_segment_ranges"
MOST_SHOWN = 4096  # of the available ids of one range: all VLANs of a physical network
_TURN = "segment ranges"
_DEFAULTS = uuid.UUID("6e657477-6566-7472-616e-676573000000")


class NetworkSegmentRangeNotFound(NotFound):
    message = "Network Segment Range %(id)s could not be found."


class NetworkSegmentRangeNetTypeNotSupported(BadRequest):
    message = "Network type %(type)s does not support network segment ranges."


class NetworkSegmentRangeDefaultReadOnly(BadRequest):
    message = "Network Segment Range %(range_id)s is a default segment range which could not be updated or deleted."


class PhysicalNetworkRequired(BadRequest):
    message = (
        "Bad network_segment_range request: "
        "Network type %(type)s requires 'physical_network' to be specified while creating new range."
    )
    type = "BadRequest"


class NetworkVlanRangeError(BadRequest):
    message = "Invalid network VLAN range: '%(range)s' - '%(error)s'."


class NetworkTunnelRangeError(BadRequest):
    message = "Invalid network tunnel range: '%(range)s' - '%(error)s'."


class NetworkSegmentRangeOverlaps(Conflict):
    message = "Network segment range overlaps with range(s) with id %(range_id)s"


class NetworkSegmentRangeReferencedByProject(Conflict):
    message = "Network Segment Range %(range_id)s is referenced by one or more tenant networks."


class SegmentRanges:
    """The use cases of the API's resource, and `draw` for whoever needs an id."""

    def __init__(self, settings: ServerSettings, types: Mapping[str, SegmentType]) -> None:
        self._types = types
        self._defaults = {
            range["id"]: range for type in types.values() if type.ids for range in _default_ranges(type, settings)
        }

    def prepare(self, tx: WriteTransaction) -> None:
        """Once at start: the default ranges, as the settings now say."""
        tx.take_turns(_TURN)
        kept = {range["id"]: range for range in tx.query(KIND, Query({"default": [True]}))}
        for id in kept.keys() - self._defaults.keys():
            tx.delete(KIND, id)
        for id in self._defaults.keys() - kept.keys():
            tx.insert(KIND, born(self._defaults[id]))
        for range in (kept | self._defaults).values():
            self._fill_pool(tx, range)

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        tx.take_turns(_TURN)
        return [self._create(tx, one) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        tx.take_turns(_TURN)  # no network is getting an id meanwhile
        _refuse_default(current)
        after = current | changes
        self._check(tx, after)
        if any(not _holds(after, number) for number in self._used(tx, current)):
            raise NetworkSegmentRangeReferencedByProject(range_id=current["id"])
        updated = tx.update(KIND, current["id"], bumped(current, changes))
        self._fill_pool(tx, updated)
        return updated

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.take_turns(_TURN)  # no network is getting an id meanwhile
        _refuse_default(current)
        if self._used(tx, current):
            raise NetworkSegmentRangeReferencedByProject(range_id=current["id"])
        tx.delete(KIND, current["id"])
        self._fill_pool(tx, current)

    def with_use(self, tx: ReadTransaction, ranges: Sequence[Object]) -> list[Object]:
        """Each with the ids that its networks have, and for which projects; and with the lowest that are free."""
        used = [self._used(tx, range) for range in ranges]
        networks = tx.get_many("networks", {id for numbers in used for id in numbers.values()})
        return [
            range
            | {
                "used": {str(number): networks[id]["project_id"] for number, id in sorted(numbers.items())},
                "available": list(islice((number for number in _numbers(range) if number not in numbers), MOST_SHOWN)),
            }
            for range, numbers in zip(ranges, used, strict=True)
        ]

    def keep(self, tx: WriteTransaction) -> None:
        """All ranges stay as they are until this transaction ends."""
        tx.take_turns(_TURN, shared=True)

    def draw(
        self, tx: WriteTransaction, type: SegmentType, physical: str | None, project_id: str
    ) -> tuple[str | None, int] | None:
        """The lowest free id for a project's network, with its physical network: from the project's own ranges, else
        from those for everybody.  physical: None for any."""
        found = self._of(tx, type.name)
        ranges = [range for range in found if physical is None or range["physical_network"] == physical]
        owned = [range for range in ranges if not range["shared"]]
        mine = [(range, [_bounds(range)]) for range in owned if range["project_id"] == project_id]
        common = [(range, list(_less(range, owned))) for range in ranges if range["shared"]]
        for range, parts in mine + common:
            for part in parts:
                number = tx.pools.take_within(type.scope(range["physical_network"]), part)
                if number is not None:
                    return range["physical_network"], number
        return None

    def has(self, tx: ReadTransaction, type: SegmentType, physical: str) -> bool:
        """Whether there is a range on this physical network."""
        return any(range["physical_network"] == physical for range in self._of(tx, type.name))

    def _create(self, tx: WriteTransaction, wanted: Object) -> Object:
        type = self._types.get(wanted.get("network_type", ""))
        if type is None or type.ids is None:
            raise NetworkSegmentRangeNetTypeNotSupported(type=wanted.get("network_type"))
        if type.on_physical_network and not wanted.get("physical_network"):
            raise PhysicalNetworkRequired(type=type.name)
        range = born(
            wanted,
            default=False,
            physical_network=wanted["physical_network"] if type.on_physical_network else None,
            project_id=None if wanted["shared"] else wanted["project_id"],
        )
        self._check(tx, range)
        tx.insert(KIND, range)
        self._fill_pool(tx, range)
        return range

    def _check(self, tx: ReadTransaction, range: Object) -> None:
        type = self._types[range["network_type"]]
        refusal = NetworkVlanRangeError if type.on_physical_network else NetworkTunnelRangeError
        shown = f"{range['minimum']}:{range['maximum']}"
        if range["minimum"] > range["maximum"]:
            raise refusal(range=shown, error="End of range is less than start of range")
        assert type.ids is not None
        if range["minimum"] < type.ids[0] or range["maximum"] > type.ids[1]:
            raise refusal(range=shown, error=f"{type.name} ids are {type.ids[0]} to {type.ids[1]}")
        others = [other for other in self._beside(tx, range) if not other["default"] and other["id"] != range["id"]]
        overlapping = [other["id"] for other in others if _overlap(other, range)]
        if overlapping:
            raise NetworkSegmentRangeOverlaps(range_id=", ".join(overlapping))

    def _fill_pool(self, tx: WriteTransaction, range: Object) -> None:
        """What there is to draw from, now that this range is new, other or gone."""
        scope = self._types[range["network_type"]].scope(range["physical_network"])
        tx.pools.define(scope, _merged(_bounds(each) for each in self._beside(tx, range)))

    def _used(self, tx: ReadTransaction, range: Object) -> dict[int, str]:
        """id -> the network that has it."""
        held = tx.held(self._types[range["network_type"]].scope(range["physical_network"]))
        return {int(value): id for value, (_, id) in held.items() if _holds(range, int(value))}

    def _beside(self, tx: ReadTransaction, range: Object) -> list[Object]:
        """All of the same type and physical network, this one too if it is there."""
        found = self._of(tx, range["network_type"])
        return [other for other in found if other["physical_network"] == range["physical_network"]]

    def _of(self, tx: ReadTransaction, type: str) -> list[Object]:
        found = tx.query(KIND, Query({"network_type": [type]}))
        return sorted(found, key=lambda range: (range["physical_network"] or "", range["minimum"], range["id"]))


def _default_ranges(type: SegmentType, settings: ServerSettings) -> Iterator[Object]:
    for physical, bounds in type.ranges(settings).items():
        for first, last in bounds:
            yield {
                "id": str(uuid.uuid5(_DEFAULTS, f"{type.name}:{physical}:{first}:{last}")),  # the same at each start
                "name": "",
                "description": "",
                "default": True,
                "shared": True,
                "project_id": None,
                "network_type": type.name,
                "physical_network": physical or None,
                "minimum": first,
                "maximum": last,
            }


def _bounds(range: Object) -> Range:
    return range["minimum"], range["maximum"]


def _numbers(bounded: Object) -> range:
    return range(bounded["minimum"], bounded["maximum"] + 1)


def _holds(range: Object, number: int) -> bool:
    return bool(range["minimum"] <= number <= range["maximum"])


def _overlap(one: Object, other: Object) -> bool:
    return bool(one["minimum"] <= other["maximum"] and other["minimum"] <= one["maximum"])


def _merged(ranges: Iterable[Range]) -> list[Range]:
    """Overlapping and neighbouring ones joined."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result


def _less(range: Object, owned: Iterable[Object]) -> Iterator[Range]:
    """What projects' own ranges on the same physical network leave of it."""
    first, last = _bounds(range)
    taken = _merged(_bounds(other) for other in owned if other["physical_network"] == range["physical_network"])
    for start, end in taken:
        if first <= min(start - 1, last):
            yield first, min(start - 1, last)
        first = max(first, end + 1)
    if first <= last:
        yield first, last


def _refuse_default(range: Object) -> None:
    if range["default"]:
        raise NetworkSegmentRangeDefaultReadOnly(range_id=range["id"])
