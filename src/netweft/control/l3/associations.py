"""Which floating IP is associated with which port, by which router: the rows that say so, and what must not break it.

A floating IP names its port and router; a port has the ids of its floating IPs (kept on it, not shown),
so that whoever holds the port holds them too.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

from netweft.control import qos
from netweft.control.ipam import addresses
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import attached
from netweft.control.l3.attached import INFO
from netweft.control.l3.errors import (
    BadPortRequest,
    ExternalGatewayForFloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
    RouterInterfaceInUseByFloatingIP,
)
from netweft.control.l3.owners import INTERFACE
from netweft.control.standard import bumped
from netweft.model.connections import CAME_FROM
from netweft.model.router import EXTRA, LED, LED_ON
from netweft.store import Busy, Claim, Link, Object, Query, ReadTransaction, Taken, WriteTransaction

KIND = "floatingips"
# Kept on a port, and on a floating IP, not shown: those that lead there; the port that holds its address.
LEADING, ADDRESS_PORT = "netweft:floating_ips", "netweft:address_port"
FORWARDED_TO = "netweft:forwarded_to"  # what a request names of a floating IP: the ports of its forwardings
SEVERAL = "*"  # hosts
Row: TypeAlias = tuple[str, str]
_NOWHERE: Object = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}


class Lead(NamedTuple):
    """Where a floating IP is to lead: an address of a port, and the router by which that is reached.  All are held.
    status: what the floating IP's is there."""

    port: Object
    address: str
    router_id: str
    status: str

    def said(self) -> Object:
        by = {"port_id": self.port["id"], "fixed_ip_address": self.address, "router_id": self.router_id}
        return by | {"status": self.status}

    def led_on(self, before: str) -> str:
        """Once it is associated there, too.  Where the port is nowhere the gateway's node has it."""
        host = self.port[HOST] or SEVERAL
        return host if before in ("", host) else SEVERAL


def insert(tx: WriteTransaction, floating_ip: Object, lead: Lead | None) -> Object:
    """A new one, which has the port with its address already."""
    new = (
        floating_ip
        | (lead.said() if lead else _NOWHERE)
        | {LED_ON: lead.led_on("") if lead else "", LED: 1 if lead else 0}
    )
    own = [
        Link("floating_network_id", "networks", new["floating_network_id"]),
        Link(ADDRESS_PORT, "ports", new[ADDRESS_PORT]),
    ]
    with _refusing(new):
        tx.insert(KIND, new, [*own, *links(new), *qos.links(new)], [_claim(new)] if lead else [])
    if lead:
        _mark(tx, lead.port, new["id"])
    return new


def associate(tx: WriteTransaction, current: Object, lead: Lead, changes: Object) -> Object:
    """changes: of the floating IP, besides."""
    after = current | lead.said()
    if (claim := _claim(after)) != _claim(current):
        _let_go(tx, current)
        with _refusing(after):
            tx.claim(KIND, current["id"], [claim])
        _mark(tx, tx.lock("ports", lead.port["id"]) or lead.port, current["id"])
    said = lead.said()
    led: Object = {LED_ON: lead.led_on(current.get(LED_ON, SEVERAL))}
    if any(said[name] != current[name] for name in ("port_id", "router_id")):
        led[LED] = _led(current) + 1
    return write(tx, current, changes | said | led)


def has_alone(tx: WriteTransaction, host: str, id: str, led: int) -> None:
    """This host says that it has it now and nobody else: it has asked, or was notified that it was let go.  led: how
    often it had been associated anew when it did so.  That counts while it has the same port as then, and where
    that has been before its move was reported."""
    current = tx.lock(KIND, id)
    if current is None or not current["port_id"] or _led(current) != led or current.get(LED_ON) == host:
        return
    port = tx.lock("ports", current["port_id"])
    if port is not None and port[HOST] == host and not port.get(CAME_FROM):
        tx.update(KIND, id, {LED_ON: host})


def by_ports(floating_ip: Object, router_id: str | None) -> Object:
    """How often it was associated anew, and where, once ports of it are forwarded by this router, so that it is with
    the gateway; None: no longer."""
    goes_there = router_id is not None and (floating_ip["port_id"] or not floating_ip["router_id"])
    return {LED_ON: SEVERAL, LED: _led(floating_ip) + bool(goes_there)}


def _led(floating_ip: Object) -> int:
    """Of one from before this was counted: once, if ever."""
    led = floating_ip.get(LED)
    return int(led) if led is not None else int(bool(floating_ip.get(LED_ON, SEVERAL)))


def dissociate(tx: WriteTransaction, current: Object, changes: Object | None = None) -> Object:
    """It is disassociated."""
    _let_go(tx, current)
    return write(tx, current, (changes or {}) | _NOWHERE)


def leave(tx: WriteTransaction, port: Object) -> None:
    """Before a port goes."""
    for floating_ip in tx.lock_many(KIND, port.get(LEADING) or ()).values():
        dissociate(tx, floating_ip)


def refuse_loss(tx: WriteTransaction, port: Object, fixed_ips: Iterable[Object]) -> None:
    """Before a port has these addresses instead."""
    kept = {fixed["ip_address"] for fixed in fixed_ips}
    for floating_ip in tx.glance.get_many(KIND, port.get(LEADING) or ()).values():
        if floating_ip["fixed_ip_address"] not in kept:
            reason = (
                f"Cannot update the fixed_ips of the port {port['id']}, because its original fixed_ip has been "
                "associated to a floating ip"
            )
            raise BadPortRequest(reason=reason)


