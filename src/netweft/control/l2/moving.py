"""Connections of ports that move: what a host tells that a port has just left, kept for the host that has it now.

A list goes along with its port, however often that moves, until the node where it is active has taken it up, or is too
old.  A host is heard once for each time that a port left it, of what the port itself has a part in.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice

import msgspec

from netweft.control.ipam import addresses
from netweft.control.l2.hosts import HOST
from netweft.model import MovedConnections, Tracked
from netweft.model.connections import CAME_FROM, FRESH_SECONDS, MOST, MOVED
from netweft.store import Object, WriteTransaction

_LARGEST = Tracked(protocol=255, src="", dst="", sport=0xFFFF, dport=0xFFFF)


def goes(port: Object, host: str) -> Object:
    """What else changes when the port becomes active on this host."""
    if host == port[HOST]:
        return {}
    left = {one: at for one, at in _came_from(port).items() if one != host}
    if port[HOST]:
        left[port[HOST]] = _now()
    return {CAME_FROM: left, MOVED: port.get(MOVED) if _kept(port) else None}


def left(tx: WriteTransaction, node: str, port_id: str, told: Iterable[Tracked]) -> None:
    """What the port was connected to there."""
    port = tx.lock("ports", port_id)
    if port is None or not port[HOST] or node not in _came_from(port):
        return
    others = {one: at for one, at in _came_from(port).items() if one != node}
    found = tuple(dict.fromkeys([*_kept(port), *_its_own(port, told)]))[:MOST]
    moved = MovedConnections(_now(), found) if found else None
    tx.update("ports", port_id, {CAME_FROM: others, MOVED: msgspec.to_builtins(moved)})


def taken_up(tx: WriteTransaction, node: str, port_id: str, at: float) -> None:
    """A list that the node has done what it can with: this one, and no newer one."""
    port = tx.lock("ports", port_id)
    if port is not None and port[HOST] == node and (port.get(MOVED) or {}).get("at") == at:
        tx.update("ports", port_id, {MOVED: None})


def _now() -> float:
    return round(time.time(), 3)


def _is_fresh(at: float) -> bool:
    return abs(_now() - at) < FRESH_SECONDS


def _came_from(port: Object) -> Mapping[str, float]:
    return {host: at for host, at in (port.get(CAME_FROM) or {}).items() if _is_fresh(at)}


def _kept(port: Object) -> tuple[Tracked, ...]:
    kept = port.get(MOVED) and msgspec.convert(port[MOVED], MovedConnections)
    return kept.connections if kept and _is_fresh(kept.at) else ()


def _its_own(port: Object, told: Iterable[Tracked]) -> Iterator[Tracked]:
    """Of these, what makes sense and has one end at an address of the port."""
    pairs = [ip_network(pair["ip_address"], strict=False) for pair in port.get("allowed_address_pairs") or ()]
    macs = {port["mac_address"], *(pair["mac_address"] for pair in port.get("allowed_address_pairs") or ())}
    own = {ip_address(fixed["ip_address"]) for fixed in port["fixed_ips"]}
    own |= {ip_address(addresses.eui64("fe80::/64", mac)) for mac in macs}
    for one in islice(told, MOST):
        with suppress(ValueError):
            ends = ip_address(one.src), ip_address(one.dst)
            if _is_sound(one, *ends) and any(end in own or _is_within(end, pairs) for end in ends):
                yield one


def _is_sound(one: Tracked, src: IPv4Address | IPv6Address, dst: IPv4Address | IPv6Address) -> bool:
    numbers = ((one.protocol, _LARGEST.protocol), (one.sport, _LARGEST.sport), (one.dport, _LARGEST.dport))
    return src.version == dst.version and all(0 <= number <= most for number, most in numbers)


def _is_within(end: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(end in network for network in networks if network.version == end.version)
