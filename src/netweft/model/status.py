"""What a node reports of its ports."""

from enum import StrEnum

from msgspec import Struct


class PortState(StrEnum):
    UP = "up"  # plugged and wired: the API shows ACTIVE
    DOWN = "down"  # not plugged, or administratively down
    ERROR = "error"  # plugged and cannot be wired; `detail` says why


class PortStatus(Struct, frozen=True, omit_defaults=True):
    """detail: one sentence for a person, empty when all is well.
    anew: the node has seen it unplugged before; of a port that is not the node's, at some time since it was.
    plugging: which one, with `anew`: its name, however often it is reported.  Empty: the agent is too old to say."""

    port_id: str
    state: PortState
    detail: str = ""
    anew: bool = False
    plugging: str = ""


# Kept on a port, not shown: how often it has become ACTIVE, so that followers tell one plugging from the next.
PLUGGED = "netweft:plugged"
# Likewise: the newest that it was bound by, or was reported with by the host that it is bound to.
PLUGGINGS = "netweft:pluggings"
