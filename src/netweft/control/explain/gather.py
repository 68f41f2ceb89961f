"""Reads what checks of one object need, in one transaction.  The only part of this package that asks the store."""

from collections.abc import Callable, Iterable, Mapping

from netweft.control import quotas
from netweft.control.explain.snapshot import Lag, Row, Snapshot
from netweft.control.ipam import addresses
from netweft.control.ipam.subnets import scope
from netweft.control.l2 import hosts
from netweft.control.l2.hosts import HOST
from netweft.control.l2.trunks import PART_OF
from netweft.control.l3 import forwardings
from netweft.control.l3.associations import LEADING
from netweft.control.l3.owners import GATEWAY, INTERFACE, INTERFACES
from netweft.control.lb.external_members import asked_at
from netweft.control.lb.vocabulary import BALANCERS, L7RULES, LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.store import Object, Query, ReadTransaction

# of what a project has too few, by the kind that it is looked at for
COUNTED: Mapping[str, str] = {"networks": "port", "security_groups": "security_group_rule"}
# what works by being named, and by which kind; None: by any
_USERS: Mapping[str, str | None] = {
    "policies": None,
    "security_groups": "ports",
    "address_groups": None,
    "address_scopes": "subnetpools",
    "firewall_policies": "firewall_groups",
    "firewall_rules": "firewall_policies",
}


