"""Port forwardings: ranges of external ports of a floating IP, each forwarded to ports of an internal address.

A forwarding is a row of its own, held by way of its floating IP.  A port has the ids of the floating IPs that forward
to it (kept on it, not shown), so that whoever holds the port holds them, and with them their forwardings.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from netweft.control.errors import PortNotFound
from netweft.control.l3 import associations, attached, gateway_hosts
from netweft.control.l3.errors import (
    BadPortForwardingRequest,
    ExternalGatewayForFloatingIPNotFound,
    FipInUseByPortForwarding,
    FloatingIPPortAlreadyAssociated,
    PortForwardingNotFound,
    PortHasBindingFloatingIP,
    PortHasPortForwarding,
    RouterInterfaceInUseByFloatingIP,
)
from netweft.control.l3.port_ranges import PortRange, parsed
from netweft.control.standard import bumped
from netweft.store import Link, Object, ReadTransaction, WriteTransaction

KIND = "port_forwardings"
FIP, PORT, INSIDE = "floatingip_id", "internal_port_id", "internal_ip_address"
EXTERNAL, INTERNAL = "external_port_range", "internal_port_range"
FORWARDED = "netweft:forwarded_by"  # kept on a port, not shown: the floating IPs that forward to it
ROUTER = "device_id"  # kept, not shown: by which router; rows are found by this attribute at once (decision 0404)
PROTOCOLS: Final = ("tcp", "udp", "sctp")
# What they cost in flows: a range whose ports keep their numbers a few, any other one for each port (decision 0450)
MOST_FLOWS: Final = 2048


def add(tx: WriteTransaction, floating_ip: Object, wanted: Object) -> Object:
    """The floating IP is held alone, with the port inside and the routers that may be between them."""
    id = floating_ip["id"]
    made = {"id": str(uuid.uuid4())} | wanted | {FIP: id, "project_id": floating_ip["project_id"]}
    if floating_ip["port_id"]:
        raise FloatingIPPortAlreadyAssociated(
            floating_ip_address=floating_ip["floating_ip_address"],
            fip_id=id,
            port_id=wanted[PORT],
            fixed_ip=wanted[INSIDE],
            net_id=floating_ip["floating_network_id"],
        )
    made |= _settled(tx, floating_ip, made)
    tx.insert(KIND, made, _links(made))
    _lead(tx, floating_ip, made[ROUTER])
    _mark(tx, made[PORT], id)
    return made


def change(tx: WriteTransaction, floating_ip: Object, current: Object, changes: Object) -> Object:
    after = current | changes
    if PORT in changes and INSIDE not in changes and changes[PORT] != current[PORT]:
        after[INSIDE] = None
    settled = _settled(tx, floating_ip, after)
    links = {PORT: [Link(PORT, "ports", after[PORT])], ROUTER: [Link(ROUTER, attached.KIND, settled[ROUTER])]}
    updated = tx.update(KIND, current["id"], changes | settled, links)
    if after[PORT] != current[PORT]:
        _unmark(tx, current[PORT], floating_ip["id"])
        _mark(tx, after[PORT], floating_ip["id"])
    _lead(tx, floating_ip, settled[ROUTER])
    return updated


def remove(tx: WriteTransaction, floating_ip: Object, current: Object) -> None:
    tx.delete(KIND, current["id"])
    _unmark(tx, current[PORT], floating_ip["id"])
    _lead(tx, floating_ip, floating_ip["router_id"] if of(tx.glance, floating_ip["id"]) else None)


def of(tx: ReadTransaction, floating_ip_id: str) -> list[Object]:
    return _linked(tx, "floatingips", floating_ip_id)


def one(tx: ReadTransaction, floating_ip_id: str, id: str) -> Object:
    found = tx.get(KIND, id)
    if found is None or found[FIP] != floating_ip_id:
        raise PortForwardingNotFound(id=id)
    return found


def exposed(tx: ReadTransaction, floating_ip_ids: Sequence[str]) -> dict[str, list[Object]]:
    """Of each floating IP."""
    found: dict[str, list[Object]] = {id: [] for id in floating_ip_ids}
    referrers = tx.referrers("floatingips", floating_ip_ids, source_kind=KIND) if floating_ip_ids else ()
    rows = tx.get_many(KIND, {referrer.id for referrer in referrers})
    for row in sorted(rows.values(), key=lambda row: str(row["id"])):
        found[row[FIP]].append(row)
    return found


# what others must not break


def refuse_association(tx: WriteTransaction, floating_ip: Object | None, port_id: str) -> None:
    """Before a floating IP is associated with a port: not one with forwardings, nor with a port that has them."""
    if floating_ip is not None and of(tx.glance, floating_ip["id"]):
        raise FipInUseByPortForwarding(id=floating_ip["id"])
    port = tx.glance.get("ports", port_id)
    if port is not None and port.get(FORWARDED):
        raise PortHasPortForwarding(port_id=port_id)


def refuse_used(tx: WriteTransaction, floating_ip: Object) -> None:
    """Before it goes."""
    if of(tx.glance, floating_ip["id"]):
        raise FipInUseByPortForwarding(id=floating_ip["id"])


def refuse_needed(tx: WriteTransaction, router: Object, subnet: Object) -> None:
    """Before a router leaves this subnet; it is held alone."""
    leading = _linked(tx.glance, attached.KIND, router["id"])
    ports = tx.glance.get_many("ports", {one[PORT] for one in leading})
    for row in leading:
        port = ports.get(row[PORT])
        if port is not None and {"subnet_id": subnet["id"], "ip_address": row[INSIDE]} in port["fixed_ips"]:
            raise RouterInterfaceInUseByFloatingIP(router_id=router["id"], subnet_id=subnet["id"])


def leave(tx: WriteTransaction, port: Object, fixed_ips: Iterable[Object] = ()) -> None:
    """Before a port goes, or has these addresses instead: forwardings to any other go too.  All of it is held."""
    kept = {fixed["ip_address"] for fixed in fixed_ips}
    for id, floating_ip in tx.lock_many("floatingips", port.get(FORWARDED) or ()).items():
        for row in of(tx.glance, id):
            if row[PORT] == port["id"] and row[INSIDE] not in kept:
                remove(tx, floating_ip, row)


# what makes one


def _settled(tx: WriteTransaction, floating_ip: Object, wanted: Object) -> Object:
    """What follows from what is requested.  Raises what speaks against it."""
    port = tx.lock("ports", wanted[PORT])
    if port is None:
        raise PortNotFound(id=wanted[PORT])
    fixed = _inside(port, wanted[INSIDE])
    _refuse_others(tx, port, fixed["ip_address"])
    router_id = _router(tx, floating_ip, port, fixed)
    after = wanted | {INSIDE: fixed["ip_address"], ROUTER: router_id}
    _refuse_collision(tx, floating_ip, after)
    return {name: after[name] for name in (INSIDE, ROUTER)} | {
        "floating_ip_address": floating_ip["floating_ip_address"],
        "floating_network_id": floating_ip["floating_network_id"],
    }


def _inside(port: Object, address: str | None) -> Object:
    there = associations.ipv4_of(port)
    if not there:
        reason = f"Requested internal port {port['id']} must allocate an IPv4 address at least"
        raise BadPortForwardingRequest(reason=reason)
    found: Object | None = next((fixed for fixed in there if address in (None, fixed["ip_address"])), None)
    if found is None:
        reason = (
            f"Requested internal IP address {address} is not suitable for internal neutron port {port['id']}, "
            f"as its fixed_ips are {', '.join(fixed['ip_address'] for fixed in there)}"
        )
        raise BadPortForwardingRequest(reason=reason)
    return found


def _refuse_others(tx: WriteTransaction, port: Object, address: str) -> None:
    for floating_ip in tx.glance.get_many("floatingips", port.get(associations.LEADING) or ()).values():
        raise PortHasBindingFloatingIP(
            floating_ip_address=floating_ip["floating_ip_address"],
            fip_id=floating_ip["id"],
            port_id=port["id"],
            fixed_ip=address,
        )


def _router(tx: WriteTransaction, floating_ip: Object, port: Object, fixed: Object) -> str:
    """All of a floating IP's forwardings lead by one."""
    external_id, id = floating_ip["floating_network_id"], floating_ip["id"]
    subnet = tx.get("subnets", fixed["subnet_id"])
    assert subnet is not None  # the port's address on it holds it
    try:
        found = associations.router_between(tx, port, subnet, external_id)
    except ExternalGatewayForFloatingIPNotFound:
        reason = (
            f"External network {external_id} is not reachable from subnet {subnet['id']}. "
            f"Cannot set Port forwarding for port {port['id']} with Floating IP {id}"
        )
        raise BadPortForwardingRequest(reason=reason) from None
    if floating_ip["router_id"] and floating_ip["router_id"] != found:
        reason = (
            f"The Floating IP {id} had been set on router {floating_ip['router_id']}, "
            f"the internal Neutron port {port['id']} can not reach it"
        )
        raise BadPortForwardingRequest(reason=reason)
    return found


