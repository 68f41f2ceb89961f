"""Facts about what an agent needs: Open vSwitch, links, servers."""

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

from pyroute2 import IPRoute

from netweft.agent.facts import bridge_mappings, node_name
from netweft.agent.main import AgentError, check
from netweft.agent.sync import NoSession, node_token
from netweft.dataplane.host.datapath import (
    kernel_ends_connections,
    kernel_filters_bridges,
    kernel_has_openvswitch,
    kernel_limits_zones,
    kernel_may_track,
    kernel_tracks,
    kernel_tracks_loosely,
)
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.errors import OvsdbLost
from netweft.dataplane.ovsdb.replica import Replica
from netweft.dataplane.stt import built as stt
from netweft.dataplane.unixctl import features
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.doctor.facts import Agent, Bridge, Link, OpenVSwitch, Place, Wanted
from netweft.doctor.gather_host import folder, said, secret
from netweft.doctor.processes import holders, rivals
from netweft.doctor.server_probe import ask
from netweft.settings import AgentSettings

_IFF_UP = 1


def problem(settings: AgentSettings) -> str:
    """What is wrong with the settings themselves."""
    try:
        check(settings)
    except (AgentError, ValueError) as error:
        return str(error)
    return ""


def gather(settings: AgentSettings, physical_mtu: int) -> Agent:
    wanted = _wanted(settings, physical_mtu)
    token, where = _token(settings)
    bridges = [settings.integration_bridge, settings.tunnel_bridge, settings.underlay_bridge, *wanted.mappings.values()]
    return Agent(
        wanted=wanted,
        token=where,
        token_node=token.rpartition(".")[0],
        state_dir=folder(settings.state_dir),
        socket_dir=folder(str(Path(settings.socket).parent)),
        ovs=asyncio.run(_open_vswitch(Path(settings.ovs_run_dir), tun=Path("/dev/net/tun").exists())),
        links=_links(),
        udp=holders("udp"),
        servers={server: ask(server, token) for server in settings.server},
        rivals=rivals(),
        managed=_managed(bridges),
        haproxy=_version(said("haproxy", "-v")),
        stt_built=stt.library() is not None,
    )


def _version(text: str) -> str:
    """`HAProxy version 2.6.12-1+deb12u2 2025/04/20 - ...`; before 2.4 `HA-Proxy version`."""
    words = text.split()
    return words[2] if words[1:2] == ["version"] and len(words) > 2 else ""


def _wanted(settings: AgentSettings, physical_mtu: int) -> Wanted:
    return Wanted(
        node=node_name(settings),
        ovs_run_dir=settings.ovs_run_dir,
        datapath_type=settings.datapath_type,
        tunnel_ip=settings.tunnel_ip,
        tunnel_types=settings.tunnel_types,
        underlay=settings.underlay,
        underlay_bridge=settings.underlay_bridge,
        mappings=bridge_mappings(settings),
        physical_mtu=physical_mtu,
    )


def _token(settings: AgentSettings) -> tuple[str, Place]:
    if settings.token:
        return settings.token, Place("token")
    place = secret(settings.token_file)
    try:
        return "" if place.problem else node_token(settings), place
    except NoSession as error:
        return "", Place(settings.token_file, str(error))


async def _open_vswitch(run_dir: Path, *, tun: bool) -> OpenVSwitch:
    ovsdb = vswitchd = ""
    replica = Replica()
    try:
        connection = await OvsdbConnection.connect(run_dir / "db.sock")
        replica = connection.replica
        await connection.close()
    except OvsdbLost as error:
        ovsdb = str(error)
    try:
        await command(run_dir, "version")
    except CommandFailed as error:
        vswitchd = str(error)
    return OpenVSwitch(
        installed=any(map(shutil.which, ("ovs-vswitchd", "/usr/sbin/ovs-vswitchd"))),
        ovsdb=ovsdb,
        vswitchd=vswitchd,
        version=replica.root.ovs_version or "",
        kernel=kernel_has_openvswitch(),
        tun=tun,
        tracked=kernel_tracks(),
        most_tracked=kernel_may_track(),
        loose=kernel_tracks_loosely(),
        limits_zones=kernel_limits_zones(),
        ends_connections=kernel_ends_connections(),
        lacking=await _lacking(run_dir, replica),
        filters_bridges=kernel_filters_bridges(),
        bridges=_bridges(replica),
    )


async def _lacking(run_dir: Path, replica: Replica) -> tuple[str, ...]:
    """Of the kernel's datapath, by any bridge that is there already."""
    for bridge in replica.bridges.values():
        if bridge.datapath_type in ("", "system"):
            with suppress(CommandFailed):
                return tuple(features.lacking(await command(run_dir, features.COMMAND, bridge.name)))
    return ()


def _bridges(replica: Replica) -> dict[str, Bridge]:
    found: dict[str, Bridge] = {}
    for bridge in replica.bridges.values():
        ports = (replica.ports[uuid] for uuid in bridge.ports if uuid in replica.ports)
        interfaces = {one.name: one.type for port in ports for one in replica.interfaces_of(port)}
        found[bridge.name] = Bridge(bridge.datapath_type, interfaces)
    return found


def _links() -> dict[str, Link]:
    with IPRoute() as netlink:
        addresses: dict[int, list[str]] = {}
        for message in netlink.addr("dump"):
            if address := message.get("IFA_LOCAL") or message.get("IFA_ADDRESS"):
                addresses.setdefault(message["index"], []).append(address)
        return {
            link.get("IFLA_IFNAME"): Link(
                mtu=link.get("IFLA_MTU") or 0,
                up=bool(link["flags"] & _IFF_UP),
                addresses=tuple(addresses.get(link["index"], ())),
                vxlan_port=link.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "IFLA_VXLAN_PORT"),
            )
            for link in netlink.link("dump")
        }


def _managed(bridges: list[str]) -> tuple[str, ...]:
    """What NetworkManager says of them, where it runs."""
    states = (line.partition(":")[::2] for line in said("nmcli", "-t", "-f", "DEVICE,STATE", "device").splitlines())
    return tuple(name for name, state in states if name in bridges and state != "unmanaged")
