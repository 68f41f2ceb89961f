"""The bridges, what joins them, and the way to the overlay.

    VIFs ── br-int ══ patch or veth ══ br-tun ── vxlan, gre, geneve, stt ── (netdev: br-phy ── NIC)
                   ══ patch or veth ══ br-eth1 ── NIC          (the operator's; see `physical`)

One flow-based port per tunnel type serves any number of peers: the flows say where to and with which key.  In the
userspace datapath the tunnel's address has to sit on a bridge's internal port, so the NIC goes into `underlay_bridge`;
with the kernel datapath it stays on the NIC.  The underlay bridge is an ordinary learning switch (fail_mode standalone)
without flows of ours.
"""

import hashlib
from collections.abc import Iterator

from msgspec.structs import replace

from netweft.dataplane.host.values import Address, VethPair
from netweft.dataplane.ovsdb.rows import MARK, BridgeRow, KeptNumber, PortRow
from netweft.services.addresses import prefix
from netweft.services.fields import Reason, cookie
from netweft.services.pipeline import INT, TUN
from netweft.services.service import Service, Wanted
from netweft.services.values import BY_OVS, HostFacts, Uplinks

KINDS = ("patch", "veth")
LINK_MTU = 9216  # of a veth between bridges: no bottleneck, whatever the physical network can do
NAME_LENGTH = 15  # what the kernel allows


def tunnel_link(kind: str) -> tuple[str, str]:
    """The names of the two ends: on the integration bridge, on the tunnel bridge."""
    return (f"{kind}-tun", f"{kind}-int")


def physical_link(kind: str, bridge: str) -> tuple[str, str]:
    """Patch ports have Neutron's names; veths have others, so that both can be there while one replaces the other."""
    v = "" if kind == "patch" else "v"
    return _short(f"{v}int-{bridge}"), _short(f"{v}phy-{bridge}")


def overlay_port(tunnel_type: str) -> str:
    return f"{tunnel_type}-overlay"


def host_rows(host: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    yield _bridge(host, host.integration_bridge)
    yield _bridge(host, host.tunnel_bridge)
    for kind in KINDS:
        if kind in (host.interconnect, uplinks.keep):
            bridges = (host.integration_bridge, host.tunnel_bridge)
            yield from joined(kind, tunnel_link(kind), bridges)
    if host.tunnel_ip:
        for name in host.tunnel_types:
            if name in BY_OVS:  # else the port is there while a network needs it
                options = {"local_ip": host.tunnel_ip, "remote_ip": "flow", "key": "flow"}
                yield port_row(overlay_port(name), host.tunnel_bridge, port_type(name, host), **options, **_tos(host))
    yield from _underlay(host)


def port_type(tunnel_type: str, host: HostFacts) -> str:
    """As Open vSwitch names it: the kernel's `gre` knows IPv4 only (decision 0340)."""
    return "ip6gre" if tunnel_type == "gre" and prefix(host.tunnel_ip).version == 6 else tunnel_type


def _tos(host: HostFacts) -> dict[str, str]:
    """What the underlay sees of a packet's DSCP: what the operator says, the VM's own, or nothing."""
    if host.dscp_inherit:
        return {"tos": "inherit"}
    return {"tos": str(host.dscp << 2)} if host.dscp else {}


def carried(host: HostFacts, keep: str, number: int, name: str) -> Iterator[Wanted]:
    """What a local VLAN or a conntrack zone stands for, on the link to the tunnel bridge; keep: as in Uplinks."""
    for kind in KINDS:
        if kind in (host.interconnect, keep):
            yield KeptNumber(port_name=tunnel_link(kind)[0], number=number, name=name)


def joined(kind: str, names: tuple[str, str], bridges: tuple[str, str]) -> Iterator[Wanted]:
    """Two bridges by a link of this kind, one of its ends in each."""
    if kind == "veth":
        yield VethPair(*names, mtu=LINK_MTU)
    for name, peer, bridge in zip(names, reversed(names), bridges, strict=True):
        yield port_row(name, bridge, "patch", peer=peer) if kind == "patch" else port_row(name, bridge)


def _underlay(host: HostFacts) -> Iterator[Wanted]:
    if not (host.underlay and host.tunnel_ip):
        return
    holder = host.underlay
    if host.datapath_type == "netdev":
        holder = host.underlay_bridge
        yield _bridge(host, holder, fail_mode="standalone")
        yield port_row(host.underlay, holder)
    yield Address(holder, host.tunnel_ip, host.tunnel_prefix_length)


def host_flows(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """What every node has: what a miss does, and where frames from the other bridge go."""
    owner = cookie(Reason.PIPELINE)
    for pipeline in (INT, TUN):
        yield from pipeline.misses()
    for far in uplinks.tun.fars:
        yield TUN["classify"].flow(10, owner, {"in_port": far}, TUN["to_peer"].goto)
    for overlay in uplinks.overlays.values():
        if overlay is not None:
            yield TUN["classify"].flow(10, owner, {"in_port": overlay}, TUN["from_overlay"].goto)


def _bridge(host: HostFacts, name: str, fail_mode: str = "secure") -> BridgeRow:
    return BridgeRow(name=name, datapath_type=host.datapath_type, fail_mode=fail_mode, external_ids=((MARK, "bridge"),))


def port_row(name: str, bridge: str, type: str = "", **options: str) -> PortRow:
    return PortRow(
        name=name, bridge=bridge, type=type, options=tuple(sorted(options.items())), external_ids=((MARK, "port"),)
    )


def speaks_bfd(row: PortRow, interval: int, **more: str) -> PortRow:
    """This port, by vswitchd's own BFD (RFC 5880); interval: ms, three of silence are an end.  more: keys of that
    column in ovs-vswitchd.conf.db(5)."""
    keys = {"enable": "true", "min_rx": str(interval), "min_tx": str(interval), "mult": "3"} | more
    return replace(row, bfd=tuple(sorted(keys.items())))


def _short(name: str) -> str:
    """Unique also when what tells two names apart is cut off."""
    if len(name) <= NAME_LENGTH:
        return name
    return name[: NAME_LENGTH - 6] + hashlib.blake2s(name.encode(), digest_size=3).hexdigest()


BRIDGES = Service("bridges", host=lambda host, uplinks: (*host_rows(host, uplinks), *host_flows(host, uplinks)))
