"""Checks of trunks.  What keeps one of their ports from working is said of that port."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.l2.hosts import HOST

MOST = 20  # sub-ports whose own faults are named


def sub_port_down(seen: Snapshot, trunk: Row) -> Iterator[Told]:
    down = not_wired(seen, trunk)
    if down:
        yield Told(codes.TRUNK_SUB_PORT_DOWN, values={"port": down[0]["id"]})


def sub_port_mtu(seen: Snapshot, trunk: Row) -> Iterator[Told]:
    """A network's MTU may have been changed since."""
    parent = seen.get("ports", trunk["port_id"])
    most = _mtu(seen, parent) if parent is not None else None
    for port in sub_ports(seen, trunk):
        mtu = _mtu(seen, port)
        if most is not None and mtu is not None and mtu > most:
            values = {"mtu": str(most), "network": port["network_id"]}
            yield Told(codes.TRUNK_SUB_PORT_MTU, f"{mtu}, the trunk's: {most}", values, (("ports", port["id"]),))
            return


def not_wired(seen: Snapshot, trunk: Row) -> list[Row]:
    """Its sub-ports that are not, where nothing else of the trunk says why."""
    parent = seen.get("ports", trunk["port_id"])
    if not trunk["admin_state_up"] or parent is None or not parent[HOST]:
        return []
    return [port for port in sub_ports(seen, trunk) if port["status"] != "ACTIVE"]


def sub_ports(seen: Snapshot, trunk: Row) -> Iterator[Row]:
    return seen.many("ports", [sub["port_id"] for sub in trunk["sub_ports"]])


def _mtu(seen: Snapshot, port: Row) -> int | None:
    network = seen.get("networks", port["network_id"])
    return network.get("mtu") if network is not None else None
