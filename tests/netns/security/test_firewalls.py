"""Firewalls (FWaaS) tried with real sockets, and docs/firewalls-tried.md written from what was seen.

`NETWEFT_WRITE_TABLES=1 pytest tests/netns/security/test_firewalls.py` writes the table; without it, the committed one
is compared.
"""

import errno
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.netns import sockets
from tests.netns.harness import Lab, until
from tests.netns.l3.test_matrix import OUTSIDE, End, Scene
from tests.waiting import PATIENCE

from netweft.lab.cloud import Cloud
from netweft.lab.layout import LabError

pytestmark = pytest.mark.timeout(300)

DOCUMENT = Path(__file__).parents[3] / "docs/firewalls-tried.md"
INTRODUCTION = """\
# Firewalls, tried

Each form of a firewall rule (FWaaS v2), at a router's port and at VMs' ports, on each way through a router. Made by
`NETWEFT_WRITE_TABLES=1 pytest tests/netns/security/test_firewalls.py`; `make test` tries all of it again and fails
where a cell is not as written here. Each cell: a connection to TCP port 5001, one to TCP port 5011, a datagram to UDP
port 5002 and its answer. `y` passes, `-` is dropped, `R` is rejected: reset, or told that it is prohibited.

Two hypervisors; the VM behind the firewall is on the second, who talks with it on the first or outside. Balanced: by
the VIP of a load balancer on the network of whom it leads to.

"""
TCP, OTHER, UDP = 5001, 5011, 5002
CANARIES = 40000
PROBES = (("tcp", TCP), ("tcp", OTHER), ("udp", UDP))
PASSES, DROPPED, REJECTED = "y", "-", "R"
_TOLD = (errno.EHOSTUNREACH, errno.EACCES, errno.ECONNREFUSED)
_canary = count(CANARIES + 1)


class Way(NamedTuple):
    """address: that is dialled.  canary: where the canary is said to; empty: there, too."""

    title: str
    frm: End
    to: End
    address: str
    canary: str = ""

    @property
    def version(self) -> int:
        return 6 if ":" in self.address else 4


class Form(NamedTuple):
    """rules: of IPv4 and IPv6 alike, in order.  expected: of TCP, the other TCP port, UDP."""

    title: str
    rules: tuple[dict[str, Any], ...]
    expected: str


def allow(**more: object) -> dict[str, Any]:
    return {"action": "allow", **more}


def deny(**more: object) -> dict[str, Any]:
    return {"action": "deny", **more}


def reject(**more: object) -> dict[str, Any]:
    return {"action": "reject", **more}


IT = {"protocol": "tcp", "destination_port": str(TCP)}
FORMS = (
    Form("no rule", (), "---"),
    Form("allow", (allow(),), "yyy"),
    Form("allow a TCP port", (allow(**IT),), "y--"),
    Form("allow TCP ports 5000:5008", (allow(protocol="tcp", destination_port="5000:5008"),), "y--"),
    Form("allow UDP", (allow(protocol="udp"),), "--y"),
    Form("allow from high ports", (allow(protocol="tcp", source_port="1024:65535"),), "yy-"),
    Form(
        "allow from high ports to TCP ports 5000:5008",
        (allow(protocol="tcp", source_port="1024:65535", destination_port="5000:5008"),),
        "y--",
    ),
    Form("deny a port, allow", (deny(**IT), allow()), "-yy"),
    Form("allow, deny a port", (allow(), deny(**IT)), "yyy"),
    Form("deny a port, switched off, allow", (deny(**IT, enabled=False), allow()), "yyy"),
    Form("reject TCP, allow", (reject(protocol="tcp"), allow()), "RRy"),
    Form("reject", (reject(),), "RRR"),
    Form("deny an address group, allow", (deny(group=True), allow()), "---"),
    Form("allow an address group", (allow(group=True),), "yyy"),
)


