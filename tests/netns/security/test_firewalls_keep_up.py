"""Connections past a router port's firewall and a VM's, with traffic on them: they go on through whatever changes and
moves, as long as a rule allows them, and end where none does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import make_router
from tests.netns.security.test_connections_move import PORTS, Download, downloads

from netweft.lab import move, vm
from netweft.lab.cloud import Cloud
from netweft.lab.vm import Vm

BLUE = {4: "10.58.0.0/24", 6: "fd00:58::/64"}
WIDER = ("10.58.0.0/16", "fd00:58::/48")
WANTED = f"{min(PORTS.values())}:{max(PORTS.values())}"  # what is downloaded from


class Stage:
    """red is behind the firewalls, and downloads from blue; on different nodes."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self._made: list[tuple[str, str]] = []
        blue, red = (lab.network(f"10.{number}.0.0/24", f"fd00:{number}::/64") for number in (58, 59))
        self.router = make_router(lab, blue, red)
        self.blue, self.red = lab.add_vm("hv1", blue), lab.add_vm("hv2", red)
        for group in cloud.list("security-groups", name="default"):
            for ethertype in ("IPv4", "IPv6"):
                rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": ethertype}
                cloud.create("security-group-rules", **rule)
        ports = cloud.list("ports", device_id=self.router["id"], device_owner="network:router_interface")
        self.ports = [self.red.port_id, *(port["id"] for port in ports if port["network_id"] == red)]
        self.listed = cloud.create("address_groups", addresses=[BLUE[4], BLUE[6]])["id"]
        self.rules = [self.make("rule", **self.said(version)) for version in (4, 6)]
        self.policies = [self.make("policy", firewall_rules=self.rules) for _ in range(2)]
        self.group = self.make("group", egress_firewall_policy_id=self.policies[0])

    def said(self, version: int) -> dict[str, Any]:
        whom = {"netweft:destination_address_group_id": self.listed}
        return {"action": "allow", "protocol": "tcp", "ip_version": version, "destination_port": WANTED, **whom}

    def make(self, kind: str, **values: object) -> str:
        made = self.cloud.request("POST", f"fwaas/{_plural(kind)}", {f"firewall_{kind}": values})
        id = str(made[f"firewall_{kind}"]["id"])
        self._made.append((kind, id))
        return id

    def put(self, kind: str, id: str, **changes: object) -> None:
        self.cloud.request("PUT", f"fwaas/{_plural(kind)}/{id}", {f"firewall_{kind}": changes})

    def allow(self, *, enabled: bool) -> None:
        for id in self.rules:
            self.put("rule", id, enabled=enabled)

    def elsewhere(self, machine: Vm) -> None:
        here = vm.records(self.lab.layout).get(machine.name)
        move.move(self.cloud, self.lab.layout, here, "hv1" if here.node == "hv2" else "hv2")

    def act(self, verb: str, rule: str) -> None:
        path = f"fwaas/firewall_policies/{self.policies[0]}/{verb}_rule"
        self.cloud.request("PUT", path, {"firewall_rule_id": rule})

    def others_come_and_go(self) -> None:
        """At the head."""
        others = [self.make("rule", action=action, protocol="udp") for action in ("deny", "allow", "reject")]
        for verb in ("insert", "remove"):
            for other in others:
                self.act(verb, other)

    def list_them(self, verb: str, *addresses: str) -> None:
        wanted = {"address_group": {"addresses": list(addresses)}}
        self.cloud.request("PUT", f"address-groups/{self.listed}/{verb}_addresses", wanted)

    def others_are_listed(self) -> None:
        """And for a while a wider prefix stands for blue's own."""
        self.list_them("add", "198.51.100.0/24", *WIDER)
        self.list_them("remove", "198.51.100.0/24", *BLUE.values())
        self.list_them("add", *BLUE.values())
        self.list_them("remove", *WIDER)

    def in_and_out(self) -> None:
        for ports in ([], self.ports[:1], self.ports):
            self.put("group", self.group, ports=ports)

    def by_another_policy(self) -> None:
        for id in reversed(self.policies):
            self.put("group", self.group, egress_firewall_policy_id=id)

    def shared_and_not(self) -> None:
        for shared in (True, False):
            every = [*(("rule", id) for id in self.rules), ("policy", self.policies[0])]
            for kind, id in every if shared else reversed(every):
                self.put(kind, id, shared=shared)

    def in_the_default_group(self) -> None:
        """For a while: it lets all out, and nothing in."""
        groups = self.cloud.request("GET", "fwaas/firewall_groups?name=default")["firewall_groups"]
        port = self.cloud.find("ports", self.red.port_id)
        default = next(one["id"] for one in groups if one["project_id"] == port["project_id"])
        for group, ports in ((self.group, self.ports[1:]), (default, self.ports[:1]), (default, [])):
            self.put("group", group, ports=ports)
        self.put("group", self.group, ports=self.ports)

    def end(self) -> None:
        self.put("group", self.group, ports=[])
        for kind, id in sorted(self._made, key=lambda one: ("group", "policy", "rule").index(one[0])):
            self.cloud.request("DELETE", f"fwaas/{_plural(kind)}/{id}")
        self.cloud.delete("address_groups", self.listed)


def _plural(kind: str) -> str:
    return "firewall_policies" if kind == "policy" else f"firewall_{kind}s"


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with lab.cloud() as cloud:
        found = Stage(lab, cloud)
        yield found
        found.end()


def go_on(there: list[Download]) -> bool:
    return all(one.comes() for one in there)


def test_what_is_allowed_goes_on_whatever_else_changes(stage: Stage) -> None:
    changes: list[Callable[[], None]] = [
        lambda: stage.put("group", stage.group, ports=stage.ports),
        stage.others_come_and_go,
        stage.others_are_listed,
        lambda: stage.elsewhere(stage.red),
        lambda: stage.elsewhere(stage.blue),
        stage.in_and_out,
        stage.by_another_policy,
        stage.shared_and_not,
        stage.in_the_default_group,
        lambda: stage.elsewhere(stage.red),
    ]
    with downloads(stage.lab, stage.red, stage.blue) as there:
        for change in changes:
            change()
            until(lambda: go_on(there), f"they go on after {change}")


def is_over(one: Download) -> bool:
    """Nothing has come for a second."""
    return sum(int(one.client.line()) for _ in range(10)) == 0


def test_what_is_allowed_no_more_ends(stage: Stage) -> None:
    """By the rule, once the VM has moved; by the address group that it names; by the group that is down; by another
    policy."""
    stage.put("group", stage.group, ports=stage.ports)
    nothing = stage.make("policy")
    ways: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (lambda: stage.allow(enabled=False), lambda: stage.allow(enabled=True)),
        (
            lambda: stage.list_them("remove", *BLUE.values()),
            lambda: stage.list_them("add", *BLUE.values()),
        ),
        (
            lambda: stage.put("group", stage.group, admin_state_up=False),
            lambda: stage.put("group", stage.group, admin_state_up=True),
        ),
        (
            lambda: stage.put("group", stage.group, egress_firewall_policy_id=nothing),
            lambda: stage.put("group", stage.group, egress_firewall_policy_id=stage.policies[0]),
        ),
    ]
    for number, (less, again) in enumerate(ways):
        with downloads(stage.lab, stage.red, stage.blue) as there:
            if not number:
                stage.elsewhere(stage.red)
                until(lambda there=there: go_on(there), "they go on")  # type: ignore[misc]
            less()
            for one in there:
                until(lambda one=one: is_over(one), "it ends")  # type: ignore[misc]
        again()
