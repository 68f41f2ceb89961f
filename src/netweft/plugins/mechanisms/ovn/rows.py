"""The region's objects as this back end looks at them, and names of what becomes of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from netweft.model.load_balancer import ASKING_OWNER, LOAD_BALANCER
from netweft.model.node import OVN_AGENT
from netweft.model.port import AHEAD
from netweft.plugins.mechanisms import Row, View
from netweft.plugins.mechanisms.ovn.schema import key

KINDS: Final = frozenset(
    {
        "address_groups",
        "agents",
        "firewall_groups",
        "firewall_policies",
        "firewall_rules",
        "floatingips",
        "healthmonitors",
        "listeners",
        "loadbalancers",
        "members",
        "networks",
        "policies",
        "pools",
        "port_forwardings",
        "ports",
        "routers",
        "security_group_rules",
        "security_groups",
        "subnets",
        "trunks",
    }
)
AGENT: Final = OVN_AGENT
HOST: Final = "binding:host_id"
INTERFACE, GATEWAY, FLOATING = "network:router_interface", "network:router_gateway", "network:floatingip"
_NOT_PLUGGED: Final = frozenset({INTERFACE, GATEWAY, FLOATING, ASKING_OWNER})


class Rows:
    """Of one turn.  ports: those that become logical ports: of VMs that are on a chassis, or on no host yet.
    told: networks with VMs whose chassis answers for metadata."""

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
        self._balancers(view)
        self.firewall_groups = view.rows("firewall_groups")
        self.firewall_policies = view.rows("firewall_policies")
        self.firewall_rules = view.rows("firewall_rules")
        agents = [agent for agent in view.rows("agents").values() if agent.get("agent_type") == AGENT]
        self.chassis = {agent["host"] for agent in agents}
        self._answering = {
            agent["host"] for agent in agents if (agent.get("configurations") or {}).get("metadata") == ""
        }
        self.ports = {id: port for id, port in self.all_ports.items() if self._is_here(port)}
        self._owners: dict[tuple[str, str], set[str]] = defaultdict(set)  # of an address in a pair of theirs
        for id, port in self.ports.items():
            for pair in port.get("allowed_address_pairs") or () if port.get(HOST) else ():
                self._owners[port["network_id"], pair["ip_address"]].add(id)
        self.networks_here = {port["network_id"] for port in self.ports.values() if port.get(HOST)}
        self.told = {
            port["network_id"] for port in self.ports.values() if not self._answering.isdisjoint(self.places(port))
        }
        self.subnets_of: dict[str, list[Row]] = defaultdict(list)
        for subnet in self.subnets.values():
            self.subnets_of[subnet["network_id"]].append(subnet)
        self.router_ports: dict[str, list[Row]] = defaultdict(list)
        self.routers_of: dict[str, set[str]] = defaultdict(set)  # networks that they have interfaces on
        self.routed: set[tuple[str, str]] = set()  # subnet and address of routers' interfaces
        self.sources: dict[str, str] = {}  # subnet -> the address that asks members there
        for port in self.all_ports.values():
            if port["device_owner"] in (INTERFACE, GATEWAY):
                self.router_ports[port["device_id"]].append(port)
            if port["device_owner"] == INTERFACE:
                self.routers_of[port["network_id"]].add(port["device_id"])
                self.routed |= {(one["subnet_id"], one["ip_address"]) for one in port.get("fixed_ips") or ()}
            if port["device_owner"] == ASKING_OWNER and port["device_id"]:  # without one it is anybody's
                self.sources |= {one["subnet_id"]: one["ip_address"] for one in port["fixed_ips"]}

    def places(self, port: Row) -> list[str]:
        """The chassis where it is, and those where it is wired before it moves there."""
        hosts = [port.get(HOST), *(binding[HOST] for binding in port.get(AHEAD) or ())]
        return [host for host in dict.fromkeys(hosts) if host in self.chassis]

    def shared(self, port: Row) -> tuple[str, list[str]]:
        """The address of a port that is plugged in nowhere, and the ports that may have it, as VRRP's routers do; one
        has it at a time, and OVN finds out which.  Empty: there is none."""
        for address in () if port.get(HOST) else addresses(port):
            if owners := self._owners.get((port["network_id"], address)):
                return address, sorted(owners)
        return "", []

    def translates(self, floating: Row) -> bool:
        """Whether a floating IP is on the chassis of the port that it leads to, which has one, or gets one."""
        port = self.ports.get(floating.get("port_id") or "")
        is_there = port is not None and bool(port.get(HOST) or self.shared(port)[0])
        return is_there and floating.get("distributed") is not False

    def _balancers(self, view: View) -> None:
        self.balancers = view.rows("loadbalancers")
        self.pools = view.rows("pools")
        self.listeners_of = _by(view.rows("listeners"), LOAD_BALANCER)
        self.members_of = _by(view.rows("members"), "pool_id")
        self.monitors_of = {one["pool_id"]: one for one in view.rows("healthmonitors").values()}
        self.floating_of = _by(self.floating_ips, "port_id")
        self.vips = {one["vip_port_id"] for one in self.balancers.values()}

    def _is_here(self, port: Row) -> bool:
        owner = port["device_owner"]
        if owner in _NOT_PLUGGED or port["id"] in self.vips or port["network_id"] not in self.networks:
            return False
        return not port.get(HOST) or port[HOST] in self.chassis


def addresses(port: Row, version: int = 0) -> list[str]:
    """Its fixed ones, of one IP version or of both."""
    found = [fixed["ip_address"] for fixed in port.get("fixed_ips") or ()]
    return [one for one in found if not version or ip_address(one).version == version]


def quoted(words: Iterable[str]) -> str:
    return "{" + ", ".join(words) + "}"


def _by(rows: Mapping[str, Row], attribute: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for one in rows.values():
        if one.get(attribute):
            found[one[attribute]].append(one)
    return found


def switch_key(network_id: str) -> str:
    return key("Logical_Switch", neutron_name(network_id))


def port_key(port_id: str) -> str:
    return key("Logical_Switch_Port", port_id)


def router_key(router_id: str) -> str:
    return key("Logical_Router", neutron_name(router_id))


def router_port_key(port_id: str) -> str:
    return key("Logical_Router_Port", router_port_name(port_id))


def neutron_name(id: str) -> str:
    """A network's switch and a router alike."""
    return f"neutron-{id}"


def router_port_name(port_id: str) -> str:
    return f"lrp-{port_id}"


def rule_list(policy: Mapping[str, Any] | None, type: str) -> list[Row]:
    return [rule for rule in (policy or {}).get("rules") or () if rule["type"] == type]
