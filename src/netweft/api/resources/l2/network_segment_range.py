"""network_segment_ranges"""

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import READ_ONLY, STANDARD, flag
from netweft.control.l2.segment_ranges import NetworkSegmentRangeNotFound, SegmentRanges

_BOUND = Attribute(check=checks.between(1, 2**32 - 1), parse=checks.integer, post=True, put=True, default=REQUIRED)

ATTRIBUTES = STANDARD | {
    "default": flag(),
    "shared": flag(post=True, default=True),
    "network_type": Attribute(check=checks.one_of("vlan", "vxlan", "gre", "geneve", "stt"), post=True, filter=True),
    "physical_network": Attribute(check=checks.or_none(checks.string(64)), post=True, filter=True),
    "minimum": _BOUND,
    "maximum": _BOUND,
    "used": Attribute(check=READ_ONLY),
    "available": Attribute(check=READ_ONLY),
}


def network_segment_range(use_cases: SegmentRanges) -> Resource:
    return Resource(
        member="network_segment_range",
        collection="network_segment_ranges",
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=NetworkSegmentRangeNotFound,
        present=use_cases.with_use,
        computed=frozenset({"used", "available"}),
        keeps_underscores=True,
    )
