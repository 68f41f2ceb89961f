"""From two ends to a start, a packet and a target.  Pure: rows as their caller sees them."""

from collections.abc import Iterator
from typing import NamedTuple

from netweft.control.explain import codes as known
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l3.associations import LEADING
from netweft.control.l3.owners import GATEWAY, OWNERS
from netweft.control.rbac import IS_EXTERNAL
from netweft.control.trace import codes
from netweft.control.trace.filters import has_address
from netweft.control.trace.packet import Packet
from netweft.control.trace.walker import Start
from netweft.control.trace.way import Way

# somebody outside of whom nothing is known (RFC 5737, RFC 3849)
SOMEBODY = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}


class Far(NamedTuple):
    """Where it goes: a port, a floating IP, or an address.  All empty: outside."""

    port: Row | None = None
    floating: Row | None = None
    address: str = ""


class Question(NamedTuple):
    """protocol: by IP version, as a number."""

    protocol: dict[int, int]
    sport: int = 0
    dport: int = 0
    source: str = ""
    size: int = 0


class Begun(NamedTuple):
    """way: where there is nothing to walk, what stands in the way of that."""

    start: Start | None
    packet: Packet | None
    target: Row | None
    assumptions: tuple[str, ...] = ()
    way: Way | None = None


def begin(seen: Snapshot, frm: Far, to: Far, asked: Question) -> Begun:
    """frm: a port, an associated floating IP, or outside with or without an address."""
    port = frm.port
    if port is None and frm.floating is not None:
        port = seen.get("ports", frm.floating.get("port_id"))
        if port is None:
            way = Way(Packet("", "", 0))
            way.stops(known.FLOATING_NO_PORT, "floatingips", frm.floating)
            return Begun(None, None, to.port, (), way)
    return _from_port(seen, port, frm, to, asked) if port is not None else _from_outside(seen, frm, to, asked)


def _from_port(seen: Snapshot, port: Row, frm: Far, to: Far, asked: Question) -> Begun:
    network = seen.get("networks", port["network_id"])
    sources = [asked.source] if asked.source else [fixed["ip_address"] for fixed in port["fixed_ips"]]
    if frm.floating is not None and not asked.source:
        sources = [frm.floating["fixed_ip_address"]]
    pairs = [(src, dst) for dst in _targets(to) for src in sources if (":" in src) == (":" in dst)]
    if network is None or not pairs:
        return _no_version(port, to)
    src, dst = pairs[0]
    supposed = (f"{dst} is anybody outside",) if dst in SOMEBODY.values() else ()
    return Begun(Start(port, network), _packet(asked, src, dst), _target(seen, to, dst), supposed)


def _targets(to: Far) -> list[str]:
    if to.floating is not None:
        return [to.floating["floating_ip_address"]]
    if to.port is not None:
        return [fixed["ip_address"] for fixed in to.port["fixed_ips"]]
    return [to.address] if to.address else list(SOMEBODY.values())


def _target(seen: Snapshot, to: Far, dst: str) -> Row | None:
    """The port that it is meant for; of an address, if one port alone has it."""
    if to.port is not None or to.floating is not None:
        return to.port
    found = [one for one in seen.all("ports") if one["device_owner"] not in OWNERS and has_address(one, dst)]
    return found[0] if len(found) == 1 else None


def _no_version(port: Row, to: Far) -> Begun:
    way = Way(Packet("", "", 0))
    way.stops(codes.NO_COMMON_VERSION, "ports", port, network=port["network_id"])
    return Begun(None, None, to.port, (), way)


def _packet(asked: Question, src: str, dst: str) -> Packet:
    return Packet(src, dst, asked.protocol[6 if ":" in dst else 4], asked.sport, asked.dport, size=asked.size)


def _from_outside(seen: Snapshot, frm: Far, to: Far, asked: Question) -> Begun:
    source = asked.source or frm.address
    supposed: list[str] = []
    floating = to.floating
    if floating is None and to.port is not None:
        leading = [*seen.many("floatingips", to.port.get(LEADING) or ())]
        floating = leading[0] if leading else None
        if floating is not None:
            supposed.append(f"from outside it is sent to the floating IP {floating['floating_ip_address']}")
    dst = floating["floating_ip_address"] if floating is not None else _targets(to)[0]
    src = source or SOMEBODY[6 if ":" in dst else 4]
    if not source:
        supposed.append(f"it comes from {src}, as from anybody outside")
    if (":" in src) != (":" in dst):
        return _no_version(to.port, to) if to.port is not None else Begun(None, None, None, tuple(supposed))
    network = _outside_of(seen, floating, to.port or _target(seen, to, dst))
    target = to.port or _target(seen, to, dst)
    if network is None:
        way = Way(_packet(asked, src, dst))
        if target is not None:
            way.stops(codes.NOT_REACHED_FROM_OUTSIDE, "ports", target, port=target["id"])
        else:
            supposed.append(f"nothing that you see has {src} or {dst}: what is between them is not known")
        return Begun(None, way.packet, target, tuple(supposed), way)
    return Begun(Start(None, network), _packet(asked, src, dst), target, tuple(supposed))


def _outside_of(seen: Snapshot, floating: Row | None, port: Row | None) -> Row | None:
    """The external network by which it is reached."""
    if floating is not None:
        return seen.get("networks", floating["floating_network_id"])
    if port is None:
        return None
    own = seen.get("networks", port["network_id"])
    if own is not None and own.get(IS_EXTERNAL):
        return own
    return next(_external(seen), None)


def _external(seen: Snapshot) -> Iterator[Row]:
    """Of the routers around."""
    for gateway in seen.all("ports", device_owner=GATEWAY):
        network = seen.get("networks", gateway["network_id"])
        if network is not None:
            yield network
