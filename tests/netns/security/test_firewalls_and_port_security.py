"""Firewalls (FWaaS) before ports without port security and with allowed address pairs: docs/firewalls-and-pairs.md.

`NETWEFT_WRITE_TABLES=1 pytest tests/netns/security/test_firewalls_and_port_security.py` writes the table; without it,
the committed one is compared.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.netns import sockets
from tests.netns.harness import Lab
from tests.netns.l3.test_matrix import MTU, OUTSIDE, End
from tests.netns.security.test_firewalls import FORMS, OTHER, TCP, UDP, Cast, Form, Way, reject, table

from netweft.lab import host
from netweft.lab.cloud import Cloud
from netweft.lab.commands import run
from netweft.lab.host import Host

pytestmark = pytest.mark.timeout(400)

DOCUMENT = Path(__file__).parents[3] / "docs/firewalls-and-pairs.md"
INTRODUCTION = """\
# Firewalls, port security and address pairs, tried

A firewall (FWaaS v2) at a router's port and at VMs' ports, and behind it VMs that use other addresses than their ports
have, or have no port security. Made by `NETWEFT_WRITE_TABLES=1 pytest
tests/netns/security/test_firewalls_and_port_security.py`; `make test` tries all of it again and fails where a cell is
not as written here. Each cell: a connection to TCP port 5001, one to TCP port 5011, a datagram to UDP port 5002 and its
answer. `y` passes, `-` is dropped, `R` is rejected: reset, or told that it is prohibited.

