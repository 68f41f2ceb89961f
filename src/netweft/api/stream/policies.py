"""Who sees what of which kind, for the feed: Networking's resources by its rules, load balancing's by its own."""

from collections.abc import Sequence

from netweft.api.attributes import Resource
from netweft.api.lb import policy
from netweft.api.lb.descriptions import KINDS
from netweft.api.policy import Policy
from netweft.api.relations import Filters
from netweft.api.stream.sight import Seen
from netweft.plugins.identity import Context
from netweft.store import ReadTransaction


class Balanced:
    def visible(self, tx: ReadTransaction, context: Context) -> Sequence[Filters]:
        return policy.visible(context)


def policies(resources: Sequence[Resource]) -> dict[str, Seen]:
    """By the kind of the objects."""
    found: dict[str, Seen] = {resource.collection: Policy(resource) for resource in resources}
    return found | {kind.kind: Balanced() for kind in KINDS}
