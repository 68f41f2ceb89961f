"""Firewall groups (FWaaS) of routers' ports, asked at the VMs' ports of their networks, as on our own hosts (0605).

OVN tracks no connections on routers' ports, but it does on VMs': what leaves the network is for the router's MAC, what
comes into it is of the router's MAC.  What the router says itself, or is asked itself, is not looked at.

Egress has a stage of its own (`apply-after-lb`), behind that of security groups.  Ingress shares the one stage that
there is, so each rule that allows is followed by all that else decides there, of what the rule says (0691):

    rule 1, allow    all of the VMs' firewalls and groups, within rule 1      drop what is left of rule 1
    rule 2, deny     drop
    ...              drop what comes from the router
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final, TypeAlias

from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import firewalls, security
from netweft.plugins.mechanisms.ovn.rows import GATEWAY, HOST, INTERFACE, Rows, addresses, port_key
from netweft.plugins.mechanisms.ovn.schema import key, row

FIRST, LAST = 31_900, firewalls.LAST + 1  # priorities
OTHERS_ROUTE: Final = "what hosts with other agents route into the network is not asked by OVN's hosts"

Verdict: TypeAlias = tuple[str, str]
"""Match and action, of several the first that matches."""


def desired(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    interfaces = (port for port in rows.all_ports.values() if port["device_owner"] == INTERFACE)
    for group, ports in firewalls.grouped(rows, interfaces):
        for port in ports:
            vms = [one for one in rows.ports.values() if one["network_id"] == port["network_id"] and one.get(HOST)]
            if vms:
                yield from _OfPort(rows, group, port, vms).wanted()


class _OfPort:
    def __init__(self, rows: Rows, group: Row, port: Row, vms: Sequence[Row]) -> None:
        self._rows, self._group, self._port, self._vms = rows, group, port, vms
        self._name = f"fwr_{port['id'].replace('-', '_')}"
        self._parent = key("Port_Group", self._name)
        self._told = frozenset({str(port["id"])}), "", frozenset({("firewall_groups", str(group["id"]))})

    def wanted(self) -> Iterator[tuple[str, Wanted]]:
        members = [port_key(vm["id"]) for vm in self._vms]
        yield self._parent, Wanted(row({"name": self._name, "ports": members}), *self._told)
        found = {"egress": list(self._egress()), "ingress": list(self._ingress())}
        for direction, verdicts in found.items():
            mac = f"eth.{'dst' if direction == 'egress' else 'src'} == {self._port['mac_address']}"
            whose = f"{security.SIDES[direction][1]} == @{self._name} && {mac}"
            rest = ("ip", "drop")
            fits = len(verdicts) < FIRST - LAST and sum(len(one) for one, _ in verdicts) < firewalls.MOST_TEXT
            for place, (match, action) in enumerate([*verdicts, rest] if fits else [rest]):
                yield self._acl(direction, place, f"{whose} && {match}", action)
            if not fits:
                ports, _, parts = self._told
                yield key("Port_Group", f"{self._name}_{direction}"), Wanted(None, ports, firewalls.TOO_MUCH, parts)
        if why := self._beyond():
            ports, _, parts = self._told
            yield key("Port_Group", f"{self._name}_others"), Wanted(None, ports, why, parts)

    def _acl(self, direction: str, place: int, match: str, action: str) -> tuple[str, Wanted]:
        columns = {
            "priority": FIRST - place,
            "direction": security.SIDES[direction][0],
            "match": match,
            "action": action,
            "options": {"apply-after-lb": "true"} if direction == "egress" else {},
        }
        return key("ACL", f"{self._name}-{direction}-{place}"), Wanted(row(columns, self._parent), *self._told)

    def _own(self, end: str) -> Iterator[str]:
        """What the router itself says (src), or is asked (dst)."""
        own = {one for port in self._rows.router_ports[self._port["device_id"]] for one in addresses(port)}
        for version in (4, 6):
            if its := sorted(one for one in own if ip_address(one).version == version):
                yield f"ip{version} && ip{version}.{end} == {{{', '.join(its)}}}"

    def _egress(self) -> Iterator[Verdict]:
        for own in self._own("dst"):
            yield own, "allow-related"
        for _, _, action, match in firewalls.rules(self._rows, self._group, "egress"):
            yield match, "allow-related" if action == "allow" else firewalls.DONE[action]

    def _ingress(self) -> Iterator[Verdict]:
        inside = list(self._permitted())
        for own in self._own("src"):
            yield from _within(own, inside)
        for _, _, action, match in firewalls.rules(self._rows, self._group, "ingress"):
            if action == "allow":
                yield from _within(match, inside)
            else:
                yield match, firewalls.DONE[action]

    def _permitted(self) -> Iterator[Verdict]:
        """What decides of these VMs besides: their own firewalls, then security groups."""
        yield from firewalls.verdicts(self._rows, self._vms, "ingress")
        if permits := firewalls.permitted(self._rows, self._vms, "ingress"):
            yield permits, "allow-related"

    def _beyond(self) -> str:
        """Hosts of ours route, and send with MACs of their own, on networks that are on a wire."""
        networks = {port["network_id"] for port in self._rows.router_ports[self._port["device_id"]]}
        is_elsewhere = any(
            one["network_id"] in networks and one.get(HOST) and one[HOST] not in self._rows.chassis
            for one in self._rows.all_ports.values()
            if one["device_owner"] not in (INTERFACE, GATEWAY)
        )
        return OTHERS_ROUTE if is_elsewhere else ""


def _within(match: str, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    for inside, action in verdicts:
        yield f"{match} && ({inside})", action
    yield match, "drop"
