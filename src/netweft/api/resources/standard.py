"""Attributes that every resource has."""

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute

READ_ONLY = checks.string()


def flag(**values: object) -> Attribute:
    """True or false, in bodies and in query strings."""
    return Attribute(check=checks.boolean, parse=checks.boolean, **values)  # type: ignore[arg-type]


def or_empty(value: str | None) -> str:
    """Of an attribute that older rows have not."""
    return value or ""


ID = Attribute(check=checks.uuid_text, filter=True, sort=True)
NAME = Attribute(check=checks.string(255), post=True, put=True, default="", filter=True, sort=True)
PROJECT = Attribute(check=checks.string(255), post=True, filter=True, sort=True)

STANDARD = {
    "id": ID,
    "name": NAME,
    "project_id": PROJECT,
    "tenant_id": PROJECT,
    "description": Attribute(check=checks.string(255), post=True, put=True, default="", filter=True, sort=True),
    "tags": Attribute(check=checks.tags),
    "created_at": Attribute(check=READ_ONLY, filter=True, sort=True),
    "updated_at": Attribute(check=READ_ONLY, filter=True, sort=True),
    "revision_number": Attribute(check=checks.integer, parse=checks.integer, filter=True, sort=True),
}
ADMIN_STATE = flag(post=True, put=True, default=True, filter=True, sort=True)
STATUS = Attribute(check=READ_ONLY, filter=True, sort=True)


def _for_others(detail: str) -> str:
    """Without the names of hosts, bridges and wires."""
    return "It cannot be wired where it is bound; administrators are told why." if detail else ""


# ours (extension `netweft-status`): one sentence on why it is not as one might expect
STATUS_DETAIL = Attribute(check=READ_ONLY, stand_in=_for_others)
NETWORK_ID = Attribute(check=checks.uuid_text, post=True, default=REQUIRED, filter=True, sort=True)
