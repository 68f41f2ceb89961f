"""Checks of members that a health monitor asks: whether it gets through to them, and what they answer."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from netweft.control.explain import codes
from netweft.control.explain.balancers import is_watched, port_of
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.lb.external_members import asked_at
from netweft.control.lb.health import STATUS, WHY
from netweft.control.lb.vocabulary import BALANCERS, MONITORS
from netweft.control.trace.filters import is_filtered, said, verdict
from netweft.control.trace.packet import SCTP, TCP, UDP, Packet, protocol_number
from netweft.model.load_balancer import ERROR, LOAD_BALANCER, OFFLINE, VIP_ADDRESSES

_PING = "PING"
_OTHERS = {"UDP-CONNECT": UDP, "SCTP": SCTP}  # by type of monitor; all else asks by TCP


def refused(seen: Snapshot, member: Row) -> Iterator[Told]:
    """What a monitor asks comes from the VIP, and is judged by the member's security groups (decision 0590)."""
    port, packet = port_of(seen, member), asked_by(seen, member)
    if port is None or packet is None or not is_filtered(port) or member[STATUS] not in (ERROR, OFFLINE):
        return
    judged = verdict(seen, port, "ingress", packet)
    groups = port.get("security_groups")
    if judged.rule is None and not judged.unsure and groups:
        nearest = f"; the nearest is rule {judged.nearest['id']}, {said(judged.nearest)}" if judged.nearest else ""
        values = {
            "ethertype": f"IPv{packet.version}",
            "protocol": packet.name,
            "what": packet.rule_option,
            "remote": str(ip_network(packet.src)),
            "group": str(groups[0]),
        }
        about = (("ports", str(port["id"])),)
        yield Told(codes.MEMBER_REFUSES_MONITOR, f"{packet}{nearest}", values, about)


def failed(seen: Snapshot, member: Row) -> Iterator[Told]:
    if member[STATUS] == ERROR and is_watched(seen, member):
        why, packet = member.get(WHY) or "it does not answer", asked_by(seen, member)
        pinged = packet is not None and not packet.has_ports
        at = asked_at(dict(member))
        with_port = f"[{at}]:{_port(member)}" if ":" in at else f"{at}:{_port(member)}"
        values = {"tool": "ping" if pinged else "curl", "at": at if pinged else with_port, "why": why}
        yield Told(codes.MEMBER_FAILED, detail=why, values=values)


def asked_by(seen: Snapshot, member: Row) -> Packet | None:
    """What the pool's monitor sends it; None: nobody asks, or not by this IP version."""
    balancer = seen.get(BALANCERS, member[LOAD_BALANCER])
    monitor = next(seen.all(MONITORS, pool_id=member["pool_id"]), None)
    if balancer is None or monitor is None or not is_watched(seen, member):
        return None
    at = asked_at(dict(member))
    version = ip_address(at).version
    addresses = [one["ip_address"] for one in balancer.get(VIP_ADDRESSES) or ()] or [balancer.get("vip_address")]
    vip = next((one for one in addresses if one and ip_address(one).version == version), None)
    if vip is None:
        return None
    if monitor.get("type") == _PING:
        return Packet(vip, at, protocol_number("icmp", version))
    return Packet(vip, at, _OTHERS.get(monitor.get("type") or "", TCP), dport=_port(member))


def _port(member: Row) -> int:
    return int(member.get("monitor_port") or member["protocol_port"])
