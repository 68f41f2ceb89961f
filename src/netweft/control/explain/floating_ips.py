"""Checks of floating IPs."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.routers import ports
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.l2.hosts import HOST
from netweft.control.l3.owners import GATEWAY


def no_port(seen: Snapshot, floating_ip: Row) -> Iterator[Told]:
    if not _leads(seen, floating_ip):
        yield Told(codes.FLOATING_NO_PORT)


def no_gateway(seen: Snapshot, floating_ip: Row) -> Iterator[Told]:
    if _leads(seen, floating_ip) and not _gateway(seen, floating_ip):
        router, network = floating_ip.get("router_id") or "ROUTER", floating_ip["floating_network_id"]
        yield Told(codes.FLOATING_NO_GATEWAY, values={"router": router, "network": network})


def not_active(seen: Snapshot, floating_ip: Row) -> Iterator[Told]:
    """For no reason that others tell."""
    gateway = _gateway(seen, floating_ip)
    there = _leads(seen, floating_ip) and gateway is not None and gateway[HOST]
    if there and floating_ip["status"] != "ACTIVE":
        yield Told(codes.FLOATING_NOT_ACTIVE, values={"port": floating_ip.get("port_id") or "PORT"})


def _leads(seen: Snapshot, floating_ip: Row) -> bool:
    return bool(floating_ip.get("port_id")) or any(seen.all("port_forwardings", floatingip_id=floating_ip["id"]))


def _gateway(seen: Snapshot, floating_ip: Row) -> Row | None:
    """Of its router, on its network."""
    router = seen.get("routers", floating_ip.get("router_id"))
    found = ports(seen, router, GATEWAY) if router is not None else iter(())
    return next((port for port in found if port["network_id"] == floating_ip["floating_network_id"]), None)