class Cast(Scene):
    """red2 is behind the firewall, and red1, which has no floating IP."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        super().__init__(lab, cloud)
        self._balancers: list[str] = []
        by_floating_ip = self.floating(self.red2)
        forwarded = self.forwarded_to(self.ports[self.red1.name], self.red1.addresses[4])
        blue, red, outside = self.blue1, self.red2, self.outside
        self.incoming: tuple[Way, ...] = (
            Way("routed", blue, red, red.addresses[4]),
            Way("routed", blue, red, red.addresses[6]),
            Way("floating IP", outside, red, by_floating_ip),
            Way("forwarded", outside, self.red1, forwarded),
            Way("balanced", blue, red, self.balanced(red, red), red.addresses[4]),
        )
        self.outgoing: tuple[Way, ...] = (
            Way("routed", red, blue, blue.addresses[4]),
            Way("routed", red, blue, blue.addresses[6]),
            Way("SNAT", self.red1, outside, OUTSIDE[4]),
            Way("floating IP", red, outside, OUTSIDE[4]),
            Way("balanced", red, blue, self.balanced(blue, blue), blue.addresses[4]),
        )
        self.everybody = self.cloud.create("address_groups", addresses=["10.0.0.0/8", "203.0.113.0/24", "fd00::/16"])
        self.policies = {name: self._make("policy", name=name)["id"] for name in ("ingress", "egress")}
        self._rules: dict[str, str] = {}
        birds = allow(protocol="udp", destination_port="1"), deny(protocol="udp", destination_port="40000:40999")
        self._canaries, self._first = ([self._rule(bird, version) for version in (4, 6)] for bird in birds)
        self.group = self._make(
            "group", **{f"{name}_firewall_policy_id": id for name, id in self.policies.items()}, name="tried"
        )["id"]
        self.answering: dict[tuple[str, int], socket.socket] = {}
        self.listening = self._listen()

    def forwarded_to(self, port_id: str, address: str) -> str:
        made = self.cloud.create("floatingips", floating_network_id=self.external)
        inside = {"internal_port_id": port_id, "internal_ip_address": address}
        for protocol, ports in (("tcp", "5001:5011"), ("udp", "5002:5002"), ("udp", f"{CANARIES}:{CANARIES + 999}")):
            wanted = {**inside, "protocol": protocol, "internal_port_range": ports, "external_port_range": ports}
            self.cloud.request("POST", f"floatingips/{made['id']}/port_forwardings", {"port_forwarding": wanted})
        return str(made["floating_ip_address"])

    def balanced(self, near: End, member: End) -> str:
        """A VIP on the network that this one is on, with one member."""
        network = self.cloud.find("ports", self.ports[near.name])["network_id"]
        ends = [(kind.upper(), port) for kind, port in PROBES]
        listeners = [
            {
                "protocol": protocol,
                "protocol_port": port,
                "default_pool": {
                    "name": f"{protocol} {port}",
                    "protocol": protocol,
                    "lb_algorithm": "ROUND_ROBIN",
                    "members": [{"address": member.addresses[4], "protocol_port": port}],
                },
            }
            for protocol, port in ends
        ]
        wanted = {"vip_network_id": network, "listeners": listeners}
        made = self.cloud.balancing("POST", "loadbalancers", {"loadbalancer": wanted})["loadbalancer"]
        self._balancers.append(made["id"])
        return str(made["vip_address"])

    def _make(self, kind: str, **attributes: object) -> dict[str, Any]:
        made: dict[str, Any] = self.cloud.request(
            "POST", f"fwaas/{_collection(kind)}", {f"firewall_{kind}": attributes}
        )
        return dict(made[f"firewall_{kind}"])

    def put(self, kind: str, id: str, **changes: object) -> None:
        self.cloud.request("PUT", f"fwaas/{_collection(kind)}/{id}", {f"firewall_{kind}": changes})

    def route(self, *routes: dict[str, str]) -> None:
        self.cloud.request("PUT", f"routers/{self.router['id']}", {"router": {"routes": list(routes)}})

    def guard(self, *ports: str) -> None:
        self.put("group", self.group, ports=list(ports))

    @property
    def router_ports(self) -> list[str]:
        """On red: one an IP version."""
        ports = self.cloud.list("ports", device_id=self.router["id"], device_owner="network:router_interface")
        red = self.cloud.find("ports", self.ports[self.red2.name])["network_id"]
        return [port["id"] for port in ports if port["network_id"] == red]

    def _listen(self) -> list[socket.socket]:
        found = []
        for end in (self.blue1, self.red1, self.red2, self.outside):
            for version in (4, 6):
                found += [sockets.tcp(end.namespace, version, port) for port in (TCP, OTHER)]
                self.answering[end.namespace, version] = sockets.udp(end.namespace, version, UDP)
        return [*found, *self.answering.values()]

    def echo(self, hearing: Sequence[socket.socket]) -> None:
        for one in hearing:
            with suppress(BlockingIOError):
                while True:
                    try:
                        self._answer(one)
                    except OSError as error:
                        if error.errno not in _TOLD:  # of an answer to who has gone meanwhile
                            raise

    def _answer(self, one: socket.socket) -> None:
        if one.type == socket.SOCK_DGRAM:
            data, sender = one.recvfrom(100)
            one.sendto(data, sender)
        else:
            one.accept()[0].close()

    def say(self, direction: str, form: Form) -> int:
        """The canary's port.  It is let through last, and alone of its kind: when it passes, the form is in force."""
        rules = [self._rule(said, version, direction) for said in form.rules for version in (4, 6)]
        self.put("policy", self.policies[direction], firewall_rules=[*self._canaries, *self._first, *rules])
        number = next(_canary)
        for id in self._canaries:
            self.put("rule", id, destination_port=str(number))
        return number

    def _rule(self, said: dict[str, Any], version: int, direction: str = "") -> str:
        """Each is made once."""
        rule = {**said, "ip_version": version}
        if rule.pop("group", False):
            end = "source" if direction == "ingress" else "destination"
            rule[f"netweft:{end}_address_group_id"] = self.everybody["id"]
        if str(rule) not in self._rules:
            self._rules[str(rule)] = str(self._make("rule", **rule)["id"])
        return self._rules[str(rule)]

    def end(self) -> None:
        for one in self.listening:
            one.close()
        for id in self._balancers:
            self.cloud.balancing("DELETE", f"loadbalancers/{id}?cascade=true")
        self.guard()
        until(lambda: self._is_gone("group", self.group), "its group goes")
        for kind, ids in (("policy", self.policies), ("rule", self._rules)):
            for id in ids.values():
                self._is_gone(kind, id)
        self.cloud.delete("address_groups", self.everybody["id"])

    def _is_gone(self, kind: str, id: str) -> bool:
        """A group that is ACTIVE yet can't be deleted."""
        with suppress(LabError):
            self.cloud.request("DELETE", f"fwaas/{_collection(kind)}/{id}")
            return True
        return False

    def close(self, *ports: str) -> None:
        """With a firewall on what had none: nothing passes any more."""
        for direction in self.policies:
            self.say(direction, FORMS[0])
        self.guard(*ports)
        for ways in (self.incoming, self.outgoing):
            until(lambda ways=ways: self.tried(ways, FORMS[0].expected) == ["---"] * len(ways), "it is closed")  # type: ignore[misc]

    def await_canary(self, ways: Sequence[Way], number: int) -> None:
        """On each way a datagram to its port comes back."""
        asks = [sockets.udp(way.frm.namespace, way.version) for way in ways]
        hears = {(way.to.namespace, way.version) for way in ways}
        hearing = [sockets.udp(namespace, version, number) for namespace, version in hears]
        missing, end, said = set(range(len(ways))), time.monotonic() + PATIENCE, 0.0
        while missing:
            assert time.monotonic() < end, f"nothing passes: {[ways[at] for at in missing]}"
            if time.monotonic() - said > 0.05:
                said = time.monotonic()
                for at in missing:
                    _try_to(lambda at=at: asks[at].sendto(b"?", (ways[at].canary or ways[at].address, number)))
            self.echo(hearing)
            missing = {at for at in missing if _try_to(lambda at=at: asks[at].recv(100)) is None}
            time.sleep(0.005)
        for one in (*asks, *hearing):
            one.close()

    def tried(self, ways: Sequence[Way], expected: str) -> list[str]:
        """What has become of the three on each way: what is to pass or to be rejected has the time that it takes."""
        probes = [
            _Probe(way, kind, port) for way in ways for kind, port in (("tcp", TCP), ("tcp", OTHER), ("udp", UDP))
        ]
        wanted = expected * len(ways)
        end = time.monotonic() + PATIENCE
        quiet = time.monotonic() + 0.1
        while time.monotonic() < end:
            self.echo(self.listening)
            for probe in probes:
                probe.look()
            settled = all(
                probe.result != DROPPED for probe, want in zip(probes, wanted, strict=True) if want != DROPPED
            )
            if settled and time.monotonic() > quiet:
                break
            time.sleep(0.005)
        for probe in probes:
            probe.socket.close()
        self.echo(self.listening)
        results = "".join(probe.result for probe in probes)
        return [results[at : at + 3] for at in range(0, len(results), 3)]


