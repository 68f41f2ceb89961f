"""VIPs on provider networks are claimed by the host that answers there, as routers' interfaces are (0010)."""

from alembic import op
from sqlalchemy import Text, column, insert, select, table, update

from netweft.store.schema import Json

revision = "0014"
down_revision = "0013"

_objects = table("objects", column("kind", Text), column("id", Text), column("attrs", Json()))
_claims = table("claims", column("scope", Text), column("value", Text), column("kind", Text), column("id", Text))
_PHYSICAL = "provider:physical_network"


def upgrade() -> None:
    rows = (
        op.get_bind()
        .execute(
            select(_objects.c.kind, _objects.c.id, _objects.c.attrs).where(
                _objects.c.kind.in_(("networks", "ports", "loadbalancers"))
            )
        )
        .all()
    )
    wired = {
        id
        for kind, id, attrs in rows
        if kind == "networks" and any(one.get(_PHYSICAL) for one in attrs.get("segments") or [attrs])
    }
    vips = {attrs.get("vip_port_id") for kind, _, attrs in rows if kind == "loadbalancers"}
    for kind, id, attrs in rows:
        if kind == "ports" and id in vips and attrs.get("network_id") in wired and "netweft:answers_on" not in attrs:
            kept = attrs | {"netweft:answers_on": "", "netweft:answers_hosts": []}
            this = (_objects.c.kind == kind, _objects.c.id == id)
            op.get_bind().execute(update(_objects).where(*this).values(attrs=kept))
            op.get_bind().execute(insert(_claims).values(scope="answers_on ", value=id, kind=kind, id=id))
