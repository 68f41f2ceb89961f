"""The two ends of a probe, as the agent sees them and as the member does (decision 0590).

The agent never sends to an address that a tenant has chosen: only to numbers that flows turn into a member of this
node, and its answers back.  What no such flow is for ends in the table.

            of the agent's packet                    of the member's
    IPv4    from 240.0.255.0, port in PORTS          from the balancer's VIP, same port
            to 240.0.0.0 | number, bit 16 set        to the member
    IPv6    from fe80::1000:0                        from the balancer's VIP of that version
            to fe80::2000:0 | number                 to the member

Both leave by the metadata service's interface, whose addresses these are (`services/metadata/ends`).  Neither is the
address of a metadata client: in IPv6 a bit, in IPv4 the source port tells them apart.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netweft.services.metadata.ends import ASKERS_4, ASKERS_6, ENDPOINT

NUMBER_BITS: Final = 26  # so that no address is the broadcast address
PORTS: Final = 0x4E80  # the first that probes are sent from: 64, none of them the metadata service's or a system's own
PORTS_MASK: Final = 0xFFC0
_MARK_4, _MARK_6 = 1 << 16, 1 << 29  # the first keeps clear of 240.0.255.0/24, which is the agent's own

OWN: Final[dict[int, str]] = {4: ENDPOINT.addresses[0][0], 6: ENDPOINT.addresses[1][0]}


def far_end(version: int, number: int) -> int:
    """What the agent sends to, for the end with this number."""
    if version == 6:
        return ASKERS_6 | _MARK_6 | number
    return ASKERS_4 | number >> 16 << 17 | _MARK_4 | number & 0xFFFF


def text(version: int, number: int) -> str:
    at = far_end(version, number)
    return str(IPv4Address(at) if version == 4 else IPv6Address(at))


def own(version: int) -> int:
    """The agent's address, as flows write it."""
    return int((IPv4Address if version == 4 else IPv6Address)(OWN[version]))
