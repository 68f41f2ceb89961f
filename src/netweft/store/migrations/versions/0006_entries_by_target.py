"""RBAC entries are claimed by their target, to be found by it (decision 0321)."""

from alembic import op
from sqlalchemy import Text, column, select, table, update

revision = "0006"
down_revision = "0005"

_claims = table("claims", column("scope", Text), column("value", Text), column("kind", Text))


def upgrade() -> None:
    found = select(_claims.c.scope, _claims.c.value).where(_claims.c.kind == "rbac_policies")
    for scope, value in op.get_bind().execute(found).all():
        (rbac, type, object_id), (action, target) = scope.split(":", 2), value.split(":", 1)
        this = (_claims.c.scope == scope, _claims.c.value == value)
        now = {"scope": f"{rbac}:{type}:{action}:{target}", "value": object_id}
        op.get_bind().execute(update(_claims).where(*this).values(now))
