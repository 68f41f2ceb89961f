"""Checks of routers: what they are attached to, and where their gateways are."""

from collections.abc import Iterator

from netweft.control.explain import codes, hosts
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.l2.hosts import FAILED, HOST, VIF_TYPE
from netweft.control.l3.attached import INFO
from netweft.control.l3.owners import GATEWAY, INTERFACE


def ports(seen: Snapshot, router: Row, owner: str) -> Iterator[Row]:
    return seen.all("ports", device_id=router["id"], device_owner=owner)


def no_interface(seen: Snapshot, router: Row) -> Iterator[Told]:
    if not any(ports(seen, router, INTERFACE)):
        yield Told(codes.ROUTER_NO_INTERFACE)


def interface_down(seen: Snapshot, router: Row) -> Iterator[Told]:
    for port in ports(seen, router, INTERFACE):
        if not port["admin_state_up"]:
            yield Told(codes.ROUTER_INTERFACE_DOWN, values={"port": port["id"]}, about=(("ports", port["id"]),))


def no_gateway(seen: Snapshot, router: Row) -> Iterator[Told]:
    if not router[INFO]:
        yield Told(codes.ROUTER_NO_GATEWAY)


def gateway_nowhere(seen: Snapshot, router: Row) -> Iterator[Told]:
    for port in ports(seen, router, GATEWAY):
        if not port[HOST] or port[VIF_TYPE] == FAILED:
            yield Told(codes.ROUTER_GATEWAY_NOWHERE, port.get("status_detail") or "")


def gateway_dead(seen: Snapshot, router: Row) -> Iterator[Told]:
    for host in _hosts(seen, router):
        yield from hosts.dead(seen, host, codes.ROUTER_GATEWAY_DEAD)


def gateway_behind(seen: Snapshot, router: Row) -> Iterator[Told]:
    for host in _hosts(seen, router):
        yield from hosts.behind(seen, host, codes.ROUTER_GATEWAY_BEHIND)


def _hosts(seen: Snapshot, router: Row) -> list[str]:
    return sorted({port[HOST] for port in ports(seen, router, GATEWAY)} - {""})
