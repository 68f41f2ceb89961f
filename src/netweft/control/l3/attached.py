"""What a router is attached to: its ports, and the subnets that they make it part of.

Whoever holds the router alone finds it as it will stay: only the router's use cases make and remove its ports.
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from netweft.control.l3.errors import BadRouterRequest
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.control.standard import bumped
from netweft.model.router import EXTRA, GATEWAY_PORT
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

KIND = "routers"
INFO, GATEWAYS = "external_gateway_info", "external_gateways"


class Requester(NamedTuple):
    """For whom something is done to a router."""

    project_id: str | None
    is_admin: bool


def interfaces(tx: ReadTransaction, router_id: str) -> list[Object]:
    return _ports(tx, router_id, INTERFACE)


def ports(tx: ReadTransaction, router_id: str) -> list[Object]:
    """With the gateway."""
    return _ports(tx, router_id, INTERFACE, GATEWAY)


def gateways(tx: ReadTransaction, router_id: str) -> list[Object]:
    return _ports(tx, router_id, GATEWAY)


def gateway_ports(router: Object) -> list[str]:
    """Their ids, in order: the first is `external_gateway_info`'s."""
    return [*filter(None, [router.get(GATEWAY_PORT)]), *(router.get(EXTRA) or ())]


def networks(ports: Iterable[Object]) -> list[str]:
    return sorted({port["network_id"] for port in ports if port["device_owner"] == INTERFACE})


def subnets_of(tx: WriteTransaction, port: Object) -> list[Object]:
    """Those that it has an address on.  They cannot go meanwhile, nor become others."""
    ids = list(dict.fromkeys(fixed["subnet_id"] for fixed in port["fixed_ips"]))
    found = tx.glance.get_many("subnets", ids)
    return [found[id] for id in ids]


def reached(tx: WriteTransaction, port: Object) -> list[Object]:
    """The subnets that a port takes the router to: a gateway to all of its network."""
    if port["device_owner"] != GATEWAY:
        return subnets_of(tx, port)
    network = tx.get("networks", port["network_id"])
    return list(tx.glance.get_many("subnets", network["subnets"]).values()) if network else []


def follow(tx: WriteTransaction, port: Object) -> None:
    """After the addresses of a port changed: if it is a gateway, its router says the same."""
    router = tx.lock(KIND, port["device_id"]) if port["device_owner"] == GATEWAY else None
    if router is not None and port["id"] in (router.get(EXTRA) or ()):
        tx.update(KIND, router["id"], bumped(router, {}))
    elif router is not None and router.get(GATEWAY_PORT) == port["id"]:
        info = router[INFO] | {"external_fixed_ips": port["fixed_ips"]}
        tx.update(KIND, router["id"], bumped(router, {INFO: info}))


def refuse_overlap(tx: WriteTransaction, attached: Iterable[Object], new: Sequence[Object]) -> None:
    """Of these subnets with what the router is attached to by these ports: it could not tell where to send a packet."""
    new_ids = {subnet["id"] for subnet in new}
    there = []
    for port in attached:
        for fixed in port["fixed_ips"]:
            if fixed["subnet_id"] in new_ids:
                raise BadRouterRequest(reason=f"Router already has a port on subnet {fixed['subnet_id']}")
        there += reached(tx, port)
    for one, other in _overlapping(there, new):
        reason = f"Cidr {other['cidr']} of subnet {other['id']} overlaps with cidr {one['cidr']} of subnet {one['id']}"
        raise BadRouterRequest(reason=reason)


def _overlapping(there: Iterable[Object], new: Sequence[Object]) -> Iterator[tuple[Object, Object]]:
    for one in there:
        for other in new:
            if one["ip_version"] == other["ip_version"] and ip_network(one["cidr"]).overlaps(ip_network(other["cidr"])):
                yield one, other


def _ports(tx: ReadTransaction, router_id: str, *owners: str) -> list[Object]:
    return tx.query("ports", Query({"device_id": [router_id], "device_owner": list(owners)}))
