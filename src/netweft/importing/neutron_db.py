"""Neutron's database, by the names of its tables and columns (neutron.db, Neutron 29; older ones lack some of them).

Read only.  A table that is not there is empty: it belongs to an extension that this Neutron has not.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from netweft.importing import neutron_rest
from netweft.importing.cloud import NOT_AS_WRITTEN, Cloud, Unreadable, without_service_ports
from netweft.store import Object

Row: TypeAlias = Mapping[str, Any]
_INTERFACE = "network:router_interface"
_INTERFACES = frozenset({_INTERFACE, "network:router_interface_distributed", "network:ha_router_replicated_interface"})
_GATEWAY, _FLOATING = "network:router_gateway", "network:floatingip"
# table of RBAC entries -> what they share
_RBAC = {
    "networkrbacs": "network",
    "qospolicyrbacs": "qos_policy",
    "securitygrouprbacs": "security_group",
    "addressgrouprbacs": "address_group",
    "addressscoperbacs": "address_scope",
    "subnetpoolrbacs": "subnetpool",
}
_QOS_RULES = {
    "qos_bandwidth_limit_rules": "bandwidth_limit",
    "qos_packet_rate_limit_rules": "packet_rate_limit",
    "qos_dscp_marking_rules": "dscp_marking",
    "qos_minimum_bandwidth_rules": "minimum_bandwidth",
    "qos_minimum_packet_rate_rules": "minimum_packet_rate",
}
_ANY_PROJECT = "default"  # of Neutron's quotas: not a project
_HIDDEN_PROJECTS = frozenset({"", None})


def read(url: str) -> Cloud:
    """url: SQLAlchemy's, as in neutron.conf's [database] connection.  Raises Unreadable."""
    try:
        engine = create_engine(url, hide_parameters=True)
    except ImportError as error:
        raise Unreadable(f"the database's driver is not installed here: {error}") from None
    except (ArgumentError, NoSuchModuleError) as error:
        raise Unreadable(f"the database's address is not understood: {error}") from None
    try:
        with engine.connect() as connection:
            return _Database(connection).cloud()
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise Unreadable(f"Neutron's database: {str(cause).splitlines()[0]}") from None
    except NOT_AS_WRITTEN as error:
        raise Unreadable(f"Neutron's database is not as Neutron writes it: {type(error).__name__}: {error}") from error
    finally:
        engine.dispose()


class _Database:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables = set(inspect(connection).get_table_names())
        if not {"networks", "ports", "standardattributes"} <= self._tables:
            raise Unreadable("this is no database of Neutron's: it has no tables networks, ports, standardattributes")
        self._standard = {row["id"]: row for row in self._rows("standardattributes")}
        self._tags: dict[int, list[str]] = defaultdict(list)
        for row in self._rows("tags"):
            self._tags[row["standard_attr_id"]].append(row["tag"])

    def cloud(self) -> Cloud:
        ports, left_out = without_service_ports(self._ports())
        by_id = {port["id"]: port for port in ports}
        own = [port for port in ports if port["device_owner"] not in (_GATEWAY, _FLOATING)]
        return Cloud(
            {
                "address_scopes": [_without(row, "shared") for row in self._rows("address_scopes")],
                "subnetpools": self._subnet_pools(),
                "policies": self._policies(),
                "networks": self._networks(),
                "subnets": self._subnets(),
                "rbac_policies": self._rbac_policies(),
                "address_groups": self._address_groups(),
                "security_groups": self._security_groups(),
                "security_group_rules": [self._described(row) for row in self._rows("securitygrouprules")],
                "ports": own,
                "trunks": self._trunks(),
                "routers": self._routers(by_id),
                "floatingips": self._floating_ips(by_id),
                "metering_labels": [_without(row) for row in self._rows("meteringlabels")],
                "metering_label_rules": [_without(row) for row in self._rows("meteringlabelrules")],
                "quotas": self._quotas(),
            },
            [*left_out, *neutron_rest.left_out(self._rows)],
        )

    # -- rows

    def _rows(self, table: str) -> list[Row]:
        if table not in self._tables:
            return []
        name = self._connection.dialect.identifier_preparer.quote(table)
        return [dict(row) for row in self._connection.exec_driver_sql(f"SELECT * FROM {name}").mappings()]

    def _of(self, table: str, key: str) -> dict[str, list[Row]]:
        """key -> the rows that belong to it."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows(table):
            found[row[key]].append(row)
        return found

    def _column(self, table: str, key: str, value: str) -> dict[str, Any]:
        return {row[key]: row[value] for row in self._rows(table)}

    def _described(self, row: Row) -> Object:
        """With what every resource has."""
        standard = self._standard.get(row.get("standard_attr_id"), {})
        tags = sorted(self._tags.get(row.get("standard_attr_id"), ()))  # type: ignore[arg-type]
        return _without(row) | {"description": standard.get("description") or "", "tags": tags}

    # -- resources

    def _subnet_pools(self) -> list[Object]:
        prefixes = self._of("subnetpoolprefixes", "subnetpool_id")
        return [
            _without(self._described(row), "shared", "hash", "ip_version")
            | {"prefixes": [one["cidr"] for one in prefixes[row["id"]]], "is_default": bool(row["is_default"])}
            for row in self._rows("subnetpools")
        ]

    def _policies(self) -> list[Object]:
        default = {row["qos_policy_id"] for row in self._rows("qos_policies_default")}
        rules: dict[str, list[Object]] = defaultdict(list)
        for table, type in _QOS_RULES.items():
            for row in self._rows(table):
                rules[row["qos_policy_id"]].append(_without(row, "qos_policy_id") | {"type": type})
        return [
            self._described(row) | {"is_default": row["id"] in default, "rules": rules[row["id"]]}
            for row in self._rows("qos_policies")
        ]

    def _networks(self) -> list[Object]:
        segments = self._of("networksegments", "network_id")
        external = self._column("externalnetworks", "network_id", "is_default")
        policies = self._column("qos_network_policy_bindings", "network_id", "policy_id")
        guarded = self._column("networksecuritybindings", "network_id", "port_security_enabled")
        domains = self._column("networkdnsdomains", "network_id", "dns_domain")
        networks = []
        for row in self._rows("networks"):
            network = _without(self._described(row), "status", "qinq", "vlan_transparent", "availability_zone_hints")
            network |= _segments(segments[row["id"]])
            network |= {"router:external": row["id"] in external, "qos_policy_id": policies.get(row["id"])}
            network |= {"is_default": bool(external.get(row["id"])), "dns_domain": domains.get(row["id"]) or ""}
            network["port_security_enabled"] = bool(guarded.get(row["id"], True))
            network["vlan_transparent"] = bool(row.get("vlan_transparent")) or None
            networks.append(network)
        return networks

    def _subnets(self) -> list[Object]:
        pools, routes = self._of("ipallocationpools", "subnet_id"), self._of("subnetroutes", "subnet_id")
        servers = self._of("dnsnameservers", "subnet_id")
        return [
            _without(self._described(row), "segment_id")
            | {
                "enable_dhcp": bool(row["enable_dhcp"]),
                "allocation_pools": [{"start": one["first_ip"], "end": one["last_ip"]} for one in pools[row["id"]]],
                "host_routes": [_without(one, "subnet_id") for one in routes[row["id"]]],
                "dns_nameservers": [one["address"] for one in sorted(servers[row["id"]], key=_order)],
            }
            for row in self._rows("subnets")
        ]

    def _rbac_policies(self) -> list[Object]:
        return [
            {
                "id": row["id"],
                "project_id": row["project_id"],
                "object_type": type,
                "object_id": row["object_id"],
                "action": row["action"],
                "target_tenant": row.get("target_project", row.get("target_tenant")),
            }
            for table, type in _RBAC.items()
            for row in self._rows(table)
        ]

    def _address_groups(self) -> list[Object]:
        addresses = self._of("address_associations", "address_group_id")
        return [
            self._described(row) | {"addresses": [one["address"] for one in addresses[row["id"]]]}
            for row in self._rows("address_groups")
        ]

    def _security_groups(self) -> list[Object]:
        default = {row["security_group_id"] for row in self._rows("default_security_group")}
        return [
            self._described(row) | {"stateful": bool(row.get("stateful", True)), "is_default": row["id"] in default}
            for row in self._rows("securitygroups")
        ]

    def _ports(self) -> list[Object]:
        fixed = self._of("ipallocations", "port_id")
        bindings = self._of("ml2_port_bindings", "port_id")
        groups, pairs = self._of("securitygroupportbindings", "port_id"), self._of("allowedaddresspairs", "port_id")
        options = self._of("extradhcpopts", "port_id")
        guarded = self._column("portsecuritybindings", "port_id", "port_security_enabled")
        policies = self._column("qos_port_policy_bindings", "port_id", "policy_id")
        names = {row["port_id"]: row for row in self._rows("portdnses")}
        affinities = self._column("portnumaaffinitypolicies", "port_id", "numa_affinity_policy")
        profiles = self._column("portdeviceprofiles", "port_id", "device_profile")
        ports = []
        for row in self._rows("ports"):
            id = row["id"]
            port = _without(self._described(row), "status", "ip_allocation") | {
                "admin_state_up": bool(row["admin_state_up"]),
                "fixed_ips": [_without(one, "port_id", "network_id") for one in fixed[id]],
                "port_security_enabled": bool(guarded.get(id, True)),
                "security_groups": [one["security_group_id"] for one in groups[id]],
                "allowed_address_pairs": [_without(one, "port_id") for one in pairs[id]],
                "extra_dhcp_opts": [_without(one, "id", "port_id") for one in options[id]],
                "qos_policy_id": policies.get(id),
                "numa_affinity_policy": affinities.get(id),
                "device_profile": profiles.get(id),
                "dns_name": names.get(id, {}).get("dns_name") or "",
                "dns_domain": names.get(id, {}).get("dns_domain") or "",
            }
            ports.append(port | _binding(bindings[id]))
        return ports

    def _trunks(self) -> list[Object]:
        parts = self._of("subports", "trunk_id")
        return [
            _without(self._described(row), "status")
            | {
                "admin_state_up": bool(row["admin_state_up"]),
                "sub_ports": [_without(one, "trunk_id") for one in parts[row["id"]]],
            }
            for row in self._rows("trunks")
        ]

    def _routers(self, ports: Mapping[str, Object]) -> list[Object]:
        routes, helpers = self._of("routerroutes", "router_id"), self._of("conntrack_helpers", "router_id")
        policies = self._column("qos_router_gw_policy_bindings", "router_id", "policy_id")
        extra = {row["router_id"]: row for row in self._rows("router_extra_attributes")}
        interfaces: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("routerports"):
            if row["port_type"] in _INTERFACES and row["port_id"] in ports:
                interfaces[row["router_id"]].append(row["port_id"])
        routers = []
        for row in self._rows("routers"):
            id = row["id"]
            router = _without(self._described(row), "status", "gw_port_id", "enable_snat", "flavor_id") | {
                "admin_state_up": bool(row["admin_state_up"]),
                **{name: bool(extra[id][name]) for name in ("distributed", "ha") if id in extra},
                "enable_default_route_ecmp": bool(extra.get(id, {}).get("enable_default_route_ecmp")),
                "enable_default_route_bfd": bool(extra.get(id, {}).get("enable_default_route_bfd")),
                "routes": [_without(one, "router_id") for one in routes[id]],
                "conntrack_helpers": [_without(one, "router_id") for one in helpers[id]],
                "interfaces": interfaces[id],
            }
            gateway = ports.get(row["gw_port_id"] or "")
            if gateway is not None:
                router["external_gateway_info"] = {
                    "network_id": gateway["network_id"],
                    "enable_snat": bool(row["enable_snat"]),
                    "external_fixed_ips": gateway["fixed_ips"],
                } | ({"qos_policy_id": policies[id]} if id in policies else {})
                router["port"] = _what_it_was(gateway)
            routers.append(router)
        return routers

    def _floating_ips(self, ports: Mapping[str, Object]) -> list[Object]:
        forwardings = self._of("portforwardings", "floatingip_id")
        policies = self._column("qos_fip_policy_bindings", "fip_id", "policy_id")
        names = {row["floatingip_id"]: row for row in self._rows("floatingipdnses")}
        floating = []
        for row in self._rows("floatingips"):
            its_port = ports.get(row["floating_port_id"])
            one = self._described(row)
            one = {
                name: one[name]
                for name in ("id", "project_id", "description", "tags", "floating_network_id", "floating_ip_address")
            }
            if row["fixed_port_id"]:
                one |= {"port_id": row["fixed_port_id"], "fixed_ip_address": row["fixed_ip_address"]}
            one |= {"qos_policy_id": policies.get(row["id"]), "port": _what_it_was(its_port) if its_port else {}}
            one |= {name: names.get(row["id"], {}).get(name) or "" for name in ("dns_name", "dns_domain")}
            one["port_forwardings"] = [self._forwarding(each) for each in forwardings[row["id"]]]
            floating.append(one)
        return floating

    def _forwarding(self, row: Row) -> Object:
        return {
            "id": row["id"],
            "description": self._described(row)["description"],
            "protocol": row["protocol"],
            "internal_port_id": row["internal_neutron_port_id"],
            "internal_ip_address": row["internal_ip_address"],
            "internal_port_range": f"{row['internal_port_start']}:{row['internal_port_end']}",
            "external_port_range": f"{row['external_port_start']}:{row['external_port_end']}",
        }

    def _quotas(self) -> list[Object]:
        limits: dict[str, Object] = defaultdict(dict)
        for row in self._rows("quotas"):
            if row["project_id"] not in _HIDDEN_PROJECTS and row["project_id"] != _ANY_PROJECT:
                limits[row["project_id"]][row["resource"]] = row["limit"]
        return [{"id": project, "limits": theirs} for project, theirs in limits.items()]


