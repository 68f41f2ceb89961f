"""Who sees what of which kind, for the feed, and as what: Networking's resources, and load balancing's."""

from collections.abc import Sequence

from netweft.api.attributes import Resource
from netweft.api.lb import policy, views
from netweft.api.lb.descriptions import KINDS, Kind
from netweft.api.policy import Policy
from netweft.api.relations import Filters
from netweft.api.service import Service
from netweft.api.stream.reading import Told
from netweft.api.stream.sight import Seen
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store


class Balanced:
    def visible(self, tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        return policy.visible(context)

    def may_see(self, tx: ReadTransaction, context: Context, row: Object) -> bool:
        return policy.may_read(context, row.get("project_id"))


class Views:
    """A kind of load balancing's, as its API shows it."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def shown(self, tx: ReadTransaction, context: Context, objects: Sequence[Object]) -> list[Object]:
        return views.told(tx, self._kind, objects)


def told(resources: Sequence[Resource], store: Store) -> dict[str, Told]:
    """All that the feed over HTTP tells of, by the kind of the objects."""
    found = {one.collection: Told(Service(one, store), Policy(one)) for one in resources}
    return found | {kind.kind: Told(Views(kind), Balanced()) for kind in KINDS}


def policies(resources: Sequence[Resource]) -> dict[str, Seen]:
    """By the kind of the objects."""
    found: dict[str, Seen] = {resource.collection: Policy(resource) for resource in resources}
    return found | {kind.kind: Balanced() for kind in KINDS}