def refuse_needed(tx: WriteTransaction, router: Object, subnet: Object) -> None:
    """Before a router leaves this subnet; it is held alone."""
    ids = {referrer.id for referrer in tx.referrers(attached.KIND, router["id"], source_kind=KIND)}
    leading = tx.glance.get_many(KIND, ids).values()
    ports = tx.glance.get_many("ports", {one["port_id"] for one in leading if one["port_id"]})
    for one in leading:
        port = ports.get(one["port_id"])
        if port is not None and {"subnet_id": subnet["id"], "ip_address": one["fixed_ip_address"]} in port["fixed_ips"]:
            raise RouterInterfaceInUseByFloatingIP(router_id=router["id"], subnet_id=subnet["id"])


def remove_unused(tx: WriteTransaction, network_id: str) -> None:
    """Before an external network goes, or is external no longer: floating IPs that lead nowhere go with it.  It is held
    alone, so that none is made or used there."""
    referrers = tx.referrers("networks", network_id, source_kind=KIND)
    for floating_ip in tx.lock_many(KIND, {referrer.id for referrer in referrers}).values():
        if floating_ip["router_id"] is None:
            remove(tx, floating_ip)


def remove(tx: WriteTransaction, floating_ip: Object) -> None:
    """With the port that holds its address."""
    _let_go(tx, floating_ip)
    tx.delete(KIND, floating_ip["id"])
    tx.delete("ports", floating_ip[ADDRESS_PORT])


def router_between(tx: WriteTransaction, port: Object, subnet: Object, external_id: str) -> str:
    """The router by which an address of this port is reached from there.  It stays so: it is held."""
    found = _interfaces(tx.glance, port["network_id"], subnet)
    held = tx.get_many(attached.KIND, {interface["device_id"] for interface in found})
    for interface in found:
        router = held.get(interface["device_id"])
        if router is not None and _leads_to(tx, router, external_id):
            if _is_on(tx.glance.get("ports", interface["id"]), router, subnet):
                return str(router["id"])
            raise Busy("a router has just left")
    raise ExternalGatewayForFloatingIPNotFound(
        subnet_id=subnet["id"], external_network_id=external_id, port_id=port["id"]
    )


def routers_for(tx: ReadTransaction, wanted: Object) -> Iterator[Row]:
    """Those of which one may lead to one of these ports: to be locked before anything is decided."""
    named = {wanted.get("port_id"), *(wanted.get(FORWARDED_TO) or ())} - {None}
    for port in tx.get_many("ports", named).values():
        subnets = tx.get_many("subnets", {fixed["subnet_id"] for fixed in ipv4_of(port)})
        for subnet in subnets.values():
            for interface in _interfaces(tx, port["network_id"], subnet):
                yield attached.KIND, interface["device_id"]


def _interfaces(tx: ReadTransaction, network_id: str, subnet: Object) -> list[Object]:
    """Of routers on this subnet, first the one that hosts there send to."""
    on_subnet = {"network_id": [network_id], "device_owner": [INTERFACE], "fixed_ips.subnet_id": [subnet["id"]]}
    gateway = {"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}
    return sorted(tx.query("ports", Query(on_subnet)), key=lambda port: gateway not in port["fixed_ips"])


def _leads_to(tx: ReadTransaction, router: Object, external_id: str) -> bool:
    """By any of its gateways."""
    if not router[INFO]:
        return False
    more = tx.get_many("ports", router.get(EXTRA) or ())
    return external_id in (router[INFO]["network_id"], *(port["network_id"] for port in more.values()))


def _is_on(interface: Object | None, router: Object, subnet: Object) -> bool:
    """Still, now that the router is held."""
    if interface is None or interface["device_id"] != router["id"]:
        return False
    return any(fixed["subnet_id"] == subnet["id"] for fixed in interface["fixed_ips"])


def ipv4_of(port: Object) -> list[Object]:
    return [fixed for fixed in port["fixed_ips"] if addresses.version_of(fixed["ip_address"]) == 4]


def links(floating_ip: Object) -> list[Link]:
    """But for the network and the port of its own address, which it always has."""
    named = (("port_id", "ports"), ("router_id", attached.KIND))
    return [Link(name, kind, floating_ip[name]) for name, kind in named if floating_ip[name]]


def write(tx: WriteTransaction, current: Object, changes: Object) -> Object:
    """With what links follow from it."""
    new = {
        name: [link for link in links(current | changes) if link.attribute == name] for name in ("port_id", "router_id")
    }
    new |= {qos.POLICY: qos.links(changes)} if qos.POLICY in changes else {}
    return tx.update(KIND, current["id"], bumped(current, changes), new)


def _mark(tx: WriteTransaction, port: Object, id: str) -> None:
    tx.update("ports", port["id"], {LEADING: sorted({*(port.get(LEADING) or ()), id})})


@contextmanager
def _refusing(after: Object) -> Iterator[None]:
    """That two of one external network lead to one address."""
    try:
        yield
    except Taken as taken:
        raise FloatingIPPortAlreadyAssociated(
            floating_ip_address=after["floating_ip_address"],
            fip_id=after["id"],
            port_id=after["port_id"],
            fixed_ip=after["fixed_ip_address"],
            net_id=after["floating_network_id"],
        ) from taken


def _let_go(tx: WriteTransaction, current: Object) -> None:
    """Of its port, if any."""
    if not current["port_id"]:
        return
    tx.release(KIND, current["id"], [_claim(current)])
    port = tx.lock("ports", current["port_id"])
    if port is not None:
        tx.update("ports", port["id"], {LEADING: [id for id in port.get(LEADING) or () if id != current["id"]]})


def _claim(floating_ip: Object) -> Claim:
    """One for each fixed address and external network."""
    scope = f"floating_ip:{floating_ip['floating_network_id']}:{floating_ip['port_id']}"
    return Claim(scope, str(floating_ip["fixed_ip_address"]))
