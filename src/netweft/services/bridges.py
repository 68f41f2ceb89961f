"""The bridges, what joins them, and the way to the wire.

    VIFs ── br-int ══ patch or veth ══ br-tun ── vxlan ── (netdev: br-phy ── NIC)

One flow-based VXLAN port serves any number of peers: the flows say where to and with which key.  In the userspace
datapath the tunnel's address has to sit on a bridge's internal port, so the NIC goes into `underlay_bridge`; with the
kernel datapath it stays on the NIC.  The underlay bridge is an ordinary learning switch (fail_mode standalone) without
flows of ours.
"""

from collections.abc import Iterator

from netweft.dataplane.host.values import Address, VethPair
from netweft.dataplane.ovsdb.rows import MARK, BridgeRow, PortRow
from netweft.services.fields import Reason, cookie
from netweft.services.pipeline import PIPELINES, TUN
from netweft.services.values import HostFacts, Service, Uplinks, Wanted

OVERLAY_PORT = "vxlan-overlay"


def interconnect(host: HostFacts) -> tuple[str, str]:
    """The names of the two ends: on the integration bridge, on the tunnel bridge."""
    return ("patch-tun", "patch-int") if host.interconnect == "patch" else ("veth-tun", "veth-int")


def host_rows(host: HostFacts, _: Uplinks) -> Iterator[Wanted]:
    yield _bridge(host, host.integration_bridge)
    yield _bridge(host, host.tunnel_bridge)
    to_tun, to_int = interconnect(host)
    if host.interconnect == "patch":
        yield _port(to_tun, host.integration_bridge, "patch", peer=to_int)
        yield _port(to_int, host.tunnel_bridge, "patch", peer=to_tun)
    else:
        yield VethPair(to_tun, to_int)
        yield _port(to_tun, host.integration_bridge)
        yield _port(to_int, host.tunnel_bridge)
    if host.tunnel_ip and "vxlan" in host.tunnel_types:
        yield _port(OVERLAY_PORT, host.tunnel_bridge, "vxlan", local_ip=host.tunnel_ip, remote_ip="flow", key="flow")
    yield from _underlay(host)


def _underlay(host: HostFacts) -> Iterator[Wanted]:
    if not (host.underlay and host.tunnel_ip):
        return
    holder = host.underlay
    if host.datapath_type == "netdev":
        holder = host.underlay_bridge
        yield _bridge(host, holder, fail_mode="standalone")
        yield _port(host.underlay, holder)
    yield Address(holder, host.tunnel_ip, host.tunnel_prefix_length)


def host_flows(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """What every node has: what a miss does, and where frames from the other bridge go."""
    owner = cookie(Reason.PIPELINE)
    for pipeline in PIPELINES.values():
        yield from pipeline.misses()
    if uplinks.to_int is not None:
        yield TUN["classify"].flow(10, owner, {"in_port": uplinks.to_int}, TUN["to_peer"].goto)
    if uplinks.overlay is not None:
        yield TUN["classify"].flow(10, owner, {"in_port": uplinks.overlay}, TUN["from_overlay"].goto)


def _bridge(host: HostFacts, name: str, fail_mode: str = "secure") -> BridgeRow:
    return BridgeRow(name=name, datapath_type=host.datapath_type, fail_mode=fail_mode, external_ids=((MARK, "bridge"),))


def _port(name: str, bridge: str, type: str = "", **options: str) -> PortRow:
    return PortRow(
        name=name, bridge=bridge, type=type, options=tuple(sorted(options.items())), external_ids=((MARK, "port"),)
    )


BRIDGES = Service("bridges", host=lambda host, uplinks: (*host_rows(host, uplinks), *host_flows(host, uplinks)))
