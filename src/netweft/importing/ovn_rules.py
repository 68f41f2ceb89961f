"""Security group rules as Neutron wrote them as ACLs (neutron.common.ovn.acl, Neutron 29; its own terms in this order):

outport == @pg_ID && ip4 && ip4.src == PREFIX|$pg_ID_ip4|$ag_ID_ip4 && tcp && tcp.dst >= 80 && tcp.dst <= 90
"""

import re

from netweft.store import Object

_NAMED = re.compile(r"^\$(?P<kind>pg|ag)_(?P<id>[0-9a-f_]{36})_ip[46]$")
_TERM = re.compile(r"^(?P<field>[a-z0-9.]+) (?P<sign>==|>=|<=) (?P<value>\S+)$")
_ICMP = {"icmp4": "icmp", "icmp6": "ipv6-icmp"}
_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_REMOTE = {"pg": "remote_group_id", "ag": "remote_address_group_id"}
# field of a term -> what it bounds in the rule, by its sign
_PORTS = {"==": ("port_range_min", "port_range_max"), ">=": ("port_range_min",), "<=": ("port_range_max",)}
_CODES = {"type": "port_range_min", "code": "port_range_max"}


class NotARule(ValueError):
    """The text says which term."""


def rule_of(match: str) -> Object:
    """Without ids and project.  Raises NotARule."""
    rule: Object = {}
    for term in match.split(" && "):
        rule |= _said(term.strip("() "))
    if "direction" not in rule or "ethertype" not in rule:
        raise NotARule(match)
    return rule


def uuid_in(name: str) -> str:
    """Of names that may have no hyphens: pg_..., ag_..._ip4."""
    return "-".join(name.split("_", 1)[1].removesuffix("_ip4").removesuffix("_ip6").split("_"))


def _said(term: str) -> Object:
    if term in ("ip4", "ip6"):
        return {"ethertype": f"IPv{term[2]}"}
    if term in _PROTOCOLS or term in _ICMP:
        return {"protocol": _ICMP.get(term, term)}
    found = _TERM.match(term)
    if found is None:
        raise NotARule(term)
    field, sign, value = found.groups()
    return _compared(field, sign, value, term)


def _compared(field: str, sign: str, value: str, term: str) -> Object:
    head, _, tail = field.partition(".")
    if field in ("inport", "outport"):
        return {"direction": "egress" if field == "inport" else "ingress"}
    if field == "ip.proto":
        return {"protocol": value}
    if head in ("ip4", "ip6") and tail in ("src", "dst"):
        return _remote(value)
    if head in _PROTOCOLS and tail == "dst":
        return dict.fromkeys(_PORTS[sign], _number(value, term))
    if head in _ICMP and tail in _CODES:
        return {_CODES[tail]: _number(value, term)}
    raise NotARule(term)


def _remote(value: str) -> Object:
    named = _NAMED.match(value)
    return {_REMOTE[named["kind"]]: uuid_in(value[1:])} if named else {"remote_ip_prefix": value}


def _number(value: str, term: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise NotARule(term)
    return int(value)
