"""What was external to everybody by an attribute of its own alone has an RBAC entry for everybody (decision 0335)."""

import uuid
from datetime import UTC, datetime

from alembic import op
from sqlalchemy import Text, column, insert, select, table

from netweft.store.schema import Json

revision = "0005"
down_revision = "0004"

_objects = table(
    "objects", column("kind", Text), column("id", Text), column("project_id", Text), column("attrs", Json())
)
_claims = table("claims", column("scope", Text), column("value", Text), column("kind", Text), column("id", Text))
_SAID = {"object_type": "network", "action": "access_as_external", "target_tenant": "*"}


def upgrade() -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    networks = select(_objects.c.id, _objects.c.attrs).where(_objects.c.kind == "networks")
    for network_id, network in op.get_bind().execute(networks).all():
        if not network.get("router:external"):
            continue
        id, project = str(uuid.uuid4()), network["project_id"]
        entry = {"id": id, "tags": [], "project_id": project, "object_id": network_id, **_SAID}
        entry |= {"created_at": now, "updated_at": now, "revision_number": 1}
        this = {"kind": "rbac_policies", "id": id}
        op.get_bind().execute(insert(_objects).values(**this, project_id=project, attrs=entry))
        claim = {"scope": f"rbac:network:{network_id}", "value": "access_as_external:*"}
        op.get_bind().execute(insert(_claims).values(**this, **claim))
