"""netweft/checks: what a project expects of its packets, and whether it is so."""

from msgspec import UNSET

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import READ_ONLY, STANDARD, STATUS, flag
from netweft.api.resources.trace import arguments
from netweft.api.resources.trace.arguments import Wanted
from netweft.control.checks import CheckNotFound, Checks
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

QUOTA = 100
ASKS = ("from", "to", "protocol", "port")


def _end() -> Attribute:
    return Attribute(check=checks.string(arguments.MOST_TEXT), post=True, put=True, default=REQUIRED, filter=True)


ATTRIBUTES = STANDARD | {
    "from": _end(),
    "to": _end(),
    "protocol": Attribute(check=checks.string(32), post=True, put=True, default="icmp", filter=True),
    "port": Attribute(check=checks.or_none(checks.integer), parse=checks.integer, post=True, put=True, default=None),
    "must_pass": flag(post=True, put=True, default=True, filter=True),
    "status": STATUS,
    "status_since": Attribute(check=READ_ONLY, sort=True),
    "code": Attribute(check=READ_ONLY, filter=True),
    "reason": Attribute(check=READ_ONLY),
}


def check() -> Resource:
    return Resource(
        member="check",
        collection="checks",
        prefix="netweft/",
        attributes=ATTRIBUTES,
        use_cases=Checks(),
        not_found=CheckNotFound,
        refuse=_refuse,
        quota=QUOTA,
    )


def asked_by(check: Object) -> Wanted:
    return Wanted(from_=check["from"], to=check["to"], protocol=check["protocol"], port=check["port"], live=UNSET)


def _refuse(tx: ReadTransaction, context: Context, current: Object | None, changed: Object | None) -> None:
    """What no trace could be asked.  Raises HTTPBadRequest."""
    if changed is not None:
        asked = asked_by((current or {}) | changed)
        arguments.check(asked)
        for end in (asked.from_, asked.to):
            arguments.address_of(end)
