"""Through routers: which interface, which route, what is translated, by the rows of the API."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from netweft.control.explain import codes as known
from netweft.control.explain.routers import ports as ports_of
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.ipam.address_scopes import OF_NETWORK
from netweft.control.l3 import forwardings
from netweft.control.l3.attached import INFO
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.control.l3.port_ranges import parsed
from netweft.control.trace import codes
from netweft.control.trace.packet import WITH_PORTS
from netweft.control.trace.way import Way, holds, subnets_of
from netweft.model.network import NAT66
from netweft.model.router import ADDRESS_MAC

__all__ = ["ADDRESS_MAC", "ports_of"]

_UNIQUE_LOCAL: Final = ip_network("fc00::/7")
CONNECTED, EXTRA, DEFAULT = "connected", "extra route", "default route"


class Route(NamedTuple):
    """port: the router's, by which it leaves.  next_hop: empty for what is on the link."""

    kind: str
    destination: str
    port: Row
    next_hop: str = ""


def is_its_own(seen: Snapshot, router: Row, address: str) -> bool:
    """Whether the router has the address itself."""
    mine = (port for owner in (INTERFACE, GATEWAY) for port in ports_of(seen, router, owner))
    return any(fixed["ip_address"] == address for port in mine for fixed in port["fixed_ips"])


def route(seen: Snapshot, router: Row, address: str) -> Route | None:
    """The one that holds: the longest prefix, of two equal ones the connected."""
    found = _routes(seen, router, ip_address(address).version)
    fitting = [one for one in found if ip_address(address) in ip_network(one.destination)]
    return max(fitting, key=lambda one: (ip_network(one.destination).prefixlen, one.kind == CONNECTED), default=None)


def _routes(seen: Snapshot, router: Row, version: int) -> Iterator[Route]:
    connected = [(subnet, port) for port in ports_of(seen, router, INTERFACE) for subnet in _on(seen, port)]
    outside = [(subnet, port) for port in ports_of(seen, router, GATEWAY) for subnet in _reached(seen, port)]
    for subnet, port in (*connected, *outside):
        if subnet["ip_version"] == version:
            yield Route(CONNECTED, subnet["cidr"], port)
    for said in router.get("routes") or ():
        if ip_network(said["destination"]).version != version:
            continue
        for subnet, port in (*connected, *outside):
            if subnet["ip_version"] == version and holds(subnet, said["nexthop"]):
                yield Route(EXTRA, said["destination"], port, said["nexthop"])
                break
    first = next(ports_of(seen, router, GATEWAY), None)
    if first is not None and any(subnet["ip_version"] == version for subnet in _reached(seen, first)):
        gateways = (one["gateway_ip"] for one in _reached(seen, first) if one["ip_version"] == version)
        yield Route(DEFAULT, "0.0.0.0/0" if version == 4 else "::/0", first, next(filter(None, gateways), ""))


def _on(seen: Snapshot, port: Row) -> Iterator[Row]:
    return seen.many("subnets", {fixed["subnet_id"] for fixed in port["fixed_ips"]})


def _reached(seen: Snapshot, port: Row) -> Iterator[Row]:
    """A gateway reaches all of its network."""
    network = seen.get("networks", port["network_id"])
    return subnets_of(seen, network) if network is not None else iter(())


def scope_of(network: Row | None, version: int) -> str | None:
    return network.get(OF_NETWORK[version]) if network is not None else None


def enters(seen: Snapshot, way: Way, router: Row, port: Row) -> None:
    """What the router itself lacks, and the interface."""
    way.check(seen, "routers", router, known.ROUTER_ADMIN_DOWN)
    _interface(seen, way, router, port)
    way.routers.append(router["id"])


def _interface(seen: Snapshot, way: Way, router: Row, port: Row) -> None:
    if port["device_owner"] == INTERFACE and not port["admin_state_up"]:
        way.stops(known.ROUTER_INTERFACE_DOWN, "routers", router, port=port["id"])


def leaves_by(seen: Snapshot, way: Way, router: Row, port: Row, came_from: Row | None) -> None:
    """Into another network: scopes, and whether what leaves by the gateway finds it."""
    _interface(seen, way, router, port)
    outside = port["device_owner"] == GATEWAY
    into = seen.get("networks", port["network_id"])
    if outside:
        gateway = (known.ROUTER_GATEWAY_NOWHERE, known.ROUTER_GATEWAY_DEAD, known.ROUTER_GATEWAY_BEHIND)
        way.check(seen, "routers", router, *gateway)
    if came_from is None or into is None:
        return
    version = way.packet.version
    external, inner = (into, way.packet.src) if outside else (came_from, way.packet.dst)
    by_nat = external.get("router:external") and (version == 4 or nat66(router, external, inner))
    if not by_nat and scope_of(came_from, version) != scope_of(into, version):
        way.stops(codes.SCOPES_DIFFER, "routers", router)


