"""The packet that is traced, as it is at one place of its way."""

from ipaddress import ip_address
from typing import NamedTuple, Self

from netweft.model.protocols import NUMBERS

ICMP, TCP, UDP, ICMPV6, SCTP = (NUMBERS[name] for name in ("icmp", "tcp", "udp", "ipv6-icmp", "sctp"))
WITH_PORTS = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}
_ECHOES = {4: (8, 0), 6: (128, 129)}  # types of ICMP: the request, the answer
_NAMES = {ICMP: "icmp", ICMPV6: "ipv6-icmp", **WITH_PORTS}


class Packet(NamedTuple):
    """protocol: the IP protocol's number.  sport, dport: of those that have ports.  answers: it is an answer; of ICMP
    an echo reply, else a request.  size: in bytes, with its IP header; 0: as small as it can be."""

    src: str
    dst: str
    protocol: int
    sport: int = 0
    dport: int = 0
    answers: bool = False
    size: int = 0

    @property
    def version(self) -> int:
        return ip_address(self.dst).version

    @property
    def name(self) -> str:
        return _NAMES.get(self.protocol, str(self.protocol))

    @property
    def has_ports(self) -> bool:
        return self.protocol in WITH_PORTS

    @property
    def icmp_type(self) -> int | None:
        return {ICMP: _ECHOES[4], ICMPV6: _ECHOES[6]}.get(self.protocol, (None, None))[self.answers]

    @property
    def rule_option(self) -> str:
        """What `openstack security group rule create` gets of it beside the protocol: one word of a command."""
        if self.has_ports:
            return f"--dst-port={self.dport}"
        return f"--icmp-type={self.icmp_type}" if self.icmp_type is not None else f"--protocol={self.name}"

    def answered(self) -> Self:
        """What comes back."""
        back = self._replace(src=self.dst, dst=self.src, answers=not self.answers, size=0)
        return back._replace(sport=self.dport, dport=self.sport)

    def __str__(self) -> str:
        if not self.has_ports:
            return f"{self.name} {self.src} -> {self.dst}"
        return f"{self.name} {_with_port(self.src, self.sport)} -> {_with_port(self.dst, self.dport)}"


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def protocol_number(name: str, version: int) -> int:
    """`icmp` of IPv6 is ICMPv6.  Raises ValueError."""
    number = NUMBERS.get(name.lower())
    if number is None:
        if not (name.isascii() and name.isdecimal()) or len(name) > 3 or int(name) > 255:
            raise ValueError(f"'{name}' is no IP protocol")
        number = int(name)
    return {ICMP: ICMPV6}.get(number, number) if version == 6 else {ICMPV6: ICMP}.get(number, number)
