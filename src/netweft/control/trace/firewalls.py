"""Firewall groups (FWaaS): which rule of a port's decides about a packet, and what of it."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.security import protocols
from netweft.control.trace.packet import Packet
from netweft.model.fwaas import DESTINATION_ADDRESSES, FIREWALL_GROUP, SOURCE_ADDRESSES

ENDS: Final = (
    ("source", SOURCE_ADDRESSES, "src", "sport"),
    ("destination", DESTINATION_ADDRESSES, "dst", "dport"),
)


class Decision(NamedTuple):
    """rule: that is true of the packet; None: none is.  why: in words.  unsure: it hangs on what the caller does not
    see."""

    permits: bool
    rule: Row | None
    why: str
    unsure: bool = False


def group_of(port: Row) -> str:
    """Empty: it is in none."""
    return str(port.get(FIREWALL_GROUP) or "")


def decision(seen: Snapshot, port: Row, direction: str, packet: Packet) -> Decision:
    """Of a port that is in a group.  direction: of the port, a router's too: out of its network is egress."""
    group = seen.get("firewall_groups", group_of(port))
    if group is None:
        return Decision(True, None, "its firewall group is not yours to see", unsure=True)
    if not group["admin_state_up"]:
        return Decision(False, None, "its firewall group is down")
    policy_id = group[f"{direction}_firewall_policy_id"]
    if policy_id is None:
        return Decision(False, None, f"its firewall group has no {direction} policy")
    policy = seen.get("firewall_policies", policy_id)
    if policy is None:
        return Decision(True, None, f"its {direction} policy is not yours to see", unsure=True)
    for id in policy["firewall_rules"]:
        rule = seen.get("firewall_rules", id)
        if rule is None:
            return Decision(True, None, f"rule {id} of its {direction} policy is not yours to see", unsure=True)
        if rule["enabled"] and not any(_differs(seen, rule, packet)):
            permits = rule["action"] == "allow"
            return Decision(permits, rule, f"rule {id} of firewall policy {policy_id}: {said(rule)}")
    return Decision(False, None, f"no rule of firewall policy {policy_id} is true of it")


def said(rule: Row) -> str:
    """The rule in words."""
    words = [rule["action"], f"IPv{rule['ip_version']}", rule["protocol"] or "anything"]
    for word, (end, group, *_) in zip(("from", "to"), ENDS, strict=True):
        address = rule.get(f"{end}_ip_address") or rule.get(group)
        port = rule.get(f"{end}_port")
        if address or port:
            words += [word, address or "anybody", *((f"port {port}",) if port else ())]
    return " ".join(map(str, words))


def _differs(seen: Snapshot, rule: Row, packet: Packet) -> Iterator[bool]:
    yield rule["ip_version"] != packet.version
    number = protocols.number(rule["protocol"], f"IPv{rule['ip_version']}")
    yield number not in (None, packet.protocol)
    for end, group, address_of, port_of in ENDS:
        address = getattr(packet, address_of)
        prefix, set_id, ports = rule.get(f"{end}_ip_address"), rule.get(group), rule.get(f"{end}_port")
        yield bool(prefix) and not _is_in(address, str(prefix))
        yield bool(set_id) and not any(_is_in(address, one) for one in _members(seen, str(set_id)))
        yield bool(ports) and not _has(str(ports), getattr(packet, port_of))


def _is_in(address: str, prefix: str) -> bool:
    return ip_address(address) in ip_network(prefix, strict=False)


def _members(seen: Snapshot, group: str) -> list[str]:
    found = seen.get("address_groups", group)
    return list(found["addresses"]) if found else []


def _has(ports: str, port: int) -> bool:
    low, _, high = ports.partition(":")
    return int(low) <= port <= int(high or low)
