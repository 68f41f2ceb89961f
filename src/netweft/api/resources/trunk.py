"""trunks"""

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import ADMIN_STATE, READ_ONLY, STANDARD
from netweft.control import trunks
from netweft.control.trunks import TrunkNotFound, Trunks

SUB_PORTS = checks.list_of(
    checks.record(
        {"port_id": checks.uuid_text}, {"segmentation_type": checks.string(32), "segmentation_id": checks.integer}
    )
)

ATTRIBUTES = STANDARD | {
    "admin_state_up": ADMIN_STATE,
    "port_id": Attribute(check=checks.uuid_text, post=True, default=REQUIRED, filter=True, sort=True),
    "sub_ports": Attribute(check=SUB_PORTS, post=True, default=[]),
    "status": Attribute(check=READ_ONLY, filter=True),  # from the ports, when asked for: not to sort by
}


def trunk(use_cases: Trunks) -> Resource:
    return Resource(
        member="trunk",
        collection="trunks",
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=TrunkNotFound,
        present=trunks.with_status,
        computed=frozenset({"status"}),
    )