def _refuse_collision(tx: WriteTransaction, floating_ip: Object, wanted: Object) -> None:
    external, internal = parsed(wanted[EXTERNAL]), parsed(wanted[INTERNAL])
    if internal.size not in (1, external.size):
        reason = (
            "Invalid ranges of internal and/or external ports. "
            "The relation between internal and external ports must be N-N or 1-N"
        )
        raise BadPortForwardingRequest(reason=reason)
    beside = [one for one in of(tx.glance, floating_ip["id"]) if one["id"] != wanted["id"]]
    _refuse_overlap(EXTERNAL, external, (one for one in beside if one["protocol"] == wanted["protocol"]))
    same = [
        one
        for one in _linked(tx.glance, "ports", wanted[PORT])
        if one["id"] != wanted["id"] and all(one[name] == wanted[name] for name in ("protocol", INSIDE))
    ]
    _refuse_overlap(INTERNAL, internal, same)
    if sum(map(_flows, beside)) + _flows(wanted) > MOST_FLOWS:
        reason = (
            f"The forwardings of floating IP {floating_ip['id']} would name more than {MOST_FLOWS} ports one by one. "
            "A range of ports that keep their numbers counts as one"
        )
        raise BadPortForwardingRequest(reason=reason)


def _refuse_overlap(name: str, wanted: PortRange, rows: Iterable[Object]) -> None:
    for row in rows:
        if (there := parsed(row[name])).overlaps(wanted):
            reason = f"There is a port collision with the {name}. The following ranges collides: {there} and {wanted}"
            raise BadPortForwardingRequest(reason=reason)


