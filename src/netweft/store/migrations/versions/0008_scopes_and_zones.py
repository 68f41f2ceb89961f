"""What objects say since there are address scopes, availability zones, flavors and limits of floating IPs (0470 on)."""

from typing import Any

from alembic import op
from sqlalchemy import Text, column, select, table, update

from netweft.store.schema import Json

revision = "0008"
down_revision = "0007"

_objects = table("objects", column("kind", Text), column("id", Text), column("attrs", Json()))
_NEW: dict[str, dict[str, Any]] = {
    "networks": {"ipv4_address_scope": None, "ipv6_address_scope": None, "availability_zone_hints": []},
    "subnetpools": {"address_scope_id": None},
    "routers": {"availability_zone_hints": [], "flavor_id": None},
    "floatingips": {"qos_policy_id": None},
}


def upgrade() -> None:
    for kind, new in _NEW.items():
        found = select(_objects.c.id, _objects.c.attrs).where(_objects.c.kind == kind)
        for id, attrs in op.get_bind().execute(found).all():
            this = (_objects.c.kind == kind, _objects.c.id == id)
            op.get_bind().execute(update(_objects).where(*this).values(attrs=new | attrs))
