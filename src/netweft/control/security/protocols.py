"""The IP protocols that security group rules can name, and what ports mean for them."""

import re

from netweft.control.errors import (
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
)
from netweft.model.protocols import NUMBERS
from netweft.store import Object

ETHERTYPES = {"IPv4": 4, "IPv6": 6}
_ANY = (None, "0", "ip")  # IP itself carries all of them: so 0 is any, as in Neutron's iptables rules
_ICMP = (1, 58)
_NUMBER = re.compile("[0-9]{1,3}")  # in ASCII
_WITH_PORTS = ("sctp", "tcp", "udp")  # what Open vSwitch can match: docs/decisions/0191
_IPV6_ONLY = ("icmpv6", "ipv6-encap", "ipv6-frag", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route")
_IPV6_ONLY_NUMBERS = frozenset(str(NUMBERS[name]) for name in _IPV6_ONLY)


def number(protocol: str | None, ethertype: str) -> int | None:
    """None for any.  `icmp` in an IPv6 rule is ICMPv6, as Neutron has it."""
    if protocol is None or protocol in _ANY:
        return None
    found = NUMBERS.get(protocol)
    found = int(protocol) if found is None else found
    return 58 if found == 1 and ethertype == "IPv6" else found


def canonical(protocol: str | None, ethertype: str) -> str | None:
    """ICMP in IPv6 rules has had several names; one is kept."""
    if ethertype != "IPv6":
        return protocol
    return {"icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", "1": "58"}.get(protocol or "", protocol)


def check(rule: Object) -> None:
    """Raises what Neutron does for protocol, ethertype and ports that do not go together."""
    protocol, ethertype = rule["protocol"], rule["ethertype"]
    low, high = rule["port_range_min"], rule["port_range_max"]
    if ethertype not in ETHERTYPES:
        raise SecurityGroupRuleInvalidEtherType(ethertype=ethertype, values=", ".join(ETHERTYPES))
    if protocol is None:
        if low is not None or high is not None:
            raise SecurityGroupProtocolRequiredWithPorts()
        return
    if protocol not in NUMBERS and not (_NUMBER.fullmatch(protocol) and int(protocol) <= 255):
        raise SecurityGroupRuleInvalidProtocol(protocol=protocol, values=sorted(NUMBERS))
    if ethertype == "IPv4" and (protocol in _IPV6_ONLY or protocol in _IPV6_ONLY_NUMBERS):
        raise SecurityGroupEthertypeConflictWithProtocol(ethertype=ethertype, protocol=protocol)
    found = number(protocol, ethertype)
    if found in _ICMP:
        _check_icmp(low, high)
    elif low is not None or high is not None:
        if found not in {NUMBERS[name] for name in _WITH_PORTS}:
            names = ", ".join(name.upper() for name in _WITH_PORTS)
            raise SecurityGroupInvalidProtocolForPort(protocol=found, valid_port_protocols=names)
        _check_ports(low, high)


def _check_icmp(type: int | None, code: int | None) -> None:
    for field, attribute, value in (("type", "port_range_min", type), ("code", "port_range_max", code)):
        if value is not None and not 0 <= value <= 255:
            raise SecurityGroupInvalidIcmpValue(field=field, attr=attribute, value=value)
    if type is None and code is not None:
        raise SecurityGroupMissingIcmpType(value=code)


def _check_ports(low: int | None, high: int | None) -> None:
    for port in (low, high):
        if port is not None and not 1 <= port <= 65535:
            raise SecurityGroupInvalidPortValue(port=port)
    if low is None or high is None or low > high:
        raise SecurityGroupInvalidPortRange()
