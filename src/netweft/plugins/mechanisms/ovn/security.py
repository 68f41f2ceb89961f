"""Security groups: a port group each, its rules as ACLs; address sets for who is meant by a remote group.

What no group lets in or out is dropped by one port group of all guarded ports, as in Neutron's driver.
"""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from netweft.model.protocols import NUMBERS
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import metadata
from netweft.plugins.mechanisms.ovn.rows import Rows, addresses, port_key
from netweft.plugins.mechanisms.ovn.schema import key, row

DROP: Final = "neutron_pg_drop"
METADATA_PRIORITY, ALLOW_PRIORITY, DROP_PRIORITY = 1003, 1002, 1001
_VERSION: Final = {"IPv4": 4, "IPv6": 6}
_PORTS: Final = {"tcp": "tcp", "udp": "udp", "sctp": "sctp", "6": "tcp", "17": "udp", "132": "sctp"}
_ICMP: Final = {"icmp": 4, "1": 4, "ipv6-icmp": 6, "icmpv6": 6, "58": 6}
# asked by every VM, and answered by OVN itself, or on its chassis: name, match, action
NODES: Final = (
    ("dhcp4", "ip4 && udp.src == 68 && udp.dst == 67", "allow"),
    ("dhcp6", "ip6 && udp.src == 546 && udp.dst == 547", "allow"),
    *((f"metadata{version}", match, "allow-related") for version, match in metadata.ASKED.items()),
)
SIDES: Final = {"ingress": ("to-lport", "outport", "src"), "egress": ("from-lport", "inport", "dst")}


def desired(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    members: dict[str, list[Row]] = defaultdict(list)
    for port in rows.all_ports.values():
        for group in port.get("security_groups") or ():
            members[group].append(port)
    for group in rows.groups.values():
        here = [port_key(port["id"]) for port in members[group["id"]] if port["id"] in rows.ports]
        yield _group_key(group["id"]), Wanted(row({"name": group_name(group["id"]), "ports": here}))
    yield from _address_sets(rows, members)
    for rule in rows.rules.values():
        if rule["security_group_id"] in rows.groups:
            yield _acl(rows, rule)
    yield from _drops(rows)


def group_name(id: str) -> str:
    return f"pg_{id.replace('-', '_')}"


def _group_key(id: str) -> str:
    return key("Port_Group", group_name(id))


def set_name(prefix: str, id: str, version: int) -> str:
    return f"{prefix}_{id.replace('-', '_')}_v{version}"


def _address_sets(rows: Rows, members: dict[str, list[Row]]) -> Iterator[tuple[str, Wanted]]:
    """Of the groups that some rule names.  Members may be on hosts that are no chassis."""
    for id in sorted({rule["remote_group_id"] for rule in rows.rules.values() if rule.get("remote_group_id")}):
        for version in (4, 6):
            found = [one for port in members[id] for one in (*addresses(port, version), *_pairs(port, version))]
            yield _set(set_name("sg", id, version), found)
    for group in rows.address_groups.values():
        networks = [ip_network(one, strict=False) for one in group.get("addresses") or ()]
        for version in (4, 6):
            found = [str(network) for network in networks if network.version == version]
            yield _set(set_name("ag", group["id"], version), found)


def _pairs(port: Row, version: int) -> Iterator[str]:
    """Single addresses that it may send from.  Not ranges: to be in one says nothing of a sender, and a port that may
    be a router's would let in everybody."""
    for pair in port.get("allowed_address_pairs") or ():
        network = ip_network(pair["ip_address"], strict=False)
        if network.version == version and network.prefixlen == network.max_prefixlen:
            yield str(network.network_address)


def _set(name: str, members: list[str]) -> tuple[str, Wanted]:
    return key("Address_Set", name), Wanted(row({"name": name, "addresses": sorted(set(members))}))


def _acl(rows: Rows, rule: Row) -> tuple[str, Wanted]:
    direction = SIDES[rule["direction"]][0]
    is_stateful = rows.groups[rule["security_group_id"]].get("stateful", True)
    columns = {
        "priority": ALLOW_PRIORITY,
        "direction": direction,
        "match": match(rule),
        "action": "allow-related" if is_stateful else "allow-stateless",
    }
    return key("ACL", str(rule["id"])), Wanted(row(columns, _group_key(rule["security_group_id"])))


def match(rule: Row) -> str:
    """Of a port in the rule's group, what the rule permits."""
    _, side, end = SIDES[rule["direction"]]
    return " && ".join([f"{side} == @{group_name(rule['security_group_id'])}", *_match(rule, end)])


def _match(rule: Row, end: str) -> Iterator[str]:
    version = _VERSION[rule["ethertype"]]
    ip = f"ip{version}"
    yield ip
    if prefix := rule.get("remote_ip_prefix"):
        yield f"{ip}.{end} == {prefix}"
    elif group := rule.get("remote_group_id"):
        yield f"{ip}.{end} == ${set_name('sg', group, version)}"
    elif group := rule.get("remote_address_group_id"):
        yield f"{ip}.{end} == ${set_name('ag', group, version)}"
    yield from _protocol(rule)


def _protocol(rule: Row) -> Iterator[str]:
    protocol = rule.get("protocol")
    first, last = rule.get("port_range_min"), rule.get("port_range_max")
    if protocol is None:
        return
    if name := _PORTS.get(str(protocol)):
        yield name
        if first is not None and first == last:
            yield f"{name}.dst == {first}"
        elif first is not None:
            yield f"{name}.dst >= {first} && {name}.dst <= {last}"
    elif version := _ICMP.get(str(protocol)):
        version = _VERSION[rule["ethertype"]] if str(protocol) == "icmp" else version
        yield f"icmp{version}"
        if first is not None:
            yield f"icmp{version}.type == {first}"
        if last is not None:
            yield f"icmp{version}.code == {last}"
    else:
        yield f"ip.proto == {NUMBERS.get(str(protocol), protocol)}"


def _drops(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    guarded = [port_key(id) for id, port in rows.ports.items() if port["port_security_enabled"]]
    parent = key("Port_Group", DROP)
    yield parent, Wanted(row({"name": DROP, "ports": guarded}))
    for direction, side in (("to-lport", "outport"), ("from-lport", "inport")):
        columns = {
            "priority": DROP_PRIORITY,
            "direction": direction,
            "match": f"{side} == @{DROP} && ip",
            "action": "drop",
        }
        yield key("ACL", f"{DROP}-{direction}"), Wanted(row(columns, parent))
    for name, match, action in NODES:
        columns = {
            "priority": METADATA_PRIORITY if action == "allow-related" else ALLOW_PRIORITY,
            "direction": "from-lport",
            "match": f"inport == @{DROP} && {match}",
            "action": action,
        }
        yield key("ACL", f"{DROP}-{name}"), Wanted(row(columns, parent))
