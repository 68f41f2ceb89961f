"""Load balancers: each listener is one of OVN's, on the switches from which its clients come.

A connection gets its member on its client's switch, before an address is looked up there: that of the VIP's network,
and of those behind its routers.  The VIP is the only address of a small router of its own, which answers ARP, ND and
ping for it with the MAC of the VIP's port, and leads what was given a member back into the network.  Floating IPs of a
VIP are a second row, on the router that has them.
"""

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any, Final

from netweft.model.load_balancer import NETWORK, SOURCE_IP, VIP_ADDRESSES, VIP_MAC
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import limits
from netweft.plugins.mechanisms.ovn.members import Members, end, version
from netweft.plugins.mechanisms.ovn.rows import (
    INTERFACE,
    Rows,
    port_key,
    router_key,
    router_port_key,
    router_port_name,
    switch_key,
)
from netweft.plugins.mechanisms.ovn.schema import key, row

_TABLE: Final = "Load_Balancer"
_BY_CLIENT: Final = ["ip_dst", "ip_src"]  # what a member is chosen by; nothing: all of a connection's ends


class Balancing:
    """wanted: rows, and what is refused.  switches, routers: the rows that each has to have, by its own key."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.members = Members(rows)
        self.wanted: dict[str, Wanted] = {}
        self.switches: dict[str, list[str]] = defaultdict(list)
        self.routers: dict[str, list[str]] = defaultdict(list)
        for one in rows.balancers.values():
            networks = _reached(rows, one[NETWORK])
            # else no host of OVN's has clients of it
            if one["admin_state_up"] and not rows.networks_here.isdisjoint(networks):
                self._balancer(one, sorted(networks))

    def _balancer(self, balancer: Row, networks: Iterable[str]) -> None:
        self.wanted |= _answering(self._rows, balancer)
        vips = [vip["ip_address"] for vip in balancer[VIP_ADDRESSES]]
        floating = [
            one for one in self._rows.floating_of[balancer["vip_port_id"]] if one.get("router_id") in self._rows.routers
        ]
        for listener in self._rows.listeners_of[balancer["id"]]:
            if not listener["admin_state_up"] or not self._can(balancer, listener):
                continue
            name = self._serve(balancer, listener, f"listener-{listener['id']}", vips)
            for network in networks:
                self.switches[switch_key(network)].append(name)
            if floating:
                outside = [one["floating_ip_address"] for one in floating]
                name = self._serve(balancer, listener, f"listener-{listener['id']}-floating", outside)
                # on switches, too: ovn-controller hears of those balancers only, and ends connections to who is removed
                for network in networks:
                    self.switches[switch_key(network)].append(name)
                for router in sorted({one["router_id"] for one in floating}):
                    self.routers[router_key(router)].append(name)

    def _can(self, balancer: Row, listener: Row) -> bool:
        pool = self._pool(listener)
        members = self._rows.members_of[pool["id"]] if pool else []
        if why := limits.of_listener(balancer, listener, pool, members):
            self._refuse(balancer, "listeners", listener["id"], why)
            return False
        monitor = self._rows.monitors_of.get(pool["id"]) if pool else None
        if monitor and (why := limits.of_monitor(monitor, members)):
            self._refuse(balancer, "healthmonitors", monitor["id"], why)
        return True

    def _pool(self, listener: Row) -> Row | None:
        return self._rows.pools.get(listener["default_pool_id"] or "")

    def _refuse(self, balancer: Row, kind: str, id: str, why: str) -> None:
        told = frozenset({str(balancer["vip_port_id"])})
        self.wanted[key(_TABLE, f"{kind} {id}")] = Wanted(None, told, why, frozenset({(kind, str(id))}))

    def _serve(self, balancer: Row, listener: Row, name: str, addresses: Iterable[str]) -> str:
        pool, parent = self._pool(listener), key(_TABLE, name)
        places = self.members.places(balancer, pool)
        vips = {
            end(address, listener["protocol_port"]): ",".join(
                end(*place) for place in places if version(place[0]) == version(address)
            )
            for address in addresses
        }
        watch = self.members.watch(balancer, pool) if pool else None
        columns: dict[str, Any] = {
            "name": name,
            "protocol": limits.TRANSPORT[listener["protocol"]],
            "vips": vips,
            "options": {"reject": "true", "ct_flush": "true"},  # what is led to a member that goes ends
            "selection_fields": _BY_CLIENT if pool and _keeps_clients(pool) else [],
            "ip_port_mappings": watch.mappings if watch else {},
        }
        of = frozenset({str(balancer["vip_port_id"])}), "", frozenset({("listeners", str(listener["id"]))})
        self.wanted[parent] = Wanted(row(columns), *of)
        for vip in vips if watch else ():
            check = {"vip": vip, "options": watch.options if watch else {}}
            self.wanted[key("Load_Balancer_Health_Check", f"{name} {vip}")] = Wanted(row(check, parent), *of)
        return parent


def _reached(rows: Rows, network: str) -> set[str]:
    """The VIP's, and those that a router joins with it: there nobody else can have its address."""
    found = {network}
    for router in rows.routers_of[network]:
        found |= {port["network_id"] for port in rows.router_ports[router] if port["device_owner"] == INTERFACE}
    return found & rows.networks.keys()


def _keeps_clients(pool: Row) -> bool:
    return pool["lb_algorithm"] == SOURCE_IP or bool(pool.get("session_persistence"))


def _answering(rows: Rows, balancer: Row) -> dict[str, Wanted]:
    port, name = balancer["vip_port_id"], f"lb-{balancer['id']}"
    networks = [
        f"{vip['ip_address']}/{ip_network(rows.subnets[vip['subnet_id']]['cidr']).prefixlen}"
        for vip in balancer[VIP_ADDRESSES]
        if vip["subnet_id"] in rows.subnets
    ]
    leads = {"name": router_port_name(port), "mac": balancer[VIP_MAC], "networks": networks}
    options = {"router-port": router_port_name(port)}
    side = {"name": port, "type": "router", "addresses": ["router"], "options": options}
    of = frozenset({str(port)}), "", frozenset({("loadbalancers", str(balancer["id"]))})
    router = key("Logical_Router", name)
    return {
        router: Wanted(row({"name": name, "enabled": True}), *of),
        router_port_key(port): Wanted(row(leads, router), *of),
        port_key(port): Wanted(row(side, switch_key(balancer[NETWORK])), *of),
    }
