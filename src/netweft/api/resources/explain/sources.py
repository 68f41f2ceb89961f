"""What explain and trace tell of: the rows, who sees which of them, how far nodes are behind, and nodes themselves."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from netweft.api.attributes import Resource
from netweft.api.policy import Policy
from netweft.api.resources.explain.node_answers import Asks
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.explain.snapshot import Lag
from netweft.settings import ServerSettings
from netweft.store import Store

Lags: TypeAlias = Callable[[], Mapping[str, Lag]]


class Sources:
    """lags: of nodes behind the feed; called in the event loop.  asks: queries nodes; None: nobody does, and the
    rows are all that is looked at.  types: the members' names by those of their collections, by which policies are,
    too."""

    def __init__(
        self,
        resources: Sequence[Resource],
        store: Store,
        settings: ServerSettings,
        lags: Lags,
        asks: Asks | None = None,
    ) -> None:
        self.store, self.run = store, Run(store)
        self.down_seconds, self.lags, self.asks = settings.agent_down_seconds, lags, asks
        self.by_member = {resource.member: resource for resource in resources}
        self.types = {resource.collection: resource.member for resource in resources}
        self.policies = {resource.collection: Policy(resource) for resource in resources}

    def service(self, member: str) -> Service:
        return Service(self.by_member[member], self.store)
