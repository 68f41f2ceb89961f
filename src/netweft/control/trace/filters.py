"""Security groups: which rule lets a packet through, or that none does, and which comes nearest."""

from collections.abc import Collection, Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.security import protocols
from netweft.control.trace.packet import Packet

_REMOTES = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")


class Verdict(NamedTuple):
    """rule: the one that lets it through.  Where none does: nearest, and in what of it the packet differs.
    unsure: a rule may let it through, since it names something that the caller does not see."""

    rule: Row | None
    nearest: Row | None = None
    differs: tuple[str, ...] = ()
    unsure: bool = False


def is_filtered(port: Row) -> bool:
    return bool(port.get("port_security_enabled"))


def verdict(seen: Snapshot, port: Row, direction: str, packet: Packet) -> Verdict:
    """Of a port that is filtered."""
    groups = port.get("security_groups") or ()
    best: tuple[int, Row, tuple[str, ...]] | None = None
    unsure = False
    for rule in _rules(seen, groups, direction):
        differs = tuple(_differs(seen, rule, packet))
        if not differs:
            return Verdict(rule)
        unsure = unsure or (differs == ("remote",) and _names_unseen(seen, rule))
        weight = sum(3 if what == "ethertype" else 1 for what in differs)
        if best is None or weight < best[0]:
            best = (weight, rule, differs)
    return Verdict(None, best[1], best[2], unsure) if best else Verdict(None)


def is_stateful(seen: Snapshot, port: Row) -> bool:
    """Whether answers pass without a rule of their own.  A port's groups are all of one kind, or the API refuses."""
    return all(group.get("stateful", True) for group in seen.many("security_groups", port.get("security_groups") or ()))


def said(rule: Row) -> str:
    """The rule in words."""
    what = str(rule["protocol"] or "anything")
    low, high = rule["port_range_min"], rule["port_range_max"]
    if low is not None or high is not None:
        what += f" {low}" if low == high or high is None else f" {low}:{high}"
    remote = next((f"{rule[name]}" for name in _REMOTES if rule[name]), "anybody")
    way = "from" if rule["direction"] == "ingress" else "to"
    return f"{rule['ethertype']} {what} {way} {remote}"


def _rules(seen: Snapshot, groups: Collection[str], direction: str) -> Iterator[Row]:
    found = seen.all("security_group_rules", direction=direction)
    yield from sorted((rule for rule in found if rule["security_group_id"] in groups), key=lambda rule: str(rule["id"]))


def _differs(seen: Snapshot, rule: Row, packet: Packet) -> Iterator[str]:
    if protocols.ETHERTYPES.get(rule["ethertype"]) != packet.version:
        yield "ethertype"
    number = protocols.number(rule["protocol"], rule["ethertype"])
    if number is not None and number != packet.protocol:
        yield "protocol"
    elif number is not None and not _has_ports_of(rule, packet):
        yield "port"
    if not _is_remote(seen, rule, packet.dst if rule["direction"] == "egress" else packet.src):
        yield "remote"


def _has_ports_of(rule: Row, packet: Packet) -> bool:
    low, high = rule["port_range_min"], rule["port_range_max"]
    if packet.icmp_type is not None:
        return low in (None, packet.icmp_type) and high in (None, 0)
    if low is None and high is None:
        return True
    return packet.has_ports and (low or 0) <= packet.dport <= (65535 if high is None else high)


def _is_remote(seen: Snapshot, rule: Row, address: str) -> bool:
    if rule["remote_group_id"]:
        return any(_is_of(port, address) for port in _members(seen, rule["remote_group_id"]))
    if rule["remote_address_group_id"]:
        group = seen.get("address_groups", rule["remote_address_group_id"])
        return group is not None and any(_is_in(address, prefix) for prefix in group["addresses"])
    return not rule["remote_ip_prefix"] or _is_in(address, rule["remote_ip_prefix"])


def _members(seen: Snapshot, group: str) -> Iterator[Row]:
    return (port for port in seen.all("ports") if group in (port.get("security_groups") or ()))


def _is_of(port: Row, address: str) -> bool:
    pairs = (pair["ip_address"] for pair in port.get("allowed_address_pairs") or ())
    return has_address(port, address) or any(_is_in(address, pair) for pair in pairs)


def has_address(port: Row, address: str) -> bool:
    return any(fixed["ip_address"] == address for fixed in port.get("fixed_ips") or ())


def _is_in(address: str, prefix: str) -> bool:
    return ip_address(address) in ip_network(prefix, strict=False)


def _names_unseen(seen: Snapshot, rule: Row) -> bool:
    """A set of addresses of which the caller does not see all."""
    if rule["remote_group_id"]:
        return not {"ports", f"members of {rule['remote_group_id']}"} & seen.whole
    return bool(rule["remote_address_group_id"]) and seen.get("address_groups", rule["remote_address_group_id"]) is None
