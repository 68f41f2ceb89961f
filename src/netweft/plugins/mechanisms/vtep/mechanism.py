"""One VTEP as a mechanism; in the region it is a host like others, to which hypervisors have tunnels.

What it learns about MAC addresses behind it is looked at, and believed nowhere (decision 0042): a port's address is
where the port is.  Who claims another's is told on the switch's agent.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from netweft.model import Network, NodeFacts
from netweft.plugins.mechanisms import Link, Row, Seen, Unreachable, View, Wanted
from netweft.plugins.mechanisms.switches.desired import named_in
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.switch import refuse, unfiltered
from netweft.plugins.mechanisms.vtep import desired
from netweft.plugins.mechanisms.vtep.database import PREFIX, There, VtepDatabase, in_order
from netweft.reconcile.plan import Step

LEARNED_SECONDS: Final = 10.0  # how old what it has learned may be
MOST_TOLD: Final = 3  # of those that claim others' addresses


class VtepMechanism:
    kinds: frozenset[str] = frozenset()

    def __init__(self, switch: Switch) -> None:
        """Raises SettingsError."""
        self.name = f"switch:{switch.name}"
        self.hosts = frozenset(switch.hosts)
        self.neighbourly = frozenset({self.name, *switch.hosts})
        self.changed = asyncio.Event()
        self.made_of = switch
        self._switch = switch
        self._rack = _rack(switch)
        self._database = VtepDatabase(switch, self.changed.set)
        self._elsewhere: dict[tuple[str, str], tuple[str, str]] = {}  # network and MAC -> port and its host
        self._learned: list[tuple[str, str]] = []
        self._learned_at = float("-inf")

    def desired(self, view: View) -> Mapping[str, Wanted]:
        peers = (peer for host in sorted(self.neighbourly) for peer in view.host(host).peers.values())
        elsewhere = (peer for peer in peers if peer.host_id not in self.neighbourly)
        self._elsewhere = {(peer.network_id, peer.mac_address.lower()): (peer.id, peer.host_id) for peer in elsewhere}
        return desired.desired(self._switch, self.name, view)

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        ports = [port for link in links for port in named_in(self._switch, link)]
        refusals = [desired.refusal(self._switch, network, port) for port in ports]
        return next(filter(None, refusals), "") if refusals else None

    def noted(self, port: Row) -> str:
        return unfiltered(self._switch, port)

    def ends(self, links: Sequence[Link]) -> bool:
        return any(named_in(self._switch, link) for link in links)

    def rack_of(self, host: str) -> str:
        return self._rack if host in self._switch.hosts else ""

    def racked(self, view: View) -> Mapping[str, str]:
        networks = [one for host in sorted(self._switch.hosts) for one in view.host(host).networks.values()]
        return {one.id: self._rack for one in networks if self._rack and desired.vni_of(one) is not None}

    def answered(self, view: View) -> frozenset[str]:
        ends = {bare.network.id for bare in view.bare_metal() if self.ends(bare.links)}
        return frozenset(one.id for one in view.host(self.name).interfaces.values() if one.network_id in ends)

    async def read(self, keys: Collection[str], *, anew: bool) -> Mapping[str, Any]:
        values = (await self._database.read()).values
        return {key: values[key] for key in keys if key in values}

    def commands(self, steps: Sequence[Step]) -> list[str]:
        """As vtep-ctl would be told."""
        return [command for step in in_order(steps) for command in _commands(step, self._database.name)]

    async def apply(self, steps: Sequence[Step]) -> Mapping[str, str]:
        return await self._database.apply(steps)

    async def seen(self) -> Mapping[str, Seen]:
        there = await self._database.read()
        if time.monotonic() >= self._learned_at + LEARNED_SECONDS:
            self._learned, self._learned_at = await self._database.local_macs(), time.monotonic()
        facts = NodeFacts(
            tunnel_ip=self._tunnel_ip(there),
            agent_type="Hardware VTEP",
            binary="hardware_vtep",
            vif_type="other",
            port_filter=False,
            problems=tuple(self._problems()),
        )
        return {self.name: Seen(facts)}

    async def close(self) -> None:
        await self._database.close()

    def _tunnel_ip(self, there: There) -> str:
        """Raises Unreachable."""
        told = self._switch.option("netweft_tunnel_ip")
        if told and there.tunnel_ips and told not in there.tunnel_ips:
            raise Unreachable(f"netweft_tunnel_ip {told} is not among its tunnel_ips {', '.join(there.tunnel_ips)}")
        if not told and len(there.tunnel_ips) != 1:
            raise Unreachable(f"it has {len(there.tunnel_ips)} tunnel_ips: say in netweft_tunnel_ip which is meant")
        return told or there.tunnel_ips[0]

    def _problems(self) -> list[str]:
        claimed = sorted(pair for pair in self._learned if pair in self._elsewhere)
        told = [
            "{} of port {}, which is on {}, is claimed behind this switch".format(mac, *self._elsewhere[network, mac])
            for network, mac in claimed[:MOST_TOLD]
        ]
        return told + ([f"and {len(claimed) - MOST_TOLD} more"] if len(claimed) > MOST_TOLD else [])


def _rack(switch: Switch) -> str:
    """Raises SettingsError."""
    if switch.hosts and len(switch.physical_networks) != 1:
        raise refuse(switch, "ngs_physical_networks", "has to name the one on which hosts behind a VTEP have VLANs")
    return next(iter(switch.physical_networks)) if switch.hosts else ""


def _commands(step: Step, switch: str) -> list[str]:
    way, whose, which = desired.parts(str(step.key))
    if way == "switch":
        if step.now is None:
            return [f"vtep-ctl del-ls {PREFIX}{whose}"]
        values = f"tunnel_key={step.now[0]} replication_mode={step.now[1]}"
        return [f"vtep-ctl --may-exist add-ls {PREFIX}{whose} -- set Logical_Switch {PREFIX}{whose} {values}"]
    if way == "binding":
        verb, to = ("unbind-ls", "") if step.now is None else ("bind-ls", f" {PREFIX}{step.now}")
        return [f"vtep-ctl {verb} {switch} {whose} {which}{to}"]
    if way == "mac":
        verb = "del" if step.now is None else "add"
        return [f"vtep-ctl {verb}-ucast-remote {PREFIX}{whose} {which} {step.now or ''}".rstrip()]
    ls = f"{PREFIX}{whose} unknown-dst"
    gone = [f"vtep-ctl del-mcast-remote {ls} {end}" for end in step.was or () if end not in (step.now or ())]
    return gone + [f"vtep-ctl add-mcast-remote {ls} {end}" for end in step.now or () if end not in (step.was or ())]
