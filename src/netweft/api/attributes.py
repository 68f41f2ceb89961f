"""What describes a resource: its attributes and its use cases; `rules` says who may do what.  Data, no behaviour.

A plain resource is one `Resource`; the generic handlers do the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from netweft.control.errors import NotFound
from netweft.control.standard import UseCases
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

Check: TypeAlias = Callable[[Any], Any]
"""The value as it is kept.  Raises checks.Invalid."""


class Unset(Enum):
    """`REQUIRED`: must be in a POST.  `UNSET`: left to the use case when it is not."""

    REQUIRED = "required"
    UNSET = "unset"


REQUIRED: Final = Unset.REQUIRED
UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """check: of values in bodies.  parse: of values in query strings, which are texts.
    show: makes of the value that is kept the one in answers, where these differ.
    stand_in: what those are shown who may not see it; else it is not there for them.
    """

    check: Check
    post: bool = False
    put: bool = False
    default: Any = UNSET
    filter: bool = False
    sort: bool = False
    parse: Callable[[str], Any] = str
    show: Callable[[Any], Any] | None = None
    stand_in: Callable[[Any], Any] | None = None


BeforeList: TypeAlias = Callable[[Context, Mapping[str, Sequence[Any]]], None]


Refuse: TypeAlias = Callable[[ReadTransaction, Context, Object | None, Object | None], None]


def as_it_is(tx: ReadTransaction, objects: Sequence[Object]) -> Sequence[Object]:
    return objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """member, collection: their names in bodies; in paths `_` becomes `-`, but for `keeps_underscores`.
    prefix: what stands before that in paths.
    present: adds what is not kept with the object but belongs to it in an answer.
    before_list: makes what has to be there before a list with these filters; a use case.
    after: called, in any thread, when one may have been changed, once it is.
    refuse: raises for what only some may do to an object, though the rules let them: given the object, if there is one
        yet, and what is requested, if it is not to go.
    refuse_delete: raises for what only an admin may delete, once nothing else is in the way.
    shared_as: by which attribute, of itself or of what it hangs on, and as which kind it is shared by RBAC entries.
    quota: how many a project may have, unless an admin says otherwise; None for as many as it likes.
    computed: attributes that only `present` knows, so that filters on them work on the result.
    """

    member: str
    collection: str
    attributes: Mapping[str, Attribute]
    use_cases: UseCases
    not_found: type[NotFound]
    present: Callable[[ReadTransaction, Sequence[Object]], Sequence[Object]] = as_it_is
    before_list: BeforeList | None = None
    after: Callable[[], None] | None = None
    refuse: Refuse | None = None
    refuse_delete: Callable[[Object], None] | None = None
    shared_as: tuple[str, str] | None = None
    quota: int | None = None
    computed: frozenset[str] = frozenset()
    keeps_underscores: bool = False
    prefix: str = ""
    actions: frozenset[str] = field(default=frozenset({"create", "update", "delete"}))

    @property
    def path(self) -> str:
        return self.prefix + (self.collection if self.keeps_underscores else self.collection.replace("_", "-"))
