"""A node without a switch or a kernel: it renders what it should have, and fake bridges do it.  See `region`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from netweft.dataplane.ovsdb.rows import KeptNumber, PortRow, Row, Vif, VifTag
from netweft.model import EMPTY_VIEW, NodeView, Object, PortStatus, key_of
from netweft.services.kinds import Item, ItemKey
from netweft.services.l2.local_vlans import ROUTER_ZONES, LocalVlans
from netweft.services.pipeline import TUN, BridgeFlow, physical_role
from netweft.services.rendering import Rendering
from netweft.services.service import Service, Wanted
from netweft.services.units import SERVICES
from netweft.services.values import HostFacts, Link, Uplinks
from netweft.testing.switch import Bridge

UPLINKS = Uplinks(
    tun=Link(near=1, far=1),
    physical={"physnet1": Link(near=2, far=2), "public": Link(near=3, far=2)},
    overlays={"vxlan": 2, "gre": 3, "geneve": 4, "stt": 5},
    metadata=4,
)
FIRST_VIF = 10


def uplinks_of(host: HostFacts) -> Uplinks:
    """All is there that the node's settings ask for."""
    physical = {name: UPLINKS.physical[name] for name in host.bridge_mappings}
    return replace(UPLINKS, physical=physical, overlays={kind: UPLINKS.overlays[kind] for kind in host.tunnel_types})


def as_stored(rows: Iterable[Row]) -> list[PortRow]:
    """The ports of ours as the database has them: with the numbers that are kept on them."""
    kept: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if isinstance(row, KeptNumber):
            kept[row.port_name].append((row.column_key, row.name))
    ports = [row for row in rows if isinstance(row, PortRow)]
    return [replace(port, external_ids=tuple(sorted((*port.external_ids, *kept[port.name])))) for port in ports]


_of_hosts: dict[str, tuple[Wanted, ...]] = {}


def _host(facts: HostFacts, links: Uplinks) -> tuple[Wanted, ...]:
    """What a node of these settings has without any network is rendered once, and not for each test."""
    key = f"{facts} {links}"
    if key not in _of_hosts:
        _of_hosts[key] = tuple(item for service in SERVICES for item in service.host(facts, links))
    return _of_hosts[key]


_SERVICES = (Service("host", host=_host), *(replace(service, host=lambda *_: ()) for service in SERVICES))


@dataclass
class FakeNode:
    """One hypervisor.  `settle` does what the agent does: render, and make the bridges so."""

    name: str
    host: HostFacts
    vlans: tuple[int, int] = (1, 4094)
    view: NodeView = EMPTY_VIEW
    vifs: dict[str, Vif] = field(default_factory=dict)
    links: dict[str, PortRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bridges = {"int": Bridge(f"{self.name}.int")}
        links = {
            TUN.role: UPLINKS.tun,
            **{physical_role(name): UPLINKS.physical[name] for name in self.host.bridge_mappings},
        }
        for role, link in links.items():
            assert link.near is not None and link.far is not None
            self.bridges[role] = Bridge(f"{self.name}.{role}")
            self.bridges["int"].join(link.near, self.bridges[role], link.far)
        self.applied: dict[ItemKey, Item] = {}
        self.next_ofport = FIRST_VIF
        self.restart()

    def restart(self) -> None:
        """The agent forgets everything; the rows and flows stay."""
        vlans, zones = LocalVlans(*self.vlans), LocalVlans(*ROUTER_ZONES)
        vlans.restore(self.vifs.values(), self.links.values())
        zones.restore((), self.links.values())
        self.rendering = Rendering(self.host, vlans, zones, _SERVICES)
        self.rendering.set_uplinks(uplinks_of(self.host))
        for port_id, vif in self.vifs.items():
            self.rendering.plug(port_id, vif)
        self.rendering.update(self.view, [key_of(obj) for obj in self.view.objects()], ())
        self.rendering.release_unused()
        self.rendering.refresh()
        for key in self.applied.keys() - self.rendering.desired.keys():
            self._apply(key, None)
        self._apply_all(self.rendering.desired.items())
        if self.rendering.settled():
            self.settle()

    def plug(self, port_id: str) -> int:
        ofport, self.next_ofport = self.next_ofport, self.next_ofport + 1
        name = f"tap{ofport}"
        self.vifs[port_id] = Vif(iface_id=port_id, port_name=name, name=name, ofport=ofport)
        self.rendering.plug(port_id, self.vifs[port_id])
        return ofport

    def unplug(self, port_id: str) -> None:
        if self.vifs.pop(port_id, None):
            self.rendering.plug(port_id, None)

    def see(self, objects: Iterable[Object]) -> None:
        """The server's view of this node is now this."""
        wanted = {key_of(obj): obj for obj in objects}
        gone = {key_of(obj) for obj in self.view.objects()} - wanted.keys()
        changed = [key for key, obj in wanted.items() if self.view.get(key) != obj]
        self.view = self.view.merged(self.view.revision + 1, wanted.values(), gone)
        self.rendering.update(self.view, changed, gone)

    def settle(self) -> None:
        self._apply_all(self.rendering.refresh().items())
        if self.rendering.settled():
            self.settle()

    def status(self, port_id: str) -> PortStatus | None:
        status = self.applied.get(("status", port_id))
        return status if isinstance(status, PortStatus) else None

    def _apply_all(self, changes: Iterable[tuple[ItemKey, Item | None]]) -> None:
        for key, item in changes:
            self._apply(key, item)
        rows = [item for item in self.applied.values() if isinstance(item, PortRow | KeptNumber)]
        self.links = {row.name: row for row in as_stored(rows)}

    def _apply(self, key: ItemKey, item: Item | None) -> None:
        before = self.applied.pop(key, None)
        if isinstance(before, BridgeFlow):
            del self.bridges[before.bridge].flows[before.flow.key]
        if item is None:
            return
        self.applied[key] = item
        if isinstance(item, BridgeFlow):
            self.bridges[item.bridge].flows[item.flow.key] = item.flow
        elif isinstance(item, VifTag):
            self._tag(item)

    def _tag(self, tag: VifTag) -> None:
        for port_id, vif in self.vifs.items():
            if vif.port_name == tag.port_name:
                self.vifs[port_id] = Vif(
                    iface_id=port_id, port_name=vif.port_name, name=vif.name, ofport=vif.ofport, tag=tag.tag,
                    external_ids=tag.external_ids,
                )  # fmt: skip
