"""How a port is wired here: its interface, its tag, what its network leaves the node by; as Open vSwitch has it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from netweft.agent.queries.trace_input import NotHere, mapped
from netweft.dataplane.host.address_lookup import having
from netweft.dataplane.host.carrier import link_of
from netweft.dataplane.host.mtu import mtu_of
from netweft.dataplane.ovsdb.replica import InterfaceRecord
from netweft.dataplane.ovsdb.view import OvsView
from netweft.services.l2.bridges import KINDS, overlay_port, physical_link, tunnel_link
from netweft.services.values import PHYSICAL, LocalPort
from netweft.wire.wiring import MOST_FAR, Counts, Far, Station, Wiring

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

_DEVICES: Final = ("", "system", "internal")  # those whose link is something of its own


async def wiring(agent: "Agent", port_id: str) -> Wiring:
    """Raises NotHere, OvsdbError."""
    here, view = agent.desired.local_port(port_id), agent.ovs.view
    if here is None or here.ofport <= 0 or view is None:
        raise NotHere("the port is not wired here")
    names = _names(agent, view, here)
    every = [here.port_name, *names.link, *names.out, *names.uplinks]
    counts = await agent.ovs.statistics(every)
    settings, segment = agent.settings, here.network.segment

    def station(name: str, bridge: str = "") -> Station:
        return _station(view, name, bridge, counts.get(name, {}))

    return Wiring(
        vif=station(here.port_name, settings.integration_bridge),
        port_id=port_id if not here.tag else _parent(agent, port_id),
        sub_tag=here.tag,
        tag=here.network.vlan if here.tag else view.tag(here.port_name) or 0,
        network_type=segment.network_type,
        physical_network=segment.physical_network or "",
        key=segment.segmentation_id or 0,
        link=tuple(map(station, names.link, (settings.integration_bridge, names.bridge))),
        out=tuple(station(name, names.bridge) for name in names.out),
        tunnel_ip=settings.tunnel_ip or "" if here.network.tunnelled else "",
        uplinks=tuple(station(name, names.underlay) for name in names.uplinks),
        far=tuple(_far(agent, here)) if here.network.tunnelled else (),
    )


class _Names(NamedTuple):
    """Of the interfaces after the first; none where the network does not leave the node."""

    bridge: str = ""
    link: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    uplinks: tuple[str, ...] = ()
    underlay: str = ""


def _names(agent: "Agent", view: OvsView, here: LocalPort) -> _Names:
    segment, settings = here.network.segment, agent.settings
    if here.network.tunnelled:
        links = [tunnel_link(kind) for kind in KINDS]
        out = (overlay_port(segment.network_type),)
        return _Names(settings.tunnel_bridge, _there(view, links), out, *_underlay(agent, view))
    bridge = mapped(agent).get(segment.physical_network or "", "") if segment.network_type in PHYSICAL else ""
    if not bridge:
        return _Names()
    links = [physical_link(kind, bridge) for kind in KINDS]
    return _Names(bridge, _there(view, links), tuple(nic.name for nic in view.nics(bridge)))


def _underlay(agent: "Agent", view: OvsView) -> tuple[tuple[str, ...], str]:
    """The interfaces, and the bridge that they are in: none where the tunnel address is on a NIC (kernel datapath)."""
    settings = agent.settings
    bridge, own = settings.underlay_bridge, settings.tunnel_ip
    nics = {nic.name for nic in view.nics(bridge)}
    if settings.underlay and view.interface(settings.underlay):  # we have put it there
        nics.add(settings.underlay)
    if nics:
        return tuple(sorted(nics)), bridge
    nic = having(own) if own else ""
    return ((nic,) if nic and nic != bridge else ()), ""


def _there(view: OvsView, links: list[tuple[str, str]]) -> tuple[str, ...]:
    return next((ends for ends in links if all(view.interface(end) for end in ends)), ())


def _station(view: OvsView, name: str, bridge: str, counted: dict[str, int]) -> Station:
    record = view.interface(name)
    return Station(
        name=name,
        bridge=bridge,
        ofport=(record.ofport or 0) if record else 0,
        link=_link(record) if record else link_of(name),
        mtu=mtu_of(name),
        counts=Counts(**{field: counted.get(field, 0) for field in Counts.__struct_fields__}),
    )


def _link(record: InterfaceRecord) -> str:
    return (record.link_state or "") if record.type in _DEVICES else ""


def _parent(agent: "Agent", port_id: str) -> str:
    found = agent.desired.view.sub_ports().get(port_id)
    return found[0].port_id if found else ""


def _far(agent: "Agent", here: LocalPort) -> Iterator[Far]:
    view, network = agent.desired.view, here.network.network.id
    hosts = sorted({peer.host_id for peer in view.peers.values() if peer.network_id == network and peer.host_id})
    for host in hosts[:MOST_FAR]:
        node = view.nodes.get(host)
        yield Far(host=host, address=(node.tunnel_ip or "") if node else "")
