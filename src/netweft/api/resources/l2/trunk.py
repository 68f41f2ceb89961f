"""trunks"""

from typing import Any

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import ADMIN_STATE, READ_ONLY, STANDARD
from netweft.control.l2 import trunks
from netweft.control.l2.trunks import TrunkNotFound, Trunks
from netweft.control.l3 import owned
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

# to take ports out it is enough to name them
PORTS = checks.list_of(
    checks.record(
        {"port_id": checks.uuid_text}, {"segmentation_type": checks.string(32), "segmentation_id": checks.integer}
    )
)


def sub_ports(value: Any) -> Any:
    """All that is wrong with them whatever ports there are: it is said before anything about those."""
    found = PORTS(value)
    tags = ((one.get("segmentation_type"), one.get("segmentation_id")) for one in found)
    checks.refuse_twice(one["port_id"] for one in found)
    checks.refuse_twice(tag for tag in tags if None not in tag)
    for one in found:
        trunks.check_segmentation(one)
    return found


ATTRIBUTES = STANDARD | {
    "admin_state_up": ADMIN_STATE,
    "port_id": Attribute(check=checks.uuid_text, post=True, default=REQUIRED, filter=True, sort=True),
    "sub_ports": Attribute(check=sub_ports, post=True, default=[]),
    "status": Attribute(check=READ_ONLY, filter=True),  # from the ports, on request: not to sort by
}


def refuse_owned(tx: ReadTransaction, context: Context, current: Object | None, wanted: Object | None) -> None:
    """A trunk's port is plugged somewhere: one that is a router's or a balancer's never is, and goes when they say."""
    port = tx.get("ports", wanted["port_id"]) if current is None and wanted is not None else None
    if port is not None:
        owned.refuse_bound(tx, port)


def trunk(use_cases: Trunks) -> Resource:
    return Resource(
        member="trunk",
        collection="trunks",
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=TrunkNotFound,
        present=trunks.with_status,
        refuse=refuse_owned,
        computed=frozenset({"status"}),
    )