# -- what is translated


def from_outside(seen: Snapshot, way: Way, router: Row) -> bool:
    """By a floating IP or one of its forwarded ports.  False: it ends here, since this port is not forwarded."""
    address = way.packet.dst
    floating = next(seen.all("floatingips", floating_ip_address=address, router_id=router["id"]), None)
    if floating is None:
        return True
    way.check(seen, "floatingips", floating)
    if floating.get("port_id"):
        way.step("floatingips", floating, f"translates {address} to {floating['fixed_ip_address']}")
        way.translate(router, "dst", floating["fixed_ip_address"], way.packet.dport)
        return True
    forwarding = _forwarding(seen, floating, way)
    if forwarding is None:
        values = {"port": str(way.packet.dport), "protocol": way.packet.name}
        way.stops(codes.NOT_FORWARDED, "floatingips", floating, str(way.packet), **values)
        return False
    first, last = parsed(forwarding[forwardings.EXTERNAL]), parsed(forwarding[forwardings.INTERNAL])
    port = last.first + (way.packet.dport - first.first if last.size > 1 else 0)
    way.step("floatingips", floating, f"forwards {way.packet.name} {way.packet.dport} to port {port} of "
             f"{forwarding[forwardings.INSIDE]}")  # fmt: skip
    way.translate(router, "dst", forwarding[forwardings.INSIDE], port)
    return True


def _forwarding(seen: Snapshot, floating: Row, way: Way) -> Row | None:
    if way.packet.protocol not in WITH_PORTS:
        return None
    for one in seen.all(forwardings.KIND, floatingip_id=floating["id"], protocol=way.packet.name):
        ports = parsed(one[forwardings.EXTERNAL])
        if ports.first <= way.packet.dport <= ports.last:
            return one
    return None


def to_outside(seen: Snapshot, way: Way, router: Row, gateway: Row, came_from: Row | None) -> None:
    """IPv4: by a floating IP, or by SNAT, or not at all.  IPv6: by NAT66, or as it is."""
    packet = way.packet
    network = seen.get("networks", gateway["network_id"])
    outside, inside = (scope_of(one, packet.version) for one in (network, came_from))
    if packet.version == 6:
        its, as_it_is = _ipv6_of(gateway), outside is not None and outside == inside
        if its and not as_it_is and network is not None and nat66(router, network, packet.src):
            way.step("routers", router, f"NAT66: makes {its} of {packet.src}")
            way.translate(router, "src", its, packet.sport)
        return
    floating = _floating_of(seen, router, gateway, packet.src)
    if floating is not None:
        way.step("floatingips", floating, f"makes {floating['floating_ip_address']} of {packet.src}")
        way.translate(router, "src", floating["floating_ip_address"], packet.sport)
        return
    own = next((fixed["ip_address"] for fixed in gateway["fixed_ips"] if "." in fixed["ip_address"]), "")
    if snat(router) and own and not (outside is not None and outside == inside):
        way.step("routers", router, f"SNAT: makes {own} of {packet.src}")
        way.translate(router, "src", own, packet.sport)
    elif not snat(router) and outside != inside:
        way.stops(codes.SCOPES_DIFFER, "routers", router)


def _floating_of(seen: Snapshot, router: Row, gateway: Row, address: str) -> Row | None:
    """Whose it is says its router; on this gateway's network."""
    its = {"router_id": router["id"], "fixed_ip_address": address, "floating_network_id": gateway["network_id"]}
    found = (one for one in seen.all("floatingips", **its) if one.get("port_id"))
    return next(found, None)


def nat66(router: Row, external: Row, address: str) -> bool:
    """Whether this address inside is one that leaves as the gateway's only."""
    return snat(router) and bool(external.get(NAT66)) and ip_address(address) in _UNIQUE_LOCAL


def answers_only(router: Row, external: Row, address: str) -> bool:
    """Whether nothing else comes in for this address."""
    return snat(router) if "." in address else nat66(router, external, address)


def _ipv6_of(gateway: Row) -> str:
    """The first that is of use outside; else the first."""
    own = [ip_address(fixed["ip_address"]) for fixed in gateway["fixed_ips"] if ":" in fixed["ip_address"]]
    return str(next(iter(sorted(own, key=_UNIQUE_LOCAL.__contains__)), ""))


def snat(router: Row) -> bool:
    return bool((router.get(INFO) or {}).get("enable_snat", True))