def _collection(kind: str) -> str:
    return "firewall_policies" if kind == "policy" else f"firewall_{kind}s"


class _Probe:
    def __init__(self, way: Way, kind: str, port: int) -> None:
        self.way, self.kind, self.port = way, kind, port
        make = sockets.tcp if kind == "tcp" else sockets.udp
        self.socket = make(way.frm.namespace, way.version)
        self.result, self._said = DROPPED, time.monotonic()
        code = self.socket.connect_ex((way.address, port))
        assert code in (0, errno.EINPROGRESS), os.strerror(code)
        if kind == "udp":
            _try_to(lambda: self.socket.send(b"?"))

    def look(self) -> None:
        if self.result != DROPPED:
            return
        if self.kind == "tcp":
            try:
                self.socket.getpeername()
                self.result = PASSES
            except OSError:
                if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in _TOLD:
                    self.result = REJECTED
            return
        try:
            self.socket.recv(100)
            self.result = PASSES
        except OSError as error:
            if error.errno in _TOLD:
                self.result = REJECTED
            elif time.monotonic() - self._said > 0.5:
                self._said = time.monotonic()
                _try_to(lambda: self.socket.send(b"?"))


def _try_to(do: Any) -> object:
    try:
        return do()
    except OSError:
        return None


@pytest.fixture(scope="module")
def cast(lab: Lab) -> Iterator[Cast]:
    with lab.cloud() as cloud:
        found = Cast(lab, cloud)
        yield found
        found.end()


