"""What describes a resource: its attributes, who may do what with it, and its use cases.  Data, no behaviour.

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


class Who(Enum):
    """From the least to the most demanding.  An admin may do everything."""

    READER = "reader"
    MEMBER = "member"
    NETWORK_OWNER = "network_owner"  # a member of the project that the network belongs to
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """check: of values in bodies.  parse: of values in query strings, which are texts.
    set_by: who may give a guarded value: any that is not the default, unless `guarded` says which.
    seen_by: READER or ADMIN.
    show: makes of the value that is kept the one in answers, where these differ.
    """

    check: Check
    post: bool = False
    put: bool = False
    default: Any = UNSET
    filter: bool = False
    sort: bool = False
    set_by: Who = Who.MEMBER
    guarded: Callable[[Any], bool] | None = None
    seen_by: Who = Who.READER
    parse: Callable[[str], Any] = str
    show: Callable[[Any], Any] | None = None


Visibility: TypeAlias = Callable[[ReadTransaction, Context], Sequence[Mapping[str, Sequence[Any]]]]
"""What somebody who is no admin may see: objects that match one of these filters."""


def own(tx: ReadTransaction, context: Context) -> Sequence[Mapping[str, Sequence[Any]]]:
    """What belongs to the caller's project."""
    return [{"project_id": [context.project_id]}]


def nothing(tx: ReadTransaction, context: Context) -> Sequence[Mapping[str, Sequence[Any]]]:
    return []


def everything(tx: ReadTransaction, context: Context) -> Sequence[Mapping[str, Sequence[Any]]]:
    return [{}]


def as_it_is(tx: ReadTransaction, objects: Sequence[Object]) -> Sequence[Object]:
    return objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """member, collection: their names in bodies; in paths `_` becomes `-`, but for `keeps_underscores`.
    prefix: what stands before that in paths.
    visible: to whom, besides admins.  create_by: NETWORK_OWNER for what lives on a network and takes from it.
    owned_through_network: the network's owner may do what the owner may.
    present: adds what is not kept with the object but belongs to it in an answer.
    before_list: makes what must be there when somebody looks; a use case.
    refuse_delete: raises for what only an admin may delete, once nothing else is in the way.
    quota: how many a project may have, unless an admin says otherwise; None for as many as it likes.
    computed: attributes that only `present` knows, so that filters on them work on the result.
    """

    member: str
    collection: str
    attributes: Mapping[str, Attribute]
    use_cases: UseCases
    not_found: type[NotFound]
    visible: Visibility = own
    create_by: Who = Who.MEMBER
    change_by: Who = Who.MEMBER
    owned_through_network: bool = False
    present: Callable[[ReadTransaction, Sequence[Object]], Sequence[Object]] = as_it_is
    before_list: Callable[[Context], None] | None = None
    refuse_delete: Callable[[Object], None] | None = None
    quota: int | None = None
    computed: frozenset[str] = frozenset()
    keeps_underscores: bool = False
    prefix: str = ""
    actions: frozenset[str] = field(default=frozenset({"create", "update", "delete"}))

    @property
    def path(self) -> str:
        return self.prefix + (self.collection if self.keeps_underscores else self.collection.replace("_", "-"))