def _without(row: Row, *names: str) -> Object:
    """Nor what only the database needs."""
    left = {name: value for name, value in row.items() if name not in {"standard_attr_id", *names}}
    return {name: bool(left[name]) if name == "admin_state_up" else value for name, value in left.items()}


def _order(row: Row) -> Any:
    return row["order"]


def _segments(rows: Iterable[Row]) -> Object:
    """As the API's provider attributes.  Dynamic segments come and go with ports."""
    names = ("network_type", "physical_network", "segmentation_id")
    fixed = sorted((row for row in rows if not row["is_dynamic"]), key=lambda row: row["segment_index"])
    described = [{f"provider:{name}": row[name] for name in names} for row in fixed]
    return described[0] if len(described) == 1 else {"segments": described} if described else {}


def _binding(rows: list[Row]) -> Object:
    """The active one: where a port migrates it has a second."""
    active = next((row for row in rows if row.get("status", "ACTIVE") == "ACTIVE"), None)
    if active is None:
        return {}
    profile = json.loads(active["profile"]) if active["profile"] else {}
    return {
        "binding:host_id": active["host"],
        "binding:vnic_type": active["vnic_type"],
        "binding:profile": {name: value for name, value in profile.items() if name != "migrating_to"},
    }


def _what_it_was(port: Object) -> Object:
    return {name: port[name] for name in ("id", "mac_address")}
