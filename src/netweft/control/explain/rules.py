"""Checks of security groups and their rules: whether they let anything pass at all."""

from collections.abc import Collection, Iterator

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told


def lets(seen: Snapshot, groups: Collection[str], direction: str) -> bool:
    """Something pass, by a rule of one of these."""
    return any(rule["security_group_id"] in groups for rule in seen.all("security_group_rules", direction=direction))


def nothing_in(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not lets(seen, (group["id"],), "ingress"):
        yield Told(codes.GROUP_NOTHING_IN, values={"direction": "ingress", "group": group["id"]})


def nothing_out(seen: Snapshot, group: Row) -> Iterator[Told]:
    if not lets(seen, (group["id"],), "egress"):
        yield Told(codes.GROUP_NOTHING_OUT, values={"direction": "egress", "group": group["id"]})


def quota_full(seen: Snapshot, group: Row) -> Iterator[Told]:
    if "security_group_rule" in seen.full:
        yield Told(codes.GROUP_QUOTA, values={"project": group["project_id"]})


def from_nobody(seen: Snapshot, rule: Row) -> Iterator[Told]:
    """Of a group of another project the members are not shown."""
    group = seen.get("security_groups", rule.get("remote_group_id"))
    if group is not None and group["id"] in seen.unused and group["project_id"] == rule["project_id"]:
        about = (("security_groups", group["id"]),)
        yield Told(codes.RULE_REMOTE_GROUP_UNUSED, values={"group": group["id"]}, about=about)
    addresses = seen.get("address_groups", rule.get("remote_address_group_id"))
    if addresses is not None and not addresses["addresses"]:
        about = (("address_groups", addresses["id"]),)
        yield Told(codes.RULE_ADDRESS_GROUP_EMPTY, values={"group": addresses["id"]}, about=about)
