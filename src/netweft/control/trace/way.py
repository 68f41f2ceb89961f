"""The way that a packet takes by what the API says, through networks and routers, with everything that stops it.

What stops it does not end the walk, where it is clear how it would go on: all blockers are named, in the order in which
the packet meets them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from netweft.control.explain.examine import Finding, found_of
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.trace import codes, filters, firewalls
from netweft.control.trace.filters import has_address
from netweft.control.trace.packet import ICMP, ICMPV6, Packet
from netweft.findings import Code

PORT, OUTSIDE, ROUTER, NOWHERE, UNKNOWN = "port", "outside", "router", "nowhere", "unknown"
_CIDR, _DESTINATION = "cidr", "destination"


class Step(NamedTuple):
    """What happens at an object; row: None of what is outside.  packet: as it is then."""

    kind: str
    row: Row | None
    does: str
    packet: Packet


class Nat(NamedTuple):
    """What a router has made of a packet, or a load balancer.  router: its id.  side: `src` or `dst`.
    was, now: address and port.  kind: of which that one is."""

    router: str
    side: str
    was: tuple[str, int]
    now: tuple[str, int]
    kind: str = "routers"


@dataclass(slots=True)
class Way:
    """end: what it comes to; at: the port or router there, on the network `network`.  packet: as it is then.
    mac: to which it is sent first; via: whose address that is.  networks: those it has been in.
    balanced: the VIP's port, where a load balancer leads it on: which member gets it is not in the rows."""

    packet: Packet
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    nats: list[Nat] = field(default_factory=list)
    routers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    mac: str = ""
    via: str = ""
    end: str = NOWHERE
    at: Row | None = None
    network: Row | None = None
    balanced: Row | None = None

    @property
    def blocked(self) -> bool:
        return any(finding.code.blocks for finding in self.findings)

    def step(self, kind: str, row: Row | None, does: str) -> None:
        self.steps.append(Step(kind, row, does, self.packet))

    def stops(self, code: Code, kind: str, row: Row, detail: str = "", **values: str) -> None:
        finding = Finding(kind, row, Told(code, detail, values))
        if finding not in self.findings:
            self.findings.append(finding)

    def check(self, seen: Snapshot, kind: str, row: Row, *only: Code) -> None:
        """What the object itself lacks; only: of these codes."""
        for finding in found_of(seen, kind, row):
            if finding.code.blocks and (not only or finding.code in only) and finding not in self.findings:
                self.findings.append(finding)

    def suppose(self, what: str) -> None:
        if what not in self.assumptions:
            self.assumptions.append(what)

    def ends(self, end: str, at: Row | None = None, network: Row | None = None) -> None:
        self.end, self.at, self.network = end, at, network

    def translate(self, router: Row, side: str, address: str, port: int, *, kind: str = "routers") -> None:
        packet = self.packet
        was = (packet.src, packet.sport) if side == "src" else (packet.dst, packet.dport)
        self.nats.append(Nat(router["id"], side, was, (address, port), kind))
        if side == "src":
            self.packet = packet._replace(src=address, sport=port)
        else:
            self.packet = packet._replace(dst=address, dport=port)

    def undo(self, router: Row, side: str, nats: Sequence[Nat]) -> bool:
        """What was made of the packet that this one answers."""
        packet = self.packet
        now = (packet.dst, packet.dport) if side == "src" else (packet.src, packet.sport)
        for nat in nats:
            if nat.router == router["id"] and nat.side == side and nat.now == now:
                other = "dst" if side == "src" else "src"
                self.translate(router, other, *nat.was)
                return True
        return False


# -- looking into rows


def subnets_of(seen: Snapshot, network: Row) -> Iterator[Row]:
    return seen.all("subnets", network_id=network["id"])


def holds(subnet: Row, address: str) -> bool:
    return ip_address(address) in ip_network(subnet[_CIDR])


def owner_of(seen: Snapshot, network: Row, address: str) -> Row | None:
    """The port that has the address there: its own before what it may use besides."""
    found = list(seen.all("ports", network_id=network["id"]))
    own = next((port for port in found if has_address(port, address)), None)
    return own or next((port for port in found if _may_use(port, address)), None)


def _may_use(port: Row, address: str) -> bool:
    return any(pair["ip_address"] == address for pair in port.get("allowed_address_pairs") or ())


