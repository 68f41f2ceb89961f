"""Every way through a router, from each place, by each protocol: measured, as docs/layer3-tried.md says."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.netns.harness import OVERLAY, Lab, until
from tests.netns.l2.layer2 import provider
from tests.netns.l3.test_routing import make_router

from netweft.lab import host
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, run
from netweft.lab.host import Host
from netweft.lab.vm import Vm

pytestmark = pytest.mark.timeout(600)

HOPS = Path(__file__).with_name("hops.py")
DOCUMENT = Path(__file__).parents[3] / "docs/layer3-tried.md"
INTRODUCTION = """\
# Layer 3, tried

Every way through a router, from each place, by each protocol. Made by `NETWEFT_WRITE_TABLES=1 pytest
tests/netns/l3/test_matrix.py`; `make test` tries all of it again and fails where a row is not as written here.

ping: one that is answered. TCP: 1 MiB, compared by digest. UDP: a datagram of 1,000 bytes, and its answer. traceroute:
with each number of hops fewer than it takes, somebody says so (by ping; to a forwarded port by UDP). path MTU: who
sends more than the next network takes is told how much fits. `-`: there is no such thing (a forwarded port answers no
ping; what comes from the smaller network fits).

Two hypervisors, both with the external network, whose MTU is 1480; `blue` is VXLAN (MTU 1450), `red` a VLAN (MTU 1500).

"""
HEAD = ("way", "from", "to", "IP", "ping", "TCP", "UDP", "traceroute", "path MTU")
OUTSIDE = {4: "203.0.113.1", 6: "2001:db8::1"}
MTU = 1480
TCP, UDP, MOST_HOPS = 5001, 5002, 6
WORKS, NONE = "works", "-"


class End(NamedTuple):
    """A machine.  addresses: by IP version."""

    name: str
    namespace: str
    addresses: dict[int, str]


class Way(NamedTuple):
    """address: that is dialled.  fits: of how many bytes a packet fits, where the sender's own network takes more."""

    title: str
    frm: End
    to: End
    address: str
    fits: int = 0
    forwarded: bool = False

    @property
    def version(self) -> int:
        return 6 if ":" in self.address else 4


class Tried(NamedTuple):
    lab: Lab
    way: Way

    def row(self) -> tuple[str, ...]:
        way = self.way
        named = (way.title, way.frm.name, way.to.name, f"IPv{way.version}")
        ping = NONE if way.forwarded else _said(self._ping())
        traceroute = _said(self._traceroute_by_udp() if way.forwarded else self._traceroute())
        too_big = _said(self._is_told_by_udp() if way.forwarded else self._is_told()) if way.fits else NONE
        return (*named, ping, _said(self._tcp()), _said(self._udp()), traceroute, too_big)

    def _ping(self, *options: str) -> bool:
        return " 1 received" in self._pinged("-w", "10", *options)

    def _pinged(self, *options: str) -> str:
        command = ("ping", "-n", "-c", "1", *options, self.way.address)
        done = subprocess.run(
            in_namespace(self.way.frm.namespace, *command), capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    def _traceroute(self) -> bool:
        for hops in range(1, MOST_HOPS):
            said = self._pinged("-t", str(hops), "-W", "5")
            if " 1 received" in said:
                return hops > 1
            if "From " not in said:
                return False
        return False

    def _traceroute_by_udp(self) -> bool:
        """To the very port."""
        with self.lab.inside_namespace(self.way.to.namespace, "hear", str(UDP)):
            for hops in range(1, MOST_HOPS):
                hop = self._hop(hops, 100)
                if not hop.get("from"):
                    return hops > 1 and hop == {"answer": True}
        return False

    def _is_told_by_udp(self) -> bool:
        return bool(self._hop(64, self.way.fits + 10).get("mtu") == self.way.fits)

    def _hop(self, ttl: int, size: int) -> dict[str, Any]:
        """The second time where the first was lost."""
        return self._hop_once(ttl, size) or self._hop_once(ttl, size)

    def _hop_once(self, ttl: int, size: int) -> dict[str, Any]:
        words = (sys.executable, str(HOPS), self.way.address, str(UDP), str(ttl), str(size))
        done = subprocess.run(in_namespace(self.way.frm.namespace, *words), capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))

    def _tcp(self) -> bool:
        with self.lab.inside_namespace(self.way.to.namespace, "serve", str(TCP)) as server:
            words = ("feed", self.way.address, str(TCP), str(2**20))
            with self.lab.inside_namespace(self.way.frm.namespace, *words) as client:
                return client.finish()[0].split()[0] == server.finish()[0]

    def _udp(self) -> bool:
        """The second time where the first was lost."""
        with self.lab.inside_namespace(self.way.to.namespace, "hear", str(UDP)):
            for _ in range(2):
                with self.lab.inside_namespace(
                    self.way.frm.namespace, "say", self.way.address, str(UDP), "1000"
                ) as said:
                    if said.finish()[-1] == "1000":
                        return True
        return False

    def _is_told(self) -> bool:
        """By its own size a packet fits into the sender's network, and not into what is behind the router."""
        head = 48 if self.way.version == 6 else 28
        said = self._pinged("-M", "do", "-s", str(self.way.fits + 10 - head), "-W", "5")
        return any(f"mtu{equals}{self.way.fits}" in said for equals in ("=", " = "))


