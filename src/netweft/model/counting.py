"""What a node has counted of an object's traffic with the external network, or of what a firewall rule decided."""

from typing import Annotated, Final, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

CountedKind: TypeAlias = Literal[
    "floatingips", "port_forwardings", "routers", "metering_labels", "firewall_rules", "listeners", "pools"
]
COUNTED_KINDS: Final = frozenset[str](get_args(CountedKind))
ACTIVE: Final = "active_connections"  # of a listener: as many packets in as it has open connections now
ERRORS: Final = "request_errors"  # of a listener that HAProxy serves: as many packets in as it took no request from
OF_LISTENERS: Final = {ACTIVE: "listeners", ERRORS: "listeners"}  # counted besides -> the kind of the object's rows
MOST = 2**60
Number: TypeAlias = Annotated[int, Meta(ge=0, le=MOST)]


class Counted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a floating IP, a port forwarding, a router's gateway, a metering label, a balancer's listener; of its pools
    as many packets in as there were connections: on this node, since it began to count for it.
    in: from the external network, or from clients; of a firewall rule: all that it decided.
    Bytes: of frames, with their Ethernet headers.
    kind: a CountedKind, or what a newer agent than its server counts besides.
    life: which beginning that was; with another one all begins at 0 again."""

    kind: Annotated[str, Meta(max_length=64)]
    id: Annotated[str, Meta(max_length=36)]
    life: Annotated[int, Meta(ge=0, lt=2**62)]
    packets_in: Number = 0
    bytes_in: Number = 0
    packets_out: Number = 0
    bytes_out: Number = 0
