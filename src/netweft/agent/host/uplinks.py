"""The links between bridges as Open vSwitch has them, and the way from one kind of link to the other.

A change of `interconnect` loses no frame: the links of the wanted kind are made beside those that are there, frames
are taken from both, then sent through the new ones only, then the old ones are unmade.  Each of these steps waits until
the one before is in place on all bridges.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from netweft.services.l2.bridges import KINDS, overlay_port, physical_link, tunnel_link
from netweft.services.metadata.ends import INTERFACE as METADATA
from netweft.services.values import BY_OVS, HostFacts, Link, Uplinks

Names = tuple[str, str]


class Look(Protocol):
    """What is read from Open vSwitch's database."""

    def ofport(self, interface: str) -> int | None: ...
    def datapath_of(self, bridge: str) -> str | None:
        """None: there is no such bridge."""
        ...

    def vlan_limit(self) -> int: ...


class UplinksSide:
    """Remembers which kind of link frames are sent through, and what it saw last."""

    def __init__(self) -> None:
        self.now = Uplinks()
        self._sending = ""  # kind of link; empty before the first look
        self._step = False  # what was seen last, once in place, allows the next step

    def observe(self, look: Look, host: HostFacts) -> Uplinks:
        """A port that is being made anew keeps its number until it has another: flows stay as they are meanwhile."""
        wanted, other = host.interconnect, next(kind for kind in KINDS if kind != host.interconnect)
        if not self._sending:
            self._sending = other if _complete(_ends(look, tunnel_link(other))) else wanted
        keep = self.now.keep or (other if self._sending == other else "")
        problems = {name: why for name in host.bridge_mappings if (why := _problem(look, host, name))}
        names = {
            name: {kind: physical_link(kind, bridge) for kind in KINDS}
            for name, bridge in host.bridge_mappings.items()
            if name not in problems
        }
        to_tun = {kind: tunnel_link(kind) for kind in KINDS}
        before = self.now
        self.now = Uplinks(
            tun=self._link(look, to_tun, before.tun, keep),
            physical={
                name: self._link(look, kinds, before.physical.get(name, Link()), keep) for name, kinds in names.items()
            },
            overlays={kind: _overlay(look, kind, before) for kind in host.tunnel_types},
            tunnel_bridge=host.tunnel_bridge,
            metadata=(look.ofport(METADATA) or before.metadata) if host.metadata else None,
            problems=problems,
            keep=keep,
            vlan_limit=look.vlan_limit(),
            offloads=host.datapath_type == "system",
        )
        there = all(_complete(_ends(look, kinds[wanted])) for kinds in (to_tun, *names.values()))
        self._step = bool(keep) and there
        return self.now

    def applied(self, wanted: str) -> bool:
        """What was seen last is rendered and in place.  Returns whether that allows a next step: look again."""
        step, self._step = self._step, False
        if step and self._sending == wanted:
            self.now = replace(self.now, keep="")
        elif step:
            self._sending = wanted
        return step

    def _link(self, look: Look, names: Mapping[str, Names], before: Link, keep: str) -> Link:
        near, far = _ends(look, names[self._sending])
        if not keep:
            return Link(near=near or before.near, far=far or before.far)
        spare = next(_ends(look, names[kind]) for kind in KINDS if kind != self._sending)
        if not _complete((near, far)) and _complete(spare):
            (near, far), spare = spare, (near, far)
        return Link(near=near, far=far, also=(spare[0] or 0, spare[1] or 0) if _complete(spare) else None)


def _overlay(look: Look, kind: str, before: Uplinks) -> int | None:
    """One of ours goes with the last network that needs it."""
    return look.ofport(overlay_port(kind)) or (before.overlays.get(kind) if kind in BY_OVS else None)


def _ends(look: Look, names: Names) -> tuple[int | None, int | None]:
    return look.ofport(names[0]), look.ofport(names[1])


def _complete(ends: tuple[int | None, int | None]) -> bool:
    return all(ofport is not None and ofport > 0 for ofport in ends)


def _problem(look: Look, host: HostFacts, name: str) -> str:
    """Why the bridge of this physical network cannot be joined; empty when it can."""
    bridge = host.bridge_mappings[name]
    datapath = look.datapath_of(bridge)
    if datapath is None:
        return f"bridge {bridge} of physical network {name} is not there"
    if host.interconnect == "patch" and (datapath or "system") != host.datapath_type:
        return (
            f"bridge {bridge} of physical network {name} has datapath_type {datapath or 'system'}, which a patch port"
            f" cannot join with {host.integration_bridge} ({host.datapath_type}); interconnect = veth can"
        )
    return ""