def test_each_form_on_each_way(cast: Cast) -> None:
    lines: list[tuple[str, ...]] = []
    wrong = []
    heads = {
        direction: [f"{way.title} IPv{way.version}" for way in ways]
        for direction, ways in (("ingress", cast.incoming), ("egress", cast.outgoing))
    }
    for place, ports in (
        ("router port", cast.router_ports),
        ("VM ports", [cast.ports[cast.red1.name], cast.ports[cast.red2.name]]),
    ):
        cast.close(*ports)
        for direction, ways in (("ingress", cast.incoming), ("egress", cast.outgoing)):
            for form in FORMS:
                cast.await_canary(ways, cast.say(direction, form))
                cells = cast.tried(ways, form.expected)
                lines.append((place, direction, form.title, *cells))
                wrong += [(place, direction, form.title, way, cell) for way, cell in zip(ways, cells, strict=True)
                          if cell != form.expected]  # fmt: skip
    assert not wrong, wrong
    text = INTRODUCTION + "".join(
        table(["port", "direction", "rules", *heads[direction]], [line for line in lines if line[1] == direction])
        for direction in heads
    )
    if os.environ.get("NETWEFT_WRITE_TABLES"):
        DOCUMENT.write_text(text)
    assert text == DOCUMENT.read_text()


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_answers_end_with_the_rule_that_allowed_the_question(cast: Cast, direction: str) -> None:
    """By themselves: whoever has asked says nothing more."""
    ways = cast.incoming if direction == "ingress" else cast.outgoing
    for ports in (cast.router_ports, [cast.ports[end.name] for end in (cast.red1, cast.red2)]):
        cast.close(*ports)
        cast.await_canary(ways, cast.say(direction, FORMS[1]))
        talks = [_Silent(way, cast.answering[way.to.namespace, way.version]) for way in ways]
        until(lambda talks=talks: all(talk.arrives() for talk in talks), "answers arrive")  # type: ignore[misc]
        cast.say(direction, FORMS[0])
        until(lambda talks=talks: not any(talk.arrives() for talk in talks), "they end")  # type: ignore[misc]
        for talk in talks:
            talk.asks.close()


