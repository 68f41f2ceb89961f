"""The region's objects as this back end looks at them, and names of what becomes of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from netweft.plugins.mechanisms import Row, View

KINDS: Final = frozenset(
    {
        "address_groups",
        "agents",
        "floatingips",
        "networks",
        "policies",
        "port_forwardings",
        "ports",
        "routers",
        "security_group_rules",
        "security_groups",
        "subnets",
        "trunks",
    }
)
AGENT: Final = "OVN Controller agent"  # as Neutron shows a chassis
HOST: Final = "binding:host_id"
INTERFACE, GATEWAY, FLOATING = "network:router_interface", "network:router_gateway", "network:floatingip"


class Rows:
    """Of one turn.  ports: those that become logical ports: of VMs that are on a chassis, or on no host yet."""

    def __init__(self, view: View) -> None:
        self.networks = view.rows("networks")
        self.subnets = view.rows("subnets")
        self.all_ports = view.rows("ports")
        self.groups = view.rows("security_groups")
        self.rules = view.rows("security_group_rules")
        self.address_groups = view.rows("address_groups")
        self.routers = view.rows("routers")
        self.floating_ips = view.rows("floatingips")
        self.forwardings = view.rows("port_forwardings")
        self.policies = view.rows("policies")
        self.trunks = view.rows("trunks")
        agents = view.rows("agents").values()
        self.chassis = {agent["host"] for agent in agents if agent.get("agent_type") == AGENT}
        self.ports = {id: port for id, port in self.all_ports.items() if self._is_here(port)}
        self.subnets_of: dict[str, list[Row]] = defaultdict(list)
        for subnet in self.subnets.values():
            self.subnets_of[subnet["network_id"]].append(subnet)
        self.router_ports: dict[str, list[Row]] = defaultdict(list)
        for port in self.all_ports.values():
            if port["device_owner"] in (INTERFACE, GATEWAY):
                self.router_ports[port["device_id"]].append(port)

    def _is_here(self, port: Row) -> bool:
        owner = port["device_owner"]
        if owner in (INTERFACE, GATEWAY, FLOATING) or port["network_id"] not in self.networks:
            return False
        return not port.get(HOST) or port[HOST] in self.chassis


def addresses(port: Row, version: int = 0) -> list[str]:
    """Its fixed ones, of one IP version or of both."""
    found = [fixed["ip_address"] for fixed in port.get("fixed_ips") or ()]
    return [one for one in found if not version or ip_address(one).version == version]


def quoted(words: Iterable[str]) -> str:
    return "{" + ", ".join(words) + "}"


def neutron_name(id: str) -> str:
    """A network's switch and a router alike."""
    return f"neutron-{id}"


def router_port_name(port_id: str) -> str:
    return f"lrp-{port_id}"


def rule_list(policy: Mapping[str, Any] | None, type: str) -> list[Row]:
    return [rule for rule in (policy or {}).get("rules") or () if rule["type"] == type]
