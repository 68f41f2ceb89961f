"""Checks of what works only where other objects name it: QoS policies, address groups and scopes."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told


def no_rules(seen: Snapshot, policy: Row) -> Iterator[Told]:
    if not policy["rules"]:
        yield Told(codes.POLICY_NO_RULES)


def unused(seen: Snapshot, policy: Row) -> Iterator[Told]:
    if policy["id"] in seen.unused:
        yield Told(codes.POLICY_UNUSED)


def no_addresses(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not group["addresses"]:
        yield Told(codes.ADDRESS_GROUP_EMPTY)


def in_no_rule(seen: Snapshot, group: Row) -> Iterator[Told]:
    if group["id"] in seen.unused:
        yield Told(codes.ADDRESS_GROUP_UNUSED)


def scope_unused(seen: Snapshot, address_scope: Row) -> Iterator[Told]:
    if address_scope["id"] in seen.unused:
        yield Told(codes.ADDRESS_SCOPE_UNUSED)