def _flows(row: Object) -> int:
    external, internal = parsed(row[EXTERNAL]), parsed(row[INTERNAL])
    return 1 if internal.size == 1 or internal == external else external.size


# the rows


def _links(row: Object) -> list[Link]:
    return [
        Link(FIP, "floatingips", row[FIP]),
        Link(PORT, "ports", row[PORT]),
        Link(ROUTER, attached.KIND, row[ROUTER]),
    ]


def _linked(tx: ReadTransaction, kind: str, id: str) -> list[Object]:
    ids = {referrer.id for referrer in tx.referrers(kind, id, source_kind=KIND)}
    return sorted(tx.get_many(KIND, ids).values(), key=lambda row: str(row["id"]))


def _lead(tx: WriteTransaction, floating_ip: Object, router_id: str | None) -> None:
    """What it says of itself: by which router, and each change here is one of it.  It is with the gateway then."""
    current = tx.lock("floatingips", floating_ip["id"]) or floating_ip
    status = gateway_hosts.floating_status(tx, router_id) if router_id else "DOWN"
    changes = bumped(current, {"router_id": router_id, "status": status} | associations.by_ports(current, router_id))
    link = [Link("router_id", attached.KIND, router_id)] if router_id else []
    tx.update("floatingips", current["id"], changes, {"router_id": link})


def _mark(tx: WriteTransaction, port_id: str, id: str) -> None:
    port = tx.lock("ports", port_id)
    if port is not None and id not in (port.get(FORWARDED) or ()):
        tx.update("ports", port_id, {FORWARDED: sorted({*(port.get(FORWARDED) or ()), id})})


def _unmark(tx: WriteTransaction, port_id: str, id: str) -> None:
    if any(row[PORT] == port_id for row in of(tx.glance, id)):
        return
    port = tx.lock("ports", port_id)
    if port is not None:
        tx.update("ports", port_id, {FORWARDED: [one for one in port.get(FORWARDED) or () if one != id]})
