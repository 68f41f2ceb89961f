"""What was `shared` by an attribute of its own is shared by an RBAC entry for everybody (decision 0281)."""

import uuid
from datetime import UTC, datetime
from typing import Any

from alembic import op
from sqlalchemy import Text, column, insert, select, table, update

from netweft.store.schema import Json

revision = "0004"
down_revision = "0003"

_TYPES = {"networks": "network", "policies": "qos_policy", "subnetpools": "subnetpool"}
_objects = table(
    "objects", column("kind", Text), column("id", Text), column("project_id", Text), column("attrs", Json())
)
_claims = table("claims", column("scope", Text), column("value", Text), column("kind", Text), column("id", Text))


def upgrade() -> None:
    for kind, type in _TYPES.items():
        found = select(_objects.c.id, _objects.c.attrs).where(_objects.c.kind == kind)
        for id, attrs in op.get_bind().execute(found).all():
            if attrs.pop("shared", None):
                _share(type, id, attrs["project_id"])
            this = (_objects.c.kind == kind, _objects.c.id == id)
            op.get_bind().execute(update(_objects).where(*this).values(attrs=attrs))


def _share(type: str, object_id: str, project_id: str) -> None:
    """Unless somebody has written that entry already."""
    scope, value = f"rbac:{type}:{object_id}", "access_as_shared:*"
    there = select(_claims.c.id).where(_claims.c.scope == scope, _claims.c.value == value)
    if op.get_bind().execute(there).first() is not None:
        return
    id, now = str(uuid.uuid4()), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry: dict[str, Any] = {
        "id": id,
        "tags": [],
        "project_id": project_id,
        "object_type": type,
        "object_id": object_id,
    }
    entry |= {"action": "access_as_shared", "target_tenant": "*"}
    entry |= {"created_at": now, "updated_at": now, "revision_number": 1}
    row = {"kind": "rbac_policies", "id": id, "project_id": project_id, "attrs": entry}
    op.get_bind().execute(insert(_objects).values(row))
    op.get_bind().execute(insert(_claims).values(scope=scope, value=value, kind="rbac_policies", id=id))
