"""Metering labels: what of routers' traffic with the external network is counted together."""

from typing import Final, Literal

from msgspec import Struct, field

METERED: Final = "netweft:metered"  # kept on a label: the project whose routers it is for
SHARED: Final = "*"  # there: every router
RULES: Final = "netweft:rules"  # kept on a label: its rules


class MeteringRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packets from and to there, as they are inside: before SNAT, or with the address that a floating IP stands for.
    Without a prefix: from anywhere, to anywhere.  remote_ip_prefix: of the end inside, as Neutron's means.
    excluded: these are not counted, whatever other rules say."""

    direction: Literal["ingress", "egress"]
    excluded: bool = False
    remote_ip_prefix: str | None = None
    source_ip_prefix: str | None = None
    destination_ip_prefix: str | None = None


class MeteringLabel(Struct, frozen=True, kw_only=True, tag="metering_label", omit_defaults=True):
    id: str
    metered: str = field(default="", name=METERED)
    rules: tuple[MeteringRule, ...] = field(default=(), name=RULES)