class Gathering:
    """down_seconds: an agent silent for so long is dead.  limits: quotas, where nobody has said anything."""

    def __init__(self, tx: ReadTransaction, down_seconds: float, limits: Mapping[str, int]) -> None:
        self._tx, self._down_seconds, self._limits = tx, down_seconds, limits
        self.rows: dict[str, dict[str, Row]] = {}
        self._whole: set[str] = set()
        self._rivals: dict[str, tuple[str, ...]] = {}
        self._full: set[str] = set()
        self._unused: set[str] = set()

    def around(self, kind: str, object: Object, lags: Mapping[str, Lag]) -> Snapshot:
        self.add(kind, [object])
        _AROUND[kind](self, object)
        self._quota(kind, object)
        return self.snapshot(lags)

    def snapshot(self, lags: Mapping[str, Lag]) -> Snapshot:
        """Of all that was read."""
        self._agents()
        agents = self.rows.get("agents", {}).values()
        silent = {agent["host"]: hosts.seconds_silent(dict(agent)) for agent in agents}
        return Snapshot(
            rows=self.rows,
            whole=frozenset(self._whole),
            silent={host: seconds for host, seconds in silent.items() if seconds >= self._down_seconds},
            lags=lags,
            rivals=self._rivals,
            used_up=frozenset(id for id, one in self.rows.get("subnets", {}).items() if self._is_used_up(one)),
            full=frozenset(self._full),
            unused=frozenset(self._unused),
        )

    def port(self, port: Object) -> None:
        self.networks([port["network_id"]])
        self.get("trunks", [port.get(PART_OF)])
        self.get("firewall_groups", [port.get(FIREWALL_GROUP)])
        groups = port.get("security_groups") or []
        self.find("security_group_rules", {"security_group_id": groups})
        pairs = [pair["ip_address"] for pair in port.get("allowed_address_pairs") or ()]
        self.find("ports", {"network_id": [port["network_id"]], "fixed_ips.ip_address": pairs})
        on_its_subnets = self._tx.get_many("subnets", {fixed["subnet_id"] for fixed in port["fixed_ips"]}).values()
        gateways = [subnet["gateway_ip"] for subnet in on_its_subnets if subnet["gateway_ip"]]
        of_routers = {"network_id": [port["network_id"]], "device_owner": [INTERFACE]}
        interfaces = self.find("ports", of_routers | {"fixed_ips.ip_address": gateways})
        for router in self.get("routers", [interface["device_id"] for interface in interfaces]):
            self.router(router)
        for one in self.get("floatingips", port.get(LEADING) or ()):
            self._lead(one)

    def networks(self, ids: Iterable[str]) -> None:
        found = self.get("networks", ids)
        self.get("subnets", [id for network in found for id in network["subnets"]])

    def network(self, network: Object) -> None:
        self.networks([network["id"]])
        self.add("agents", self._tx.query("agents"))
        self._whole.add("agents")

    def router(self, router: Object) -> None:
        owners = [INTERFACE, GATEWAY]
        ports = self.find("ports", {"device_id": [router["id"]], "device_owner": owners})
        self.networks([port["network_id"] for port in ports])

    def floating_ip(self, floating_ip: Object) -> None:
        self._lead(floating_ip)
        for port in self.get("ports", [floating_ip.get("port_id")]):
            self.port(port)

    def _lead(self, floating_ip: Object) -> None:
        self.networks([floating_ip["floating_network_id"]])
        self.find(forwardings.KIND, {forwardings.FIP: [floating_ip["id"]]})
        for router in self.get("routers", [floating_ip.get("router_id")]):
            self.router(router)

    def subnet(self, subnet: Object) -> None:
        for network in self.get("networks", [subnet["network_id"]]):
            self.network(network)
        on_it = {"network_id": [subnet["network_id"]]}
        others = [subnet["gateway_ip"] or "", *(subnet.get("dns_nameservers") or ())]
        self.find("ports", on_it | {"fixed_ips.ip_address": others})
        for interface in self.find("ports", on_it | {"device_owner": list(INTERFACES)}):
            for router in self.get("routers", [interface["device_id"]]):
                self.router(router)

    def trunk(self, trunk: Object) -> None:
        for parent in self.get("ports", [trunk["port_id"]]):
            self.port(parent)
        sub_ports = self.get("ports", [sub["port_id"] for sub in trunk["sub_ports"]])
        self.get("networks", [port["network_id"] for port in sub_ports])

    def group(self, group: Object) -> None:
        self.find("security_group_rules", {"security_group_id": [group["id"]]})
        self._users("security_groups", group["id"])

    def rule(self, rule: Object) -> None:
        self.get("security_groups", [rule["security_group_id"], rule.get("remote_group_id")])
        self.get("address_groups", [rule.get("remote_address_group_id")])
        if rule.get("remote_group_id"):
            self._users("security_groups", rule["remote_group_id"])

    def policy(self, policy: Object) -> None:
        self._users("policies", policy["id"])

    def address_group(self, group: Object) -> None:
        self._users("address_groups", group["id"])

    def balancer(self, balancer: Object) -> None:
        self.tree(balancer["id"])

    def member(self, member: Object) -> None:
        """With what judges that which its monitor asks it: its groups' rules, and whether these name the VIP's port."""
        self.tree(member[LOAD_BALANCER])
        groups = [id for port in self.rows["ports"].values() for id in port.get("security_groups") or ()]
        rules = self.find("security_group_rules", {"security_group_id": groups})
        named = sorted({rule["remote_group_id"] for rule in rules if rule.get("remote_group_id")})
        self.get("address_groups", [rule.get("remote_address_group_id") for rule in rules])
        vips = [one["vip_address"] for one in self.rows[BALANCERS].values()]
        self.find("ports", {"security_groups[]": named, "fixed_ips.ip_address": vips})
        self._whole |= {f"members of {group}" for group in named}

    def of_balancer(self, row: Object) -> None:
        """Any part of one."""
        self.tree(row[LOAD_BALANCER])

    def tree(self, balancer_id: str) -> None:
        """With the ports that its members are, as far as these are in its network, or say where they are."""
        found = self.get(BALANCERS, [balancer_id])
        for kind in (LISTENERS, POOLS, MONITORS, POLICIES, L7RULES, MEMBERS):
            self.find(kind, {LOAD_BALANCER: [balancer_id]})
        members = self.rows[MEMBERS].values()
        networks = {one["vip_network_id"] for one in found}
        named = self._tx.get_many("subnets", {one["subnet_id"] for one in members if one.get("subnet_id")}).values()
        networks |= {subnet["network_id"] for subnet in named}
        self.networks(networks)
        at = sorted({asked_at(dict(one)) for one in members})
        self.find("ports", {"network_id": sorted(networks), "fixed_ips.ip_address": at})

    def firewall(self, group: Object) -> None:
        named = [group["ingress_firewall_policy_id"], group["egress_firewall_policy_id"]]
        policies = self.get("firewall_policies", named)
        self.get("firewall_rules", [id for policy in policies for id in policy["firewall_rules"]])

    def firewall_policy(self, policy: Object) -> None:
        self.get("firewall_rules", policy["firewall_rules"])
        self._users("firewall_policies", policy["id"])

    def firewall_rule(self, rule: Object) -> None:
        self._users("firewall_rules", rule["id"])

    def address_scope(self, one: Object) -> None:
        self._users("address_scopes", one["id"])

    def subnetpool(self, pool: Object) -> None:
        """Nothing keeps it from working."""

    def forwarding(self, forwarding: Object) -> None:
        for floating_ip in self.get("floatingips", [forwarding[forwardings.FIP]]):
            self.floating_ip(floating_ip)
        for port in self.get("ports", [forwarding[forwardings.PORT]]):
            self.port(port)

    def agent(self, agent: Object) -> None:
        self._rivals[agent["host"]] = tuple(hosts.rivals(self._tx, agent["host"], agent.get(hosts.TUNNEL_END)))

    # -- rows

    def add(self, kind: str, rows: Iterable[Row]) -> None:
        self.rows.setdefault(kind, {}).update({row["id"]: row for row in rows})

    def get(self, kind: str, ids: Iterable[str | None]) -> list[Object]:
        found = list(self._tx.get_many(kind, {id for id in ids if id}).values())
        self.add(kind, found)
        return found

    def find(self, kind: str, filters: Mapping[str, list[str]]) -> list[Object]:
        found = self._tx.query(kind, Query(filters)) if all(filters.values()) else []
        self.add(kind, found)
        return found

    def _agents(self) -> None:
        """Of the hosts on which ports are that were found."""
        named = {port[HOST] for port in self.rows.get("ports", {}).values()} - {""}
        if named and "agents" not in self._whole:
            self.add("agents", self._tx.query("agents", Query({"host": sorted(named)})))

    def _quota(self, kind: str, object: Object) -> None:
        member, project = COUNTED.get(kind, ""), object.get("project_id")
        if member in self._limits and project:
            limit = quotas.limits(self._tx, project, self._limits)[member]
            if limit != quotas.UNLIMITED and quotas.used(self._tx, member, project) >= limit:
                self._full.add(member)

    def _users(self, kind: str, id: str) -> None:
        source = _USERS[kind]
        if not self._tx.referrers(kind, id, source_kind=source):
            self._unused.add(id)

    def _is_used_up(self, subnet: Row) -> bool:
        """Addresses that ports make themselves never are."""
        return not addresses.is_automatic(dict(subnet)) and self._tx.is_used_up(scope(subnet["id"]))


_AROUND: Mapping[str, Callable[[Gathering, Object], None]] = {
    "ports": Gathering.port,
    "networks": Gathering.network,
    "routers": Gathering.router,
    "floatingips": Gathering.floating_ip,
    "subnets": Gathering.subnet,
    "trunks": Gathering.trunk,
    "security_groups": Gathering.group,
    "security_group_rules": Gathering.rule,
    "address_groups": Gathering.address_group,
    "firewall_groups": Gathering.firewall,
    "policies": Gathering.policy,
    "loadbalancers": Gathering.balancer,
    "firewall_policies": Gathering.firewall_policy,
    "firewall_rules": Gathering.firewall_rule,
    "subnetpools": Gathering.subnetpool,
    "address_scopes": Gathering.address_scope,
    forwardings.KIND: Gathering.forwarding,
    LISTENERS: Gathering.of_balancer,
    MONITORS: Gathering.of_balancer,
    POLICIES: Gathering.of_balancer,
    L7RULES: Gathering.of_balancer,
    "pools": Gathering.of_balancer,
    "members": Gathering.member,
    "agents": Gathering.agent,
}
