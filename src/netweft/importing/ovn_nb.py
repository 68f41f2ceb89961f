"""OVN's northbound database, as Neutron's ML2/OVN writes it (neutron.plugins.ml2.drivers.ovn, Neutron 29).

No more than a northbound knows: names of subnets and groups, tags, quotas, sharing are not in it.  What it has no id of
gets one that is the same at each import.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface, ip_network

from netweft.importing.cloud import NOT_AS_WRITTEN, Cloud, Unreadable, without_service_ports
from netweft.importing.ovn_rows import (
    Row,
    first_of,
    made_id,
    named,
    network_of,
    optional,
    refs,
    row_id,
    rows_of,
    said,
)
from netweft.importing.ovn_rules import NotARule, rule_of, uuid_in
from netweft.importing.ovn_subnets import subnets
from netweft.plugins.mechanisms.database import from_map, from_set
from netweft.store import Object

_GATEWAY = "network:router_gateway"
_SUB_PORT = "trunk:subport"


def read(remote: str) -> Cloud:
    """remote: see `rows_of`.  Raises Unreadable."""
    rows = rows_of(remote)
    try:
        return _Northbound(rows).cloud()
    except NOT_AS_WRITTEN as error:
        raise Unreadable(f"the northbound is not as Neutron writes it: {type(error).__name__}: {error}") from error


class _Northbound:
    def __init__(self, rows: Mapping[str, list[Row]]) -> None:
        self._rows = rows
        self._left_out: list[tuple[str, str, str]] = []
        self._switches = {named(row): row for row in rows["Logical_Switch"] if row["name"].startswith("neutron-")}
        if not self._switches:
            raise Unreadable("no network of Neutron's is in this northbound: no switch is called neutron-ID")
        ports = {row_id(row): row for row in rows["Logical_Switch_Port"]}
        self._on = {id: [ports[one] for one in refs(row["ports"])] for id, row in self._switches.items()}
        self._acls = {row_id(row): row for row in rows["ACL"]}
        self._named: dict[str, Mapping[str, list[tuple[int, str, tuple[str, ...]]]]] = {}
        self._names = {row_id(row): from_map(row["records"]) for row in rows["DNS"]}
        self._options_of = {row_id(row): row for row in rows["DHCP_Options"]}
        self._general = {  # subnet -> what all of its ports are told
            _whose(row, "subnet_id"): row for row in reversed(rows["DHCP_Options"]) if not _whose(row, "port_id")
        }
        self._router_ports = {row["name"].removeprefix("lrp-"): row for row in rows["Logical_Router_Port"]}
        self._subnets: dict[str, list[Object]] = defaultdict(list)
        for subnet in subnets(rows, self._addresses()):
            self._subnets[subnet["network_id"]].append(subnet)

    def _addresses(self) -> Iterator[tuple[str, str]]:
        for network, ports in self._on.items():
            for port in ports:
                yield from ((network, address) for address in said(port, "cidrs").split())

    def cloud(self) -> Cloud:
        every = [self._port(network, row) for network, rows in self._on.items() for row in rows if said(row, "cidrs")]
        ports, left_out = without_service_ports([*every, *self._without_addresses()])
        limits = self._limited({port["id"]: port for port in ports})
        by_id = {port["id"]: port for port in ports}
        networks = [self._network(id, row) for id, row in self._switches.items()]
        owners = {network["id"]: network["project_id"] for network in networks}
        groups, routers = self._groups(ports), self._routers(by_id)
        rules = list(self._rules(groups))
        return Cloud(
            {
                "policies": limits,
                "networks": networks,
                "subnets": [
                    subnet | {"project_id": owners.get(network, "")}
                    for network, theirs in self._subnets.items()
                    for subnet in theirs
                ],
                "address_groups": self._address_groups(rules),
                "security_groups": groups,
                "security_group_rules": rules,
                "ports": [port for port in ports if port["device_owner"] != _GATEWAY],
                "trunks": self._trunks(by_id),
                "routers": routers,
                "floatingips": self._floating_ips(routers, by_id),
            },
            left_out + self._left_out,
        )

    # -- networks

    def _network(self, id: str, row: Row) -> Object:
        leads_out = any(
            said(one, "is_ext_gw") == "True" and network_of(one) == id for one in self._router_ports.values()
        )
        network: Object = {
            "id": id,
            "name": said(row, "network_name"),
            "project_id": first_of(said(one, "project_id") for one in self._on[id]),
            "router:external": leads_out
            or from_map(row["other_config"]).get("broadcast-arps-to-all-routers") == "true",
        }
        if mtu := said(row, "mtu"):
            network["mtu"] = int(mtu)
        return network | self._segments(id, row)

    def _segments(self, id: str, row: Row) -> Object:
        found = []
        for wire in (one for one in self._on[id] if one["type"] == "localnet"):
            tag = _tag(wire)
            segment: Object = {"provider:network_type": "flat" if tag is None else "vlan"}
            segment["provider:physical_network"] = from_map(wire["options"]).get("network_name")
            found.append(segment | ({} if tag is None else {"provider:segmentation_id": tag}))
        if found:
            return found[0] if len(found) == 1 else {"segments": found}
        key = from_map(row["other_config"]).get("requested-tnl-key")
        tunneled: Object = {"provider:network_type": said(row, "provnet-network-type") or "geneve"}
        return tunneled | ({"provider:segmentation_id": int(key)} if key else {})

    # -- ports

    def _without_addresses(self) -> Iterator[Object]:
        for network, rows in self._on.items():
            for row in rows:
                if row["type"] != "localnet" and not said(row, "cidrs"):
                    yield self._port(network, row)

    def _port(self, network: str, row: Row) -> Object:
        id = row["name"]
        of_router = self._router_ports.get(id)
        addresses = [ip_interface(one) for one in said(row, "cidrs").split()]
        own = of_router["mac"] if of_router else next(iter(_words(row["addresses"])), [""])[0]
        port: Object = {
            "id": id,
            "name": said(row, "port_name"),
            "network_id": network,
            "project_id": said(row, "project_id"),
            "mac_address": own,
            "fixed_ips": [self._fixed(network, str(one.ip)) for one in addresses],
            "device_id": said(row, "device_id"),
            "device_owner": said(row, "device_owner"),
            "admin_state_up": optional(row["enabled"]) is not False,
            "security_groups": said(row, "security_group_ids").split(),
            "port_security_enabled": bool(from_set(row["port_security"])),
            "allowed_address_pairs": _pairs(row, own, {str(one.ip) for one in addresses}),
            "extra_dhcp_opts": self._options(row),
            "dns_name": self._dns_name(network, {str(one.ip) for one in addresses}),
        }
        if port["device_owner"] == _SUB_PORT:  # a trunk makes it so
            port |= {"device_owner": "", "device_id": ""}
        host = from_map(row["options"]).get("requested-chassis") or said(row, "host_id")
        bound = {"binding:host_id": host} if host else {}
        return port | bound | {"binding:vnic_type": said(row, "vnic_type") or "normal"}

    def _fixed(self, network: str, address: str) -> Object:
        ip = ip_address(address)
        subnet = next(one for one in self._subnets[network] if ip in ip_network(one["cidr"]))
        return {"subnet_id": subnet["id"], "ip_address": address}

    def _options(self, row: Row) -> list[Object]:
        """Those of the port alone."""
        found: list[Object] = []
        for column, version in (("dhcpv4_options", 4), ("dhcpv6_options", 6)):
            own = self._options_of.get(next(iter(refs(row[column])), ""))
            if own is None or not _whose(own, "port_id"):
                continue
            general = self._general.get(_whose(own, "subnet_id"))
            same = from_map(general["options"]) if general else {}
            found += [
                {"opt_name": name.replace("_", "-"), "opt_value": value.strip('"'), "ip_version": version}
                for name, value in sorted(from_map(own["options"]).items())
                if same.get(name) != value
            ]
        return found

    def _dns_name(self, network: str, addresses: set[str]) -> str:
        """The first, in the order of the rows, of which all addresses are the port's."""
        known = self._named_on(network)
        found = (place for address in addresses for place in known.get(address, ()))
        return next((name for _, name, theirs in sorted(found) if addresses >= set(theirs)), "")

    def _named_on(self, network: str) -> Mapping[str, list[tuple[int, str, tuple[str, ...]]]]:
        """address -> the names of this network that it has, in their order, with all their addresses."""
        if network not in self._named:
            found: dict[str, list[tuple[int, str, tuple[str, ...]]]] = defaultdict(list)
            records = [self._names[row] for row in refs(self._switches[network]["dns_records"])]
            names = ((str(name), tuple(value.split())) for one in records for name, value in one.items())
            for place, (name, addresses) in enumerate(names):
                for address in addresses if "." not in name else ():
                    found[address].append((place, name, addresses))
            self._named[network] = found
        return self._named[network]

    def _trunks(self, ports: Mapping[str, Object]) -> list[Object]:
        parts: dict[str, list[Object]] = defaultdict(list)
        for row in (one for rows in self._on.values() for one in rows):
            tag = _tag(row)
            if (parent := optional(row["parent_name"])) in ports and tag:
                parts[parent].append({"port_id": row["name"], "segmentation_type": "vlan", "segmentation_id": tag})
        return [
            {
                "id": made_id("trunk", parent),
                "port_id": parent,
                "project_id": ports[parent]["project_id"],
                "sub_ports": theirs,
            }
            for parent, theirs in parts.items()
        ]

    def _limited(self, ports: Mapping[str, Object]) -> list[Object]:
        """Policies; ports that have the same limits have one, which their `qos_policy_id` says from now on."""
        rules: dict[str, list[Object]] = defaultdict(list)
        for row in self._rows["QoS"]:
            direction = "egress" if row["direction"] == "from-lport" else "ingress"
            limit, marks = from_map(row["bandwidth"]), from_map(row["action"])
            own = rules[said(row, "port_id")]
            if "rate" in limit:
                most = {"max_kbps": limit["rate"], "max_burst_kbps": limit.get("burst", 0)}
                own.append({"type": "bandwidth_limit", "direction": direction} | most)
            if "dscp" in marks:
                own.append({"type": "dscp_marking", "dscp_mark": marks["dscp"]})
        policies: dict[str, Object] = {}
        for port in (ports[id] for id in sorted(rules.keys() & ports.keys())):
            theirs = sorted(rules[port["id"]], key=str)
            id = made_id("policy", port["project_id"], str(theirs))
            port["qos_policy_id"] = id
            policies[id] = {
                "id": id,
                "name": f"from-ovn-{id[:8]}",
                "project_id": port["project_id"],
                "rules": [rule | {"id": made_id("rule", id, str(rule))} for rule in theirs],
            }
        return list(policies.values())

    # -- security

    def _groups(self, ports: list[Object]) -> list[Object]:
        owners: dict[str, list[str]] = defaultdict(list)
        for port in ports:
            for group in port["security_groups"]:
                owners[group].append(port["project_id"])
        return [
            {
                "id": said(row, "security_group_id"),
                "name": "",
                "project_id": first_of(owners[said(row, "security_group_id")]),
                "is_default": False,
                "stateful": all(self._acls[one]["action"] != "allow-stateless" for one in refs(row["acls"])),
            }
            for row in self._rows["Port_Group"]
            if said(row, "security_group_id")
        ]

    def _rules(self, groups: list[Object]) -> Iterator[Object]:
        owners = {group["id"]: group["project_id"] for group in groups}
        for group in self._rows["Port_Group"]:
            of = said(group, "security_group_id")
            for acl in (self._acls[one] for one in refs(group["acls"]) if of):
                id = said(acl, "security_group_rule_id")
                try:
                    yield {"id": id, "security_group_id": of, "project_id": owners[of]} | rule_of(acl["match"])
                except NotARule as error:
                    self._left_out.append(("security_group_rule", id, f"not understood: {error}"))

    def _address_groups(self, rules: list[Object]) -> list[Object]:
        owners: dict[str, list[str]] = defaultdict(list)
        for rule in rules:
            owners[rule.get("remote_address_group_id", "")].append(rule["project_id"])
        addresses: dict[str, list[str]] = defaultdict(list)
        for row in self._rows["Address_Set"]:
            if said(row, "address_group_id"):
                addresses[uuid_in(row["name"])] += from_set(row["addresses"])
        return [
            {"id": id, "name": "", "project_id": first_of(owners[id]), "addresses": each}
            for id, each in addresses.items()
        ]

    # -- routers

    def _routers(self, ports: Mapping[str, Object]) -> list[Object]:
        names = {row_id(row): id for id, row in self._router_ports.items()}
        routes = {row_id(row): row for row in self._rows["Logical_Router_Static_Route"]}
        nats = {row_id(row): row for row in self._rows["NAT"]}
        routers = []
        for row in self._rows["Logical_Router"]:
            own = [names[one] for one in refs(row["ports"])]
            gateway = next((id for id in own if said(self._router_ports[id], "is_ext_gw") == "True"), "")
            inside = [id for id in own if id != gateway and id in ports]
            router: Object = {
                "id": named(row),
                "name": said(row, "router_name"),
                "project_id": first_of(ports[id]["project_id"] for id in inside),
                "admin_state_up": optional(row["enabled"]) is not False,
                "routes": [
                    {"destination": one["ip_prefix"], "nexthop": one["nexthop"]}
                    for one in (routes[each] for each in refs(row["static_routes"]))
                    if said(one, "is_ext_gw") != "true"
                ],
                "conntrack_helpers": [],
                "interfaces": inside,
            }
            if gateway in ports:
                router["external_gateway_info"] = {
                    "network_id": ports[gateway]["network_id"],
                    "enable_snat": any(nats[each]["type"] == "snat" for each in refs(row["nat"])),
                    "external_fixed_ips": ports[gateway]["fixed_ips"],
                }
                router["port"] = {name: ports[gateway][name] for name in ("id", "mac_address")}
            routers.append(router)
        return routers

    def _floating_ips(self, routers: list[Object], ports: Mapping[str, Object]) -> list[Object]:
        by_id = {router["id"]: router for router in routers}
        found = []
        for row in (one for one in self._rows["NAT"] if said(one, "fip_id")):
            router = by_id.get(said(row, "router_name").removeprefix("neutron-"), {})
            one = self._floating_ip(said(row, "fip_id"), row["external_ip"], router)
            one["floating_network_id"] = said(row, "fip_network_id")
            one |= {"port_id": said(row, "fip_port_id"), "fixed_ip_address": row["logical_ip"]}
            one["port"] = {"id": made_id("port", one["id"]), "mac_address": said(row, "fip_external_mac")}
            found.append(one)
        return [*found, *self._forwarded(by_id, ports)]

    def _floating_ip(self, id: str, address: str, router: Object) -> Object:
        return {
            "id": id,
            "project_id": router.get("project_id", ""),
            "floating_network_id": router.get("external_gateway_info", {}).get("network_id", ""),
            "floating_ip_address": address,
            "port": {},
            "port_forwardings": [],
        }

    def _forwarded(self, routers: Mapping[str, Object], ports: Mapping[str, Object]) -> list[Object]:
        """Floating IPs of which ports are forwarded; other balancers are Octavia's."""
        found: dict[str, Object] = {}
        at = {(port["network_id"], ip["ip_address"]): id for id, port in ports.items() for ip in port["fixed_ips"]}
        for row in self._rows["Load_Balancer"]:
            if said(row, "device_owner") != "port_forwarding_plugin":
                why = "balancers are made by the load balancer's API"
                self._left_out.append(("load_balancer", row["name"], why))
                continue
            router = routers.get(said(row, "router_name").removeprefix("neutron-"), {})
            near = {ports[id]["network_id"] for id in router.get("interfaces", ())}
            for vip, member in sorted(from_map(row["vips"]).items()):
                address, _, outside = vip.rpartition(":")
                one = found.setdefault(said(row, "fip_id"), self._floating_ip(said(row, "fip_id"), address, router))
                inner, _, inside = member.rpartition(":")
                one["port_forwardings"].append(
                    {
                        "id": made_id("forwarding", one["id"], row["protocol"], vip),
                        "protocol": row["protocol"],
                        "internal_port_id": next((id for net in near if (id := at.get((net, inner)))), ""),
                        "internal_ip_address": inner,
                        "internal_port_range": f"{inside}:{inside}",
                        "external_port_range": f"{outside}:{outside}",
                    }
                )
        return list(found.values())


def _tag(row: Row) -> int | None:
    """northd writes what was requested into `tag`."""
    tag: int | None = optional(row["tag"]) or optional(row["tag_request"])
    return tag


def _whose(options: Row, name: str) -> str:
    """Of DHCP options: `subnet_id`, and `port_id` of a port's own."""
    return str(from_map(options["external_ids"]).get(name) or "")


def _words(column: object) -> list[list[str]]:
    """Of `addresses` and `port_security`: MAC and addresses, apart."""
    return [one.split() for one in from_set(column) if one != "unknown"]


def _pairs(row: Row, mac: str, own: set[str]) -> list[Object]:
    return [
        {"ip_address": address, "mac_address": its}
        for its, *addresses in _words(row["port_security"])
        for address in addresses
        if (its, address) != (mac, address) or address not in own
    ]
