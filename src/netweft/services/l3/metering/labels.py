"""Which metering labels are for whom, and as routers work with them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from netweft.model import MeteringLabel, Object, Router
from netweft.model.metering import SHARED
from netweft.reconcile.memo import Fact, Reader
from netweft.services.l3.values import LocalLabel
from netweft.services.numbers import Numbers

DIRECTIONS: Final = ("ingress", "egress")
MOST: Final = 100  # of one router: each is evaluated for each of its packets


class Labels:
    """Facts: ("labels", project, or SHARED) -> the ids of its labels that have rules, sorted;
    ("label number", id, direction) -> its number on this node."""

    of: Final = (MeteringLabel,)

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._of: defaultdict[str, set[str]] = defaultdict(set)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        places: list[str] = []
        for label, step in ((after, 1), (before, -1)):
            if not isinstance(label, MeteringLabel):
                continue
            for direction in DIRECTIONS:
                for name, number in self._numbers.use(f"{label.id} {direction}", step).items():
                    yield ("label number", *name.split(" ")), number
        for label, keep in ((before, False), (after, True)):
            if isinstance(label, MeteringLabel) and label.rules:
                (self._of[label.metered].add if keep else self._of[label.metered].discard)(label.id)
                places.append(label.metered)
        for place in dict.fromkeys(places):
            yield ("labels", place), tuple(sorted(self._of[place])) or None


def labels_of(read: Reader, router: Router) -> Iterator[LocalLabel]:
    ids = {*(read.get(("labels", router.project_id)) or ()), *(read.get(("labels", SHARED)) or ())}
    for id in sorted(ids)[:MOST]:
        numbers = {direction: read.get(("label number", id, direction)) for direction in DIRECTIONS}
        yield LocalLabel(label=read.get(("metering_label", id)), numbers=numbers)
