"""Checks of networks and their subnets."""

from collections.abc import Iterator

from netweft.control.explain import codes, hosts
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.rbac import IS_EXTERNAL


def no_host(seen: Snapshot, network: Row) -> Iterator[Told]:
    if "agents" not in seen.whole:
        return
    there = [agent for agent in seen.all("agents") if not hosts.is_dead(seen, agent["host"])]
    if not any(hosts.is_able(agent, network) for agent in there):
        segments = network.get("segments") or [network]
        carried = " or ".join(" on ".join(filter(None, (one[TYPE], one[PHYSICAL]))) for one in segments)
        yield Told(codes.NETWORK_NO_HOST, f"none of {len(there)} agents that answer can carry {carried}")


TYPE, PHYSICAL = "provider:network_type", "provider:physical_network"


def no_subnet(seen: Snapshot, network: Row) -> Iterator[Told]:
    if not network["subnets"]:
        yield Told(codes.NETWORK_NO_SUBNET)


def no_dhcp(seen: Snapshot, network: Row) -> Iterator[Told]:
    for subnet in seen.all("subnets", network_id=network["id"], enable_dhcp=False):
        if not network.get(IS_EXTERNAL):
            yield Told(codes.NETWORK_NO_DHCP, values={"subnet": subnet["id"]}, about=(("subnets", subnet["id"]),))


def no_addresses(seen: Snapshot, network: Row) -> Iterator[Told]:
    for subnet in seen.all("subnets", network_id=network["id"]):
        if subnet["id"] in seen.used_up:
            about = (("subnets", subnet["id"]),)
            yield Told(codes.NETWORK_NO_ADDRESSES, values={"subnet": subnet["id"]}, about=about)


def quota_full(seen: Snapshot, network: Row) -> Iterator[Told]:
    if "port" in seen.full:
        yield Told(codes.NETWORK_QUOTA, values={"project": network["project_id"]})
