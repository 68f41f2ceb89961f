"""From a source and settings to outcomes: really, or on a copy of the database."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext

from netweft.api.app import resources
from netweft.control.security.security_groups import SecurityGroups
from netweft.importing.cloud import Cloud
from netweft.importing.take_over import Outcome, TakeOver
from netweft.server.run import open_store
from netweft.settings import ServerSettings
from netweft.store import Store
from netweft.store.copying import copied


def taken_over(cloud: Cloud, settings: ServerSettings, *, dry_run: bool) -> Iterator[Outcome]:
    """dry_run: nothing is written but to a copy.  Raises StateError."""
    with closing(open_store(settings)) as store:
        tried: AbstractContextManager[Store] = copied(store) if dry_run else nullcontext(store)
        with tried as into:
            yield from TakeOver(into, resources(into, settings), SecurityGroups()).run(cloud)
