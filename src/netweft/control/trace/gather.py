"""Reads what may matter for a packet's way, in one transaction: both ends, and the routers that can be between them."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from netweft.control.explain.gather import Gathering
from netweft.control.explain.snapshot import Row
from netweft.control.l3 import forwardings
from netweft.control.l3.owners import GATEWAY, INTERFACE
from netweft.control.lb.vocabulary import BALANCERS, MEMBERS
from netweft.control.trace.walker import MOST_ROUTERS
from netweft.model.fwaas import DESTINATION_ADDRESSES, FIREWALL_GROUP, SOURCE_ADDRESSES
from netweft.model.load_balancer import LOAD_BALANCER, VIP_DEVICE, VIP_OWNER
from netweft.model.proxy import PROXY_OWNER
from netweft.store import Object, Query, ReadTransaction

MOST_MEMBERS = 50  # of a load balancer, whose ports are looked for
MOST_PORTS = 200  # of a network, where nobody has an address as his own: others may use it


class TraceGathering:
    def __init__(self, tx: ReadTransaction, down_seconds: float) -> None:
        self.base = Gathering(tx, down_seconds, {})
        self._tx = tx
        self._routers: set[str] = set()
        self._trees: set[str] = set()

    def port(self, port: Object) -> None:
        """An end, and whom it sends to what is elsewhere."""
        self.base.add("ports", [port])
        self.base.port(port)
        self._groups(port)
        network = self._tx.get("networks", port["network_id"])
        subnets = self.base.get("subnets", network["subnets"]) if network else []
        hops = [subnet["gateway_ip"] for subnet in subnets]
        hops += [route["nexthop"] for subnet in subnets for route in subnet.get("host_routes") or ()]
        self.addresses([port["network_id"]], filter(None, hops))

    def address(self, address: str) -> None:
        """The destination, wherever on the networks that are reached: a floating IP's, or a port's."""
        for floating in self.base.find("floatingips", {"floating_ip_address": [address]}):
            self.base.floating_ip(floating)
            for port in self.base.get("ports", [floating.get("port_id")]):
                self.port(port)
            self._forwarded(floating)
        reached = {
            subnet["network_id"]
            for subnet in self._seen("subnets")
            if ip_address(address) in ip_network(subnet["cidr"])
        }
        if not self.addresses(reached, [address]):
            for network in reached:
                self.base.add("ports", self._tx.query("ports", Query({"network_id": [network]}, limit=MOST_PORTS)))

    def outside(self, network: Object) -> None:
        self.base.networks([network["id"]])

    def addresses(self, networks: Iterable[str], addresses: Iterable[str]) -> list[Object]:
        """Whoever has them there, and what is behind."""
        filters = {"network_id": sorted(networks), "fixed_ips.ip_address": sorted(set(addresses))}
        found = self.base.find("ports", filters)
        for port in found:
            if port["device_owner"] in (INTERFACE, GATEWAY):
                self._router(port["device_id"])
            else:
                self.base.port(port)
                self._groups(port)
        return found

    def _router(self, id: str) -> None:
        """With those that its routes lead to."""
        if id in self._routers or len(self._routers) > MOST_ROUTERS:
            return
        self._routers.add(id)
        for router in self.base.get("routers", [id]):
            self.base.router(router)
            networks = {port["network_id"] for port in self._seen("ports") if port["device_id"] == id}
            hops = [route["nexthop"] for route in router.get("routes") or ()]
            outside = [one["gateway_ip"] for one in self._seen("subnets") if one["network_id"] in networks]
            self.addresses(networks, filter(None, [*hops, *outside]))

    def _groups(self, port: Row) -> None:
        groups = port.get("security_groups") or []
        self.base.get("security_groups", groups)
        rules = [rule for rule in self._seen("security_group_rules") if rule["security_group_id"] in groups]
        self.base.get("address_groups", [rule["remote_address_group_id"] for rule in rules])

    def members(self, addresses: Iterable[str]) -> None:
        """Whoever has one of these addresses, on whatever network, and is in a group that a rule names."""
        named = {rule["remote_group_id"] for rule in self._seen("security_group_rules")}
        groups = sorted(filter(None, named))
        self.base.find("ports", {"security_groups[]": groups, "fixed_ips.ip_address": sorted(set(addresses))})

    def _forwarded(self, floating: Row) -> None:
        rows = [one for one in self._seen(forwardings.KIND) if one[forwardings.FIP] == floating["id"]]
        for port in self.base.get("ports", [one[forwardings.PORT] for one in rows]):
            self.port(port)

    def settle(self) -> None:
        """The routers that ends and floating IPs brought along."""
        for router in list(self._seen("routers")):
            self._router(router["id"])
        self._balancers()
        self._firewalls()

    def _balancers(self) -> None:
        """Of VIPs that were found: their trees, where HAProxy serves them, and the members that may get something."""
        vips = [port for port in self._seen("ports") if port["device_owner"] == VIP_OWNER]
        for id in {port["device_id"].removeprefix(VIP_DEVICE) for port in vips} - self._trees:
            self._trees.add(id)
            self.base.tree(id)
            self.base.find("ports", {"device_id": [id], "device_owner": [PROXY_OWNER]})
            for balancer in self.base.get(BALANCERS, [id]):
                groups = balancer.get("vip_sg_ids") or []
                self.base.find("security_group_rules", {"security_group_id": groups})
                self._groups({"security_groups": groups})
            members = [one for one in self._seen(MEMBERS) if one[LOAD_BALANCER] == id]
            for address in sorted({one["address"] for one in members})[:MOST_MEMBERS]:
                self.address(address)
            for router in list(self._seen("routers")):
                self._router(router["id"])

    def _firewalls(self) -> None:
        """Of all ports that were found."""
        groups = self.base.get("firewall_groups", [port.get(FIREWALL_GROUP) for port in self._seen("ports")])
        names = ("ingress_firewall_policy_id", "egress_firewall_policy_id")
        policies = self.base.get("firewall_policies", [group.get(name) for group in groups for name in names])
        rules = self.base.get("firewall_rules", [id for policy in policies for id in policy["firewall_rules"]])
        ends = (SOURCE_ADDRESSES, DESTINATION_ADDRESSES)
        self.base.get("address_groups", [rule.get(end) for rule in rules for end in ends])

    def _seen(self, kind: str) -> list[Row]:
        return list(self.base.rows.get(kind, {}).values())
