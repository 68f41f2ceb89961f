"""Checks of what tunnels need: an address, an interface that carries full packets, ports that are nobody else's."""

from collections.abc import Iterator
from ipaddress import ip_address

from netweft.doctor import codes
from netweft.doctor.facts import Agent, Facts
from netweft.doctor.results import Found

UDP_PORTS = {"vxlan": 4789, "geneve": 6081}
_SWITCH = "ovs-vswitchd"
_OWN_DEVICES = "vxlan_sys_"  # that the datapath makes


def address(facts: Facts) -> Iterator[Found]:
    if facts.agent is None:
        return
    wanted = facts.agent.wanted
    if not wanted.tunnel_ip:
        if wanted.tunnel_types:
            yield Found(codes.TUNNEL_UNSET)
        return
    if wanted.underlay and wanted.underlay not in facts.agent.links:
        yield Found(codes.UNDERLAY_MISSING, wanted.underlay)
    if wanted.underlay:
        return  # the agent sees to the address
    name = _interface(facts.agent)
    if not name:
        yield Found(codes.TUNNEL_NOWHERE, wanted.tunnel_ip, {"address": wanted.tunnel_ip})
    elif facts.agent.userspace and not facts.agent.ovs.ovsdb and name not in _own_interfaces(facts.agent):
        yield Found(codes.TUNNEL_NOT_ON_BRIDGE, f"{wanted.tunnel_ip} is on {name}", {"interface": name})


def interface(facts: Facts) -> Iterator[Found]:
    if facts.agent is None or not facts.agent.wanted.tunnel_ip:
        return
    name, mtu = _interface(facts.agent), facts.agent.wanted.physical_mtu
    link = facts.agent.links.get(name)
    if link is None:
        return
    if not link.up:
        yield Found(codes.UNDERLAY_DOWN, name, {"interface": name})
    if link.mtu < mtu:
        yield Found(
            codes.UNDERLAY_MTU, f"{name} has {link.mtu}, physical_mtu is {mtu}", {"interface": name, "mtu": str(mtu)}
        )


def ports(facts: Facts) -> Iterator[Found]:
    if facts.agent is None or not facts.agent.wanted.tunnel_ip:
        return
    devices = {name: link.vxlan_port for name, link in facts.agent.links.items() if not name.startswith(_OWN_DEVICES)}
    for kind in facts.agent.wanted.tunnel_types:
        port = UDP_PORTS.get(kind)
        holders = [name for name, its in devices.items() if port and its == port]
        if port and (process := facts.agent.udp.get(port)) and process != _SWITCH:
            holders.append(process)
        if holders:
            yield Found(codes.TUNNEL_PORT_TAKEN, f"{kind}, {port}: {', '.join(holders)}", {"port": str(port)})


def built(facts: Facts) -> Iterator[Found]:
    if facts.agent is not None and "stt" in facts.agent.wanted.tunnel_types and not facts.agent.stt_built:
        yield Found(codes.STT_NOT_BUILT)


def _interface(agent: Agent) -> str:
    """Where the tunnel address is; the NIC that it goes through, where the agent is to see to it."""
    if agent.wanted.underlay:
        return agent.wanted.underlay
    try:
        wanted = ip_address(agent.wanted.tunnel_ip)
    except ValueError:
        return ""
    has = (name for name, link in agent.links.items() if wanted in map(ip_address, link.addresses))
    return next(has, "")


def _own_interfaces(agent: Agent) -> set[str]:
    return {
        name for bridge in agent.ovs.bridges.values() for name, kind in bridge.interfaces.items() if kind == "internal"
    }