class _Silent:
    """Who has asked once, and is answered again and again."""

    def __init__(self, way: Way, answers: socket.socket) -> None:
        self.way, self.asks, self._answers = way, sockets.udp(way.frm.namespace, way.version), answers
        while _try_to(lambda: answers.recv(10)):
            pass
        self.asks.sendto(b"?", (way.address, UDP))
        _, self._asker = until_not_none(lambda: _try_to(lambda: answers.recvfrom(10)))

    def arrives(self) -> bool:
        while _try_to(lambda: self.asks.recv(10)):
            pass
        for _ in range(5):
            self._answers.sendto(b"!", self._asker)
        time.sleep(0.05)
        return _try_to(lambda: self.asks.recv(10)) is not None


def test_what_is_rejected_between_two_routers_is_said(cast: Cast) -> None:
    """A reset comes back by the first: neither the second nor anything behind it has a port that could be asked."""
    network = cast.cloud.find("ports", cast.ports[cast.red2.name])["network_id"]
    beyond = cast.cloud.create("routers", name="beyond")["id"]
    hop = cast.cloud.create("ports", network_id=network)
    cast.cloud.request("PUT", f"routers/{beyond}/add_router_interface", {"port_id": hop["id"]})
    cast.guard(*cast.router_ports)
    cast.say("ingress", Form("reject TCP", (reject(protocol="tcp"),), "RR-"))
    addresses = [fixed["ip_address"] for fixed in hop["fixed_ips"]]
    way = {"destination": "10.99.0.0/24", "nexthop": next(one for one in addresses if ":" not in one)}
    cast.route(way)
    try:
        until(lambda: _connected_with(cast.blue1, "10.99.0.9") == errno.ECONNREFUSED, "it is reset")
    finally:
        cast.route()
        cast.cloud.request("PUT", f"routers/{beyond}/remove_router_interface", {"port_id": hop["id"]})
        cast.cloud.delete("routers", beyond)


def _connected_with(end: End, address: str) -> int:
    """What becomes of a connection in a while; 0: nothing."""
    with sockets.tcp(end.namespace, 4) as asks:
        asks.connect_ex((address, TCP))
        time.sleep(0.05)
        return asks.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_what_is_let_through_and_what_is_not_is_in_the_nodes_log(cast: Cast) -> None:
    """By its node: of the port that has the firewall, and for the log that asks for it.  Its security group, which is
    asked before, lets all of it through."""
    way, port_id = cast.incoming[0], cast.ports[cast.red2.name]
    cast.guard(cast.ports[cast.red1.name], port_id)  # first: of a port without a firewall there is no log
    firewalls, groups = logs = [
        cast.cloud.request("POST", "log/logs", {"log": {"resource_type": kind, "target_id": port_id}})["log"]["id"]
        for kind in ("firewall_group", "security_group")
    ]
    cast.await_canary([way], cast.say("ingress", FORMS[2]))

    def said() -> str:
        cast.tried([way], FORMS[2].expected)
        return "".join(path.read_text(errors="replace") for path in cast.lab.layout.logs.glob("*agent*"))

    def is_there(action: str, port: int, log: str = firewalls) -> bool:
        about = (f"action={action}", f"log_resource_ids={log}", f"port={port_id}", f"dport={port}", "protocol=6")
        return any(all(word in line for word in about) for line in said().splitlines())

    until(lambda: is_there("ACCEPT", TCP) and is_there("DROP", OTHER), "both are logged")
    assert not is_there("DROP", TCP) and not is_there("ACCEPT", OTHER)
    until(lambda: is_there("ACCEPT", OTHER, groups), "so is what its group says")
    assert not is_there("DROP", OTHER, groups)
    for log in logs:
        cast.cloud.request("DELETE", f"log/logs/{log}")


def until_not_none(look: Any) -> Any:
    found: list[Any] = []

    def there() -> bool:
        found[:] = [look()]
        return found[0] is not None

    until(there, "it arrives")
    return found[0]


def table(head: list[str], lines: list[tuple[str, ...]]) -> str:
    rows = [tuple(head), ("---",) * len(head), *lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows) + "\n"
