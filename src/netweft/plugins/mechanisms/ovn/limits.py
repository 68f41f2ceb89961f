"""What of listeners and monitors OVN's load balancer cannot do, and how that is said.

A listener of which something is said is not served by OVN.  A monitor of which something is said sends no probes
there: its members get traffic as without one.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from netweft.model.load_balancer import LEAST_CONNECTIONS, VIP_ADDRESSES
from netweft.plugins.mechanisms import Row

TRANSPORT: Final = {"TCP": "tcp", "HTTPS": "tcp", "UDP": "udp", "SCTP": "sctp"}
ASKS: Final = {"TCP": "tcp", "UDP-CONNECT": "udp"}  # monitors


def of_listener(balancer: Row, listener: Row, pool: Row | None, members: Iterable[Row]) -> str:
    """Why OVN does not serve it; empty: it does."""
    if listener["protocol"] not in TRANSPORT:
        return f"OVN carries TCP, UDP and SCTP, and no {listener['protocol']}"
    if listener.get("allowed_cidrs") or balancer.get("vip_sg_ids"):
        return "OVN keeps nobody from a VIP (allowed_cidrs, vip_sg_ids)"
    if listener.get("connection_limit", -1) >= 0:
        return "OVN limits no connections (connection_limit)"
    return next(_of_pool(balancer, pool, members), "") if pool is not None else ""


def _of_pool(balancer: Row, pool: Row, members: Iterable[Row]) -> Iterator[str]:
    if pool["lb_algorithm"] == LEAST_CONNECTIONS:
        yield f"OVN counts no connections ({LEAST_CONNECTIONS})"
    if pool["protocol"] not in TRANSPORT:
        yield f"OVN says nothing to members (a pool of {pool['protocol']})"
    if pool.get("tls_enabled"):
        yield "OVN has no TLS (tls_enabled)"
    kind = (pool.get("session_persistence") or {}).get("type")
    if kind not in (None, "SOURCE_IP"):
        yield f"OVN reads no cookies ({kind})"
    versions = {ip_address(vip["ip_address"]).version for vip in balancer[VIP_ADDRESSES]}
    if any(ip_address(one["address"]).version not in versions for one in members):
        yield "OVN leads to no member of another IP version than the VIP's"


def of_monitor(monitor: Row, members: Iterable[Row]) -> str:
    """Why OVN does not ask; empty: it does, those that are ports on its hosts."""
    if monitor["type"] not in ASKS:
        return f"OVN asks by {' and '.join(sorted(ASKS))}, not by {monitor['type']}"
    if any(one.get("monitor_address") or one.get("monitor_port") for one in members):
        return "OVN asks members where they serve (monitor_address, monitor_port)"
    return ""
