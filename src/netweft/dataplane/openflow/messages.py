"""OpenFlow 1.5 messages: the frames around flows."""

from msgspec import Struct

from netweft.dataplane.openflow.flow import Flow


class FlowChange(Struct, frozen=True):
    """What the switch told of a change somebody else made.  flow None: it could not keep up, read again."""

    flow: Flow | None
    removed: bool = False
