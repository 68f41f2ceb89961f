"""Checks of what works only where other objects name it: QoS policies, address groups and scopes."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told


def no_rules(seen: Snapshot, policy: Row) -> Iterator[Told]:
    if not policy["rules"]:
        yield Told(codes.POLICY_NO_RULES)


def no_addresses(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not group["addresses"]:
        yield Told(codes.ADDRESS_GROUP_EMPTY)
