"""Checks of what an agent needs of Open vSwitch, of its bridges, its servers, and of whom it shares the host with."""

import re
from collections.abc import Iterator

from netweft.doctor import codes
from netweft.doctor.facts import Facts
from netweft.doctor.results import Found

OLDEST_OVS = (3, 1)
OLDEST_HAPROXY = (2, 6)
FEW_CONNECTIONS = 2**20  # Linux itself says 2**18, for a host that tracks its own
NEARLY_FULL = 0.95
_NIC = ("", "system", "dpdk", "afxdp")


def open_vswitch(facts: Facts) -> Iterator[Found]:
    """Only the first reason: what is not installed does not run either."""
    if facts.agent is None:
        return
    ovs = facts.agent.ovs
    if ovs.ovsdb and not ovs.installed:
        yield Found(codes.OVS_MISSING)
    elif ovs.ovsdb:
        yield Found(codes.OVSDB_UNREACHABLE, ovs.ovsdb, {"run_dir": facts.agent.wanted.ovs_run_dir})
    elif ovs.vswitchd:
        yield Found(codes.VSWITCHD_UNREACHABLE, ovs.vswitchd)
    if ovs.version and _release(ovs.version) < OLDEST_OVS:
        yield Found(codes.OVS_OLD, ovs.version)


def datapath(facts: Facts) -> Iterator[Found]:
    if facts.agent is None:
        return
    if facts.agent.wanted.datapath_type == "system" and not facts.agent.ovs.kernel:
        yield Found(codes.KERNEL_DATAPATH_MISSING)
    if facts.agent.wanted.datapath_type == "auto" and not facts.agent.ovs.kernel:
        yield Found(codes.USERSPACE_DATAPATH)
    if facts.agent.userspace and not facts.agent.ovs.tun:
        yield Found(codes.TUN_MISSING)
    if facts.agent.ovs.lacking:
        yield Found(codes.DATAPATH_LACKS, ", ".join(facts.agent.ovs.lacking))


def connections(facts: Facts) -> Iterator[Found]:
    """vswitchd's own conntrack, in the userspace datapath, has 3,000,000.  0 is no limit to Linux."""
    if facts.agent is None or facts.agent.userspace or not facts.agent.ovs.most_tracked:
        return
    there, most = facts.agent.ovs.tracked, facts.agent.ovs.most_tracked
    raised = max(2 * most, FEW_CONNECTIONS)
    if there >= NEARLY_FULL * most:
        yield Found(codes.CONNTRACK_FULL, f"{there:,} of {most:,}", {"most": str(raised)})
    elif most < FEW_CONNECTIONS:
        values = {"most": str(FEW_CONNECTIONS), "buckets": str(FEW_CONNECTIONS // 4)}
        yield Found(codes.CONNTRACK_SMALL, f"nf_conntrack_max is {most:,}", values)
    if not facts.agent.ovs.loose:
        yield Found(codes.CONNTRACK_STRICT, "nf_conntrack_tcp_loose is 0")
    if facts.agent.ovs.kernel and not facts.agent.ovs.limits_zones:
        yield Found(codes.CONNTRACK_UNLIMITED)
    if facts.agent.ovs.kernel and not facts.agent.ovs.ends_connections:
        yield Found(codes.CONNTRACK_UNREACHABLE)


def linux_bridges(facts: Facts) -> Iterator[Found]:
    """Nova makes one for each VIF of the hybrid plug."""
    if facts.agent is None or not facts.agent.ovs.filters_bridges:
        return
    if bridges := sorted(name for name in facts.agent.links if name.startswith("qbr")):
        yield Found(codes.BRIDGES_FILTERED, f"{len(bridges)} of them")


def mappings(facts: Facts) -> Iterator[Found]:
    if facts.agent is None or facts.agent.ovs.ovsdb:
        return
    for network, name in facts.agent.wanted.mappings.items():
        values = {"bridge": name, "network": network}
        bridge = facts.agent.ovs.bridges.get(name)
        if bridge is None:
            yield Found(codes.BRIDGE_MISSING, f"{name}, for {network}", values)
        elif not any(kind in _NIC for kind in bridge.interfaces.values()):
            yield Found(codes.BRIDGE_NO_NIC, f"{name}, for {network}", values)


def servers(facts: Facts) -> Iterator[Found]:
    if facts.agent is None:
        return
    asked, node = facts.agent.servers, facts.agent.wanted.node
    if facts.agent.token_node and facts.agent.token_node != node:
        yield Found(codes.TOKEN_OTHERS, f"{facts.agent.token_node}'s, and this is {node}", {"node": node})
    lost = {url: one.problem for url, one in asked.items() if one.problem}
    code = codes.SERVER_UNREACHABLE if len(lost) == len(asked) else codes.SERVER_ONE_UNREACHABLE
    for url, problem in lost.items():
        yield Found(code, f"{url}: {problem}", {"url": url})
    for url, one in asked.items():
        if one.token_refused:
            yield Found(codes.TOKEN_REFUSED, url, {"node": node, "path": facts.agent.token.path})


def haproxy(facts: Facts) -> Iterator[Found]:
    if facts.agent is None:
        return
    if not facts.agent.haproxy:
        yield Found(codes.HAPROXY_MISSING)
    elif _release(facts.agent.haproxy) < OLDEST_HAPROXY:
        yield Found(codes.HAPROXY_OLD, facts.agent.haproxy)


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def neighbours(facts: Facts) -> Iterator[Found]:
    if facts.agent is None:
        return
    for name in facts.agent.rivals:
        yield Found(codes.SERVICE_CONFLICT, name, {"name": name})
    if facts.agent.managed:
        yield Found(codes.NETWORKMANAGER, ", ".join(facts.agent.managed))
