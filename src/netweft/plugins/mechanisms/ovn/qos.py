"""QoS: bandwidth and DSCP of ports and networks; bandwidth of floating IPs and of gateways' addresses.

What limits an address outside stands on the external network's switch, at the router's port there: below it the address
is another one.  It counts on the chassis that translates: the VM's own where the floating IP is distributed.
"""

from collections.abc import Iterator
from typing import Final

from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn.rows import (
    GATEWAY,
    INTERFACE,
    Rows,
    addresses,
    router_port_name,
    rule_list,
    switch_key,
)
from netweft.plugins.mechanisms.ovn.schema import key, row

PORT_PRIORITY, GATEWAY_PRIORITY, FLOATING_PRIORITY = 2002, 2300, 2301
_WAYS: Final = {"egress": ("from-lport", "inport", "src"), "ingress": ("to-lport", "outport", "dst")}


def desired(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    for port in rows.ports.values():
        yield from _of_port(rows, port)
    gateways = {port["device_id"]: port for port in rows.all_ports.values() if port["device_owner"] == GATEWAY}
    gateways = {id: one for id, one in gateways.items() if id in rows.routers and one["network_id"] in rows.networks}
    for id, gateway in gateways.items():
        policy = rows.policies.get((rows.routers[id].get("external_gateway_info") or {}).get("qos_policy_id") or "")
        at = _Outside(gateway, _gateways_place(gateway), GATEWAY_PRIORITY)
        for address in addresses(gateway, 4):
            yield from at.limits(f"{id}-gateway", address, policy)
    for floating in rows.floating_ips.values():
        if (id := floating.get("router_id") or "") in gateways and floating.get("fixed_ip_address"):
            yield from _of_floating_ip(rows, floating, gateways[id])


def _of_floating_ip(rows: Rows, floating: Row, gateway: Row) -> Iterator[tuple[str, Wanted]]:
    network = rows.networks.get(floating.get("floating_network_id") or "", {})
    policy = rows.policies.get(floating.get("qos_policy_id") or network.get("qos_policy_id") or "")
    where = str(floating["port_id"]) if rows.translates(floating) else _gateways_place(gateway)
    at = _Outside(gateway, where, FLOATING_PRIORITY)
    yield from at.limits(f"floatingip-{floating['id']}", floating["floating_ip_address"], policy)


def _gateways_place(gateway: Row) -> str:
    return f"cr-{router_port_name(gateway['id'])}"


class _Outside:
    """An address behind a router's port outside.  where: the port whose chassis translates."""

    def __init__(self, gateway: Row, where: str, priority: int) -> None:
        self._gateway, self._where, self._priority = gateway, where, priority

    def limits(self, name: str, address: str, policy: Row | None) -> Iterator[tuple[str, Wanted]]:
        for rule in rule_list(policy, "bandwidth_limit"):
            way, side, end = _WAYS[rule["direction"]]
            match = f'{side} == "{self._gateway["id"]}" && ip4.{end} == {address}'
            columns = {
                "priority": self._priority,
                "direction": way,
                "match": f'{match} && is_chassis_resident("{self._where}")',
                "bandwidth": _bandwidth(rule),
            }
            parent = switch_key(self._gateway["network_id"])
            yield key("QoS", f"{name}-{rule['direction']}-limit"), Wanted(row(columns, parent))


def _of_port(rows: Rows, port: Row) -> Iterator[tuple[str, Wanted]]:
    network = rows.networks[port["network_id"]]
    if port["device_owner"] == INTERFACE:
        return
    policy = rows.policies.get(port.get("qos_policy_id") or network.get("qos_policy_id") or "")
    parent = switch_key(port["network_id"])
    for rule in rule_list(policy, "bandwidth_limit"):
        way, side, _ = _WAYS[rule["direction"]]
        columns = {
            "priority": PORT_PRIORITY,
            "direction": way,
            "match": f'{side} == "{port["id"]}"',
            "bandwidth": _bandwidth(rule),
        }
        yield key("QoS", f"{port['id']}-{rule['direction']}-limit"), Wanted(row(columns, parent))
    for rule in rule_list(policy, "dscp_marking"):
        columns = {
            "priority": PORT_PRIORITY,
            "direction": "from-lport",
            "match": f'inport == "{port["id"]}"',
            "action": {"dscp": rule["dscp_mark"]},
        }
        yield key("QoS", f"{port['id']}-dscp"), Wanted(row(columns, parent))


def _bandwidth(rule: Row) -> dict[str, int]:
    """Kilobits a second, and kilobits at once: as Neutron has them where none are given."""
    return {"rate": rule["max_kbps"], "burst": rule["max_burst_kbps"] or int(rule["max_kbps"] * 0.8)}
