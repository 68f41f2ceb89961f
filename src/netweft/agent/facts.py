"""What the settings and Open vSwitch say of this node, for the services and for the server."""

import os
import socket
from collections.abc import Collection, Iterable

from netweft import __version__
from netweft.dataplane.haproxy.values import PROGRAM
from netweft.dataplane.stt import built
from netweft.model import Neighbour, NodeFacts
from netweft.services.l2.local_vlans import LocalVlans
from netweft.services.l2.stt import TYPE as STT
from netweft.services.values import FOR_EVER, Bandwidth, DhcpSettings, HostFacts
from netweft.settings import AgentSettings


def node_name(settings: AgentSettings) -> str:
    return settings.node or socket.gethostname()


def host_facts(settings: AgentSettings, datapath_type: str) -> HostFacts:
    """datapath_type: what this host can do, for `auto`."""
    return HostFacts(
        integration_bridge=settings.integration_bridge,
        tunnel_bridge=settings.tunnel_bridge,
        datapath_type=datapath_type if settings.datapath_type == "auto" else settings.datapath_type,
        interconnect=settings.interconnect,
        tunnel_ip=settings.tunnel_ip,
        tunnel_prefix_length=settings.tunnel_prefix_length,
        tunnel_types=tunnel_types(settings),
        underlay=settings.underlay,
        underlay_bridge=settings.underlay_bridge,
        bridge_mappings=bridge_mappings(settings),
        name=node_name(settings),
        dscp=settings.dscp,
        dscp_inherit=settings.dscp_inherit,
        uplink_bandwidths=uplink_bandwidths(settings),
        metadata=settings.metadata,
        dns=settings.dns,
        domain=settings.dhcp_domain,
        bfd_interval=settings.bfd_interval,
    )


def tunnel_types(settings: AgentSettings) -> tuple[str, ...]:
    """Those that this node offers: STT only where its library was built."""
    return tuple(kind for kind in settings.tunnel_types if kind != STT or built.library())


def unbuilt(settings: AgentSettings) -> str:
    """Why a type of tunnel is not offered; empty: all are."""
    return built.MISSING if tunnel_types(settings) != settings.tunnel_types else ""


def uplink_bandwidths(settings: AgentSettings) -> dict[str, Bandwidth]:
    """Physical network, or `tunnel` -> NIC."""
    parts = (entry.rsplit(":", 2) for entry in settings.uplink_bandwidths)
    return {name: Bandwidth(interface, int(kbps)) for name, interface, kbps in parts}


def bridge_mappings(settings: AgentSettings) -> dict[str, str]:
    """Physical network -> bridge."""
    return dict(mapping.rsplit(":", 1) for mapping in settings.bridge_mappings)


def node_facts(
    settings: AgentSettings,
    datapath_type: str = "",
    ovs_version: str = "",
    problems: Iterable[str] = (),
    unwired: Collection[str] = (),
    neighbours: tuple[Neighbour, ...] = (),
    crowded: Iterable[str] = (),
    metadata: str = "",
) -> NodeFacts:
    """unwired: the physical networks whose bridges cannot be joined, or have no carrier."""
    return NodeFacts(
        tunnel_ip=settings.tunnel_ip or None,
        tunnel_types=tunnel_types(settings),
        bridge_mappings=bridge_mappings(settings),
        datapath_type=datapath_type,
        integration_bridge=settings.integration_bridge,
        ovs_version=ovs_version,
        agent_version=__version__,
        floating_ips=tuple(sorted(bridge_mappings(settings).keys() - set(unwired))),
        availability_zone=settings.availability_zone,
        problems=tuple(problems),
        proxies=_is_installed(PROGRAM),
        neighbours=neighbours,
        crowded=tuple(crowded),
        metadata=metadata,
    )


def _is_installed(program: str) -> bool:
    """As shutil.which looks for it, which brings what it needs for archives: 2 ms of each start."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return any(os.access(f"{folder}/{program}", os.X_OK) for folder in folders)


def dhcp_settings(settings: AgentSettings) -> DhcpSettings:
    seconds = settings.dhcp_lease_duration
    return DhcpSettings(
        lease_seconds=FOR_EVER if seconds == -1 else seconds, domain=settings.dhcp_domain, names=settings.dns
    )


def local_vlans(settings: AgentSettings) -> LocalVlans:
    first, _, last = settings.local_vlans.partition(":")
    return LocalVlans(int(first), int(last))
