"""Packets for the fake switch, as VMs send them."""

import itertools

from netweft.dataplane.openflow.fields import (
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    ETH_RARP,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_TCP,
    PROTO_UDP,
    ROUTER_ADVERT,
    ROUTER_SOLICIT,
)
from netweft.services.addresses import mac, prefix
from netweft.testing.switch import Packet, cut

_datagrams = itertools.count(1)

BROADCAST = "ff:ff:ff:ff:ff:ff"
ALL_NODES = "33:33:00:00:00:01"


def _ip(address: str) -> int:
    return prefix(address).value


def _frame(src: str, dst: str, eth_type: int, **fields: int) -> Packet:
    return {"eth_src": mac(src), "eth_dst": mac(dst), "eth_type": eth_type, **fields}


def arp(src: str, spa: str, tpa: str, *, op: int = 1, dst: str = BROADCAST, sha: str | None = None) -> Packet:
    """sha: when the sender lies inside ARP about its MAC."""
    sender = mac(sha or src)
    return _frame(src, dst, ETH_ARP, arp_op=op, arp_sha=sender, arp_spa=_ip(spa), arp_tha=0, arp_tpa=_ip(tpa))


def rarp(src: str) -> Packet:
    """As a hypervisor announces a VM that has just arrived."""
    return _frame(src, BROADCAST, ETH_RARP)


def ping(src: str, dst: str, from_ip: str, to_ip: str) -> Packet:
    ends = {"ipv4_src": _ip(from_ip), "ipv4_dst": _ip(to_ip)}
    return _frame(src, dst, ETH_IPV4, ip_proto=PROTO_ICMP, icmpv4_type=8, icmpv4_code=0, ip_ttl=64, **ends)


def ping6(src: str, dst: str, from_ip: str, to_ip: str) -> Packet:
    return _icmpv6(src, dst, from_ip, to_ip, 128)


def udp(src: str, dst: str, from_ip: str, to_ip: str, sport: int, dport: int) -> Packet:
    version = prefix(from_ip).version
    ends = {f"ipv{version}_src": _ip(from_ip), f"ipv{version}_dst": _ip(to_ip)}
    eth_type = ETH_IPV4 if version == 4 else ETH_IPV6
    return _frame(src, dst, eth_type, ip_proto=PROTO_UDP, udp_src=sport, udp_dst=dport, ip_ttl=64, **ends)


def tcp(src: str, dst: str, from_ip: str, to_ip: str, sport: int, dport: int) -> Packet:
    datagram = udp(src, dst, from_ip, to_ip, sport, dport)
    ports = {"tcp_src": sport, "tcp_dst": dport, "ip_proto": PROTO_TCP}
    return {name: value for name, value in datagram.items() if not name.startswith("udp")} | ports


def fragments(packet: Packet, pieces: int = 3, *, hidden: bool = False) -> list[Packet]:
    """As a sender cuts it.  hidden: the first one ends before ports and types, which then read 0."""
    return cut({**packet, "datagram": next(_datagrams), "pieces": pieces}, hidden=hidden)


def solicit(src: str, from_ip: str, target: str, *, sll: str | None = None) -> Packet:
    """Without `sll` the option is absent, which the switch sees as zeros."""
    group = _ip("ff02::1:ff00:0") | _ip(target) & 0xFFFFFF
    ethernet = 0x333300000000 | group & 0xFFFFFFFF
    fields = {"nd_target": _ip(target), "nd_sll": mac(sll) if sll else 0, "nd_options_type": 1 if sll else 0}
    packet = _icmpv6(src, ALL_NODES, from_ip, "::", ND_SOLICIT)
    return {**packet, "eth_dst": ethernet, "ipv6_dst": group, **fields}


def advertise(src: str, from_ip: str, target: str, *, tll: str, dst: str = ALL_NODES) -> Packet:
    packet = _icmpv6(src, dst, from_ip, "ff02::1", ND_ADVERT)
    return {**packet, "nd_target": _ip(target), "nd_tll": mac(tll), "nd_options_type": 2}


def router_advertise(src: str, from_ip: str) -> Packet:
    return _icmpv6(src, ALL_NODES, from_ip, "ff02::1", ROUTER_ADVERT)


def router_solicit(src: str, from_ip: str) -> Packet:
    """Are there any?"""
    return _icmpv6(src, "33:33:00:00:00:02", from_ip, "ff02::2", ROUTER_SOLICIT)


def _icmpv6(src: str, dst: str, from_ip: str, to_ip: str, kind: int) -> Packet:
    ends = {"ipv6_src": _ip(from_ip), "ipv6_dst": _ip(to_ip)}
    return _frame(src, dst, ETH_IPV6, ip_proto=PROTO_ICMPV6, icmpv6_type=kind, icmpv6_code=0, **ends)