Floating IPs and forwarded ports lead to ports that are bound nowhere, and have a pair's address: the VM with the pair
uses it. (Without port security only forwarded ports do; the floating IP is the port's.) Two hypervisors; these VMs are
on the second, who talks with them on the first or outside.

"""
SECOND_OUTSIDE = "203.0.113.250"
PAIR_MAC = "fa:16:3e:aa:bb:01"
TRIED = (FORMS[0], FORMS[2], Form("reject", (reject(),), "RRR"))


class Kind(NamedTuple):
    """first: of its addresses, the last byte.  pairs: its port's."""

    title: str
    first: int
    pairs: tuple[dict[str, str], ...] = ()
    mac: str = ""

    def address(self, version: int, number: int = 0) -> str:
        return f"fd00:51::{self.first + number:x}" if version == 6 else f"10.51.0.{self.first + number}"


def _pairs(first: int, **more: str) -> tuple[dict[str, str], ...]:
    each = (f"10.51.0.{first}", f"10.51.0.{first + 1}", f"fd00:51::{first:x}")
    return tuple({"ip_address": address, **more} for address in each)


KINDS = (
    Kind("no port security", 70),
    Kind("pair: addresses", 86, _pairs(86)),
    Kind("pair: prefixes", 102, ({"ip_address": "10.51.0.96/28"}, {"ip_address": "fd00:51::60/124"})),
    Kind("pair: addresses and MAC", 118, _pairs(118, mac_address=PAIR_MAC), PAIR_MAC),
)


class Pairs(Cast):
    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        super().__init__(lab, cloud)
        host.add(
            lab.layout, Host(name="second", physical_network="public", vlan=0, addresses=(f"{SECOND_OUTSIDE}/24",))
        )
        self.second = End("second", lab.layout.host_namespace("second"), {4: SECOND_OUTSIDE})
        run("ip", "-n", self.second.namespace, "link", "set", "eth0", "mtu", str(MTU))
        self._listen_at(self.second.namespace, 4)
        self.network = cloud.find("ports", self.ports[self.red2.name])["network_id"]
        self.subnets = {one["ip_version"]: one for one in cloud.list("subnets", network_id=self.network)}
        ends = [(kind, self._machine(kind)) for kind in KINDS]
        self.incoming = tuple(way for kind, end in ends for way in self._incoming(kind, end))
        self.outgoing = tuple(way for kind, end in ends for way in self._outgoing(kind, end))

    def _machine(self, kind: Kind) -> End:
        port: dict[str, Any] = {"allowed_address_pairs": list(kind.pairs)}
        if not kind.pairs:
            port = {"port_security_enabled": False, "security_groups": []}
            own = (4, 6)
            port["fixed_ips"] = [
                {"subnet_id": self.subnets[version]["id"], "ip_address": kind.address(version)} for version in own
            ]
        machine = self.lab.add_vm("hv2", self.network, **port)
        self.ports[kind.title] = machine.port_id
        namespace = self.lab.layout.vm_namespace(machine.name)
        self._has(namespace, kind)
        self._listen_at(namespace, 4, 6)
        return End(kind.title, namespace, {version: kind.address(version) for version in (4, 6)})

    def _listen_at(self, namespace: str, *versions: int) -> None:
        for version in versions:
            self.listening += [sockets.tcp(namespace, version, port) for port in (TCP, OTHER)]
            self.listening.append(sockets.udp(namespace, version, UDP))

    def _has(self, namespace: str, kind: Kind) -> None:
        """These addresses alone.  By the second it talks with the second host outside."""
        device = "eth0"
        run("ip", "-n", namespace, "address", "flush", "dev", device, "scope", "global")
        if kind.mac:
            device = "pair0"
            link = ("link", "add", "link", "eth0", "name", device, "address", kind.mac, "type", "macvlan")
            run("ip", "-n", namespace, *link, "mode", "bridge")
            run("ip", "-n", namespace, "link", "set", device, "up")
        for address, length in ((kind.address(4), 24), (kind.address(4, 1), 24), (kind.address(6), 64)):
            run("ip", "-n", namespace, "address", "add", f"{address}/{length}", "dev", device, "nodad")
        gateway = self.subnets[4]["gateway_ip"]
        run("ip", "-n", namespace, "route", "replace", "default", "via", gateway, "dev", device)
        of_the_second = ("via", gateway, "dev", device, "src", kind.address(4, 1))
        run("ip", "-n", namespace, "route", "add", SECOND_OUTSIDE, *of_the_second)
        run(
            *("ip", "-n", namespace, "-6", "route", "replace", "default"),
            "via",
            self.subnets[6]["gateway_ip"],
            "dev",
            device,
        )

    def _stands_for(self, kind: Kind, number: int) -> str:
        """The id of the port that has the address in the database."""
        if not kind.pairs and not number:
            return str(self.ports[kind.title])
        fixed = {"subnet_id": self.subnets[4]["id"], "ip_address": kind.address(4, number)}
        return str(self.cloud.create("ports", network_id=self.network, fixed_ips=[fixed])["id"])

    def _incoming(self, kind: Kind, end: End) -> Iterator[Way]:
        blue, outside = self.blue1, self.outside
        for version in (4, 6):
            yield Way("routed", blue, end, end.addresses[version])
        wanted = {"port_id": self._stands_for(kind, 0), "fixed_ip_address": kind.address(4)}
        floating = self.cloud.create("floatingips", floating_network_id=self.external, **wanted)
        yield Way("floating IP", outside, end, floating["floating_ip_address"])
        forwarded = self.forwarded_to(self._stands_for(kind, 1), kind.address(4, 1))
        yield Way("forwarded", self.second, end, forwarded)
        yield Way("balanced", blue, end, self.balanced(self.red2, end), end.addresses[4])

    def _outgoing(self, kind: Kind, end: End) -> Iterator[Way]:
        for version in (4, 6):
            yield Way("routed", end, self.blue1, self.blue1.addresses[version])
        yield Way("floating IP", end, self.outside, OUTSIDE[4])
        yield Way("SNAT", end, self.second, SECOND_OUTSIDE)
        yield Way("balanced", end, self.blue1, self.balanced(self.blue1, self.blue1), self.blue1.addresses[4])


@pytest.fixture(scope="module")
def pairs(lab: Lab) -> Iterator[Pairs]:
    with lab.cloud() as cloud:
        found = Pairs(lab, cloud)
        yield found
        found.end()


def test_each_kind_of_port_on_each_way(pairs: Pairs) -> None:
    tables: dict[str, list[tuple[str, ...]]] = {"ingress": [], "egress": []}
    wrong = []
    for place, ports in (
        ("router port", pairs.router_ports),
        ("VM ports", [pairs.ports[kind.title] for kind in KINDS]),
    ):
        pairs.close(*ports)
        for direction, ways in (("ingress", pairs.incoming), ("egress", pairs.outgoing)):
            each = len(ways) // len(KINDS)
            for form in TRIED:
                pairs.await_canary(ways, pairs.say(direction, form))
                cells = pairs.tried(ways, form.expected)
                wrong += [
                    (place, direction, form.title, way.to.name, way.frm.name, way.title, way.version, cell)
                    for way, cell in zip(ways, cells, strict=True)
                    if cell != form.expected
                ]
                for number, kind in enumerate(KINDS):
                    of_it = cells[number * each : (number + 1) * each]
                    tables[direction].append((place, kind.title, form.title, *of_it))
    assert not wrong, "\n".join(map(str, wrong))
    heads = {
        direction: [f"{way.title} IPv{way.version}" for way in ways[: len(ways) // len(KINDS)]]
        for direction, ways in (("ingress", pairs.incoming), ("egress", pairs.outgoing))
    }
    text = INTRODUCTION + "".join(
        f"## {direction.capitalize()}\n\n" + table(["firewall", "VM", "rules", *heads[direction]], lines)
        for direction, lines in tables.items()
    )
    if os.environ.get("NETWEFT_WRITE_TABLES"):
        DOCUMENT.write_text(text)
    assert text == DOCUMENT.read_text()