def mac_for(port: Row, address: str) -> str:
    pairs = (one for one in port.get("allowed_address_pairs") or () if one["ip_address"] == address)
    pair = None if has_address(port, address) else next(pairs, None)
    return str(pair["mac_address"] if pair else port["mac_address"])


def sees_all_of(seen: Snapshot, network: Row) -> bool:
    """Whether the caller sees each port of it, so that what is not seen is not there."""
    return "ports" in seen.whole or f"ports of {network['id']}" in seen.whole


def is_ping(packet: Packet) -> bool:
    return packet.protocol in (ICMP, ICMPV6)


# -- at ports


def leaves(seen: Snapshot, way: Way, port: Row, *, answer: bool) -> None:
    """Out of a port: is it the port's to send, do its groups let it out?"""
    way.step("ports", port, filtered(seen, way, port, "egress", answer=answer))
    passes_firewall(seen, way, port, "egress", answer=answer)
    way.check(seen, "ports", port)
    if filters.is_filtered(port) and not (has_address(port, way.packet.src) or _may_send(port, way.packet.src)):
        way.stops(codes.SPOOFED, "ports", port, way.packet.src, address=way.packet.src)


def delivered(seen: Snapshot, way: Way, port: Row, network: Row, *, answer: bool) -> None:
    way.step("ports", port, filtered(seen, way, port, "ingress", answer=answer))
    passes_firewall(seen, way, port, "ingress", answer=answer)
    way.check(seen, "ports", port)
    way.ends(PORT, port, network)


def passes_firewall(seen: Snapshot, way: Way, port: Row, direction: str, *, answer: bool) -> None:
    """Of a VM's port, or of a router's by which the packet goes out of its network (egress), or into it."""
    if not firewalls.group_of(port):
        return
    if answer:
        way.step("ports", port, "its firewall lets it pass: it answers what was let through")
        return
    said = firewalls.decision(seen, port, direction, way.packet)
    if said.unsure:
        way.suppose(f"the firewall of {port['id']} lets it pass: {said.why}")
        return
    way.step("ports", port, f"its firewall {'lets it pass' if said.permits else 'refuses it'}: {said.why}")
    if not said.permits:
        values = {"direction": direction, "group": firewalls.group_of(port)}
        way.stops(codes.FIREWALL_REFUSES, "ports", port, f"{way.packet}; {said.why}", **values)


def _may_send(port: Row, address: str) -> bool:
    pairs = [pair["ip_address"] for pair in port.get("allowed_address_pairs") or ()]
    return any(ip_address(address) in ip_network(pair, strict=False) for pair in pairs)


def filtered(seen: Snapshot, way: Way, port: Row, direction: str, *, answer: bool) -> str:
    word = "out" if direction == "egress" else "in"
    if not filters.is_filtered(port):
        return f"is not filtered: port security is off, it passes {word}"
    if answer and filters.is_stateful(seen, port):
        return f"lets it {word}: it answers what was let through"
    if not port.get("security_groups"):
        way.stops(codes.NO_GROUP, "ports", port)
        return f"does not let it {word}: it has no security group"
    said = filters.verdict(seen, port, direction, way.packet)
    if said.rule is not None:
        group = said.rule["security_group_id"]
        return f"security group {group} lets it {word}: rule {said.rule['id']} ({filters.said(said.rule)})"
    if said.unsure:
        way.suppose(f"a rule of {port['id']} that names what you do not see lets it {word}")
        return f"perhaps lets it {word}: {filters.said(said.nearest or {})}"
    _no_rule(way, port, direction, said)
    return f"does not let it {word}: no rule of its security groups does"


def _no_rule(way: Way, port: Row, direction: str, said: filters.Verdict) -> None:
    packet, near = way.packet, said.nearest
    detail = str(packet)
    if near is not None:
        detail += f"; the nearest is rule {near['id']} of security group {near['security_group_id']}, "
        detail += f"{filters.said(near)}: another {', '.join(said.differs)}"
    values = {
        "direction": direction,
        "ethertype": f"IPv{packet.version}",
        "protocol": packet.name,
        "what": packet.rule_option,
        "remote": str(ip_network(packet.dst if direction == "egress" else packet.src)),
        "group": str(next(iter(port["security_groups"]))),
    }
    code = codes.NO_RULE_OUT if direction == "egress" else codes.NO_RULE_IN
    way.stops(code, "ports", port, detail, **values)
