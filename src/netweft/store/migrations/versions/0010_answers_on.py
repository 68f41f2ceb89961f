"""Routers' interfaces on provider networks are claimed by the host that answers there (0433): none, until one comes."""

from alembic import op
from sqlalchemy import Text, column, insert, select, table, update

from netweft.store.schema import Json

revision = "0010"
down_revision = "0009"

_objects = table("objects", column("kind", Text), column("id", Text), column("attrs", Json()))
_claims = table("claims", column("scope", Text), column("value", Text), column("kind", Text), column("id", Text))
_PHYSICAL = "provider:physical_network"


def upgrade() -> None:
    rows = op.get_bind().execute(select(_objects.c.kind, _objects.c.id, _objects.c.attrs)).all()
    wired = {
        id
        for kind, id, attrs in rows
        if kind == "networks" and any(one.get(_PHYSICAL) for one in attrs.get("segments") or [attrs])
    }
    for kind, id, attrs in rows:
        of_a_router = kind == "ports" and attrs.get("device_owner") == "network:router_interface"
        if of_a_router and attrs.get("network_id") in wired:
            this = (_objects.c.kind == kind, _objects.c.id == id)
            op.get_bind().execute(update(_objects).where(*this).values(attrs=attrs | {"netweft:answers_on": ""}))
            claim = {"scope": "answers_on ", "value": id, "kind": kind, "id": id}
            op.get_bind().execute(insert(_claims).values(**claim))