def _said(works: bool) -> str:
    return WORKS if works else "broken"


class Scene:
    """blue and red on a router with a gateway; of each two VMs, of which one has a floating IP."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        blue, red = (
            lab.network(f"10.{number}.0.0/24", f"fd00:{number}::/64", **provider(kind))
            for number, kind in ((50, OVERLAY), (51, "vlan"))
        )
        flat = {"provider:network_type": "flat", "provider:physical_network": "public", "router:external": True}
        self.external = cloud.create("networks", name="ext", mtu=MTU, **flat)["id"]
        for version, cidr in ((4, "203.0.113.0/24"), (6, "2001:db8::/64")):
            subnet = {"network_id": self.external, "cidr": cidr, "ip_version": version, "enable_dhcp": False}
            cloud.create("subnets", gateway_ip=OUTSIDE[version], **subnet)
        addresses = (f"{OUTSIDE[4]}/24", f"{OUTSIDE[6]}/64")
        host.add(lab.layout, Host(name="outside", physical_network="public", vlan=0, addresses=addresses))
        self.outside = End("outside", lab.layout.host_namespace("outside"), OUTSIDE)
        run("ip", "-n", self.outside.namespace, "link", "set", "eth0", "mtu", str(MTU))
        self.router = make_router(lab, blue, red, external_gateway_info={"network_id": self.external})
        self.blue1, self.blue2 = (self._vm(f"blue on {node}", node, blue) for node in ("hv1", "hv2"))
        self.red1, self.red2 = (self._vm(f"red on {node}", node, red) for node in ("hv1", "hv2"))
        for ethertype in ("IPv4", "IPv6"):
            for group in cloud.list("security-groups", name="default"):
                rule = {"direction": "ingress", "ethertype": ethertype}
                cloud.create("security-group-rules", security_group_id=group["id"], **rule)
        gateway = cloud.list("ports", device_id=self.router["id"], device_owner="network:router_gateway")[0]
        self.by = next(fixed["ip_address"] for fixed in gateway["fixed_ips"] if ":" in fixed["ip_address"])
        self._outside_knows_of_us("replace")

    def _outside_knows_of_us(self, verb: str) -> None:
        for number in (50, 51):
            run("ip", "-n", self.outside.namespace, "route", verb, f"fd00:{number}::/64", "via", self.by)

    def translated_in_ipv6(self) -> None:
        self._outside_knows_of_us("del")
        self.cloud.update("networks", self.external, {"netweft:nat66": True})
        for end in (self.red1, self.red2):  # as if it had heard of no path yet
            run("ip", "-n", end.namespace, "-6", "route", "flush", "cache")
        until(lambda: " 0% packet loss" in self._ping(self.blue1.namespace, OUTSIDE[6]), "there is NAT66")

    def _vm(self, name: str, node: str, network: str) -> End:
        machine = self.lab.add_vm(node, network)
        self.ports = {**getattr(self, "ports", {}), name: machine.port_id}
        return End(name, self.lab.layout.vm_namespace(machine.name), addresses_of(machine))

    def floating(self, end: End) -> str:
        made = self.cloud.create("floatingips", floating_network_id=self.external, port_id=self.ports[end.name])
        address = str(made["floating_ip_address"])
        until(lambda: " 0% packet loss" in self._ping(self.outside.namespace, address), f"{address} is reached")
        return address

    def forwarded(self, end: End) -> str:
        """By an address that leads to these two ports of it, and nowhere else."""
        made = self.cloud.create("floatingips", floating_network_id=self.external)
        for protocol, port in (("tcp", TCP), ("udp", UDP)):
            inside = {"internal_port_id": self.ports[end.name], "internal_ip_address": end.addresses[4]}
            wanted = {**inside, "protocol": protocol, "internal_port": port, "external_port": port}
            self.cloud.request("POST", f"floatingips/{made['id']}/port_forwardings", {"port_forwarding": wanted})
        return str(made["floating_ip_address"])

    def _ping(self, namespace: str, address: str) -> str:
        command = in_namespace(namespace, "ping", "-n", "-c", "1", "-W", "1", address)
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def ways(self) -> Iterator[Way]:
        blue1, blue2, red1, red2, outside = self.blue1, self.blue2, self.red1, self.red2, self.outside
        for version in (4, 6):
            for frm, to, fits in ((blue1, red1, 0), (blue1, red2, 0), (red2, blue2, 1450), (red2, blue1, 1450)):
                yield Way("routed", frm, to, to.addresses[version], fits)
        for frm, fits in ((blue1, 0), (blue2, 0), (red1, MTU), (red2, MTU)):
            yield Way("routed", frm, outside, OUTSIDE[6], fits)
            yield Way("SNAT", frm, outside, OUTSIDE[4], fits)
        yield Way("routed", outside, blue1, blue1.addresses[6], 1450)
        yield Way("routed", outside, red2, red2.addresses[6])
        first, second = self.floating(blue1), self.floating(red2)
        yield Way("floating IP", outside, blue1, first, 1450)
        yield Way("floating IP", outside, red2, second)
        yield Way("by its floating IP", blue1, outside, OUTSIDE[4])
        yield Way("by its floating IP", red2, outside, OUTSIDE[4], MTU)
        yield Way("floating IP, from inside", blue2, blue1, first)
        yield Way("floating IP, from inside", red1, blue1, first, 1450)
        yield Way("floating IP, from inside", blue2, red2, second)
        yield Way("floating IP to floating IP", red2, blue1, first, 1450)
        yield Way("floating IP to floating IP", blue1, red2, second)
        yield Way("floating IP, its own", blue1, blue1, first)
        third = self.forwarded(blue2)
        for frm, fits in ((outside, 1450), (red1, 1450), (blue1, 0), (blue2, 0)):
            yield Way("port forwarding", frm, blue2, third, fits, forwarded=True)
        self.translated_in_ipv6()
        for frm, fits in ((blue1, 0), (blue2, 0), (red1, MTU), (red2, MTU)):
            yield Way("NAT66", frm, outside, OUTSIDE[6], fits)


def addresses_of(machine: Vm) -> dict[int, str]:
    bare = [address.partition("/")[0] for address in machine.nic.addresses]
    return {6 if ":" in address else 4: address for address in bare}


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def test_every_way(lab: Lab) -> None:
    with lab.cloud() as cloud:
        rows = [Tried(lab, way).row() for way in Scene(lab, cloud).ways()]
    print(json.dumps(rows))
    if os.environ.get("NETWEFT_WRITE_TABLES"):
        DOCUMENT.write_text(INTRODUCTION + _table(rows))
    assert INTRODUCTION + _table(rows) == DOCUMENT.read_text()
