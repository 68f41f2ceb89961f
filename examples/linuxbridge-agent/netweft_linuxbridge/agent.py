"""The agent: Netweft's `Follower` with our wiring in it."""

import asyncio
from collections.abc import Callable, Mapping

import structlog
from pyroute2 import AsyncIPRoute, IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_LINK, RTMGRP_NEIGH

from netweft.agent.follower import Follower
from netweft.model import NodeFacts, NodeView, PortState, PortStatus
from netweft.reconcile.plan import Plan, Step
from netweft.settings import AgentSettings
from netweft_linuxbridge import kernel
from netweft_linuxbridge.desired import ORDER, Desired, bridge_name, desired

log = structlog.get_logger(__name__)


def create(settings: AgentSettings) -> Follower:
    """The entry point."""
    return Follower(settings, LinuxBridges(settings))


class LinuxBridges:
    """netweft.agent.follower.Wiring"""

    def __init__(self, settings: AgentSettings) -> None:
        self._tunnel_ip = settings.tunnel_ip

    def facts(self) -> NodeFacts:
        return NodeFacts(
            tunnel_ip=self._tunnel_ip or None,
            tunnel_types=("vxlan",),
            integration_bridge="",
            agent_type="Linux bridge agent",
            binary="netweft-linuxbridge-agent",
            vif_type="bridge",
            port_filter=False,  # no security groups, no anti-spoofing
        )

    async def watch(self, changed: Callable[[], None]) -> None:
        """What happened does not matter: it is looked at anew.  So a lost message costs nothing either."""
        while True:
            try:
                async with AsyncIPRoute() as events:
                    await events.bind(groups=RTMGRP_LINK | RTMGRP_NEIGH)
                    changed()
                    while True:
                        async for message in events.get():
                            # bridges learn all the time; a VXLAN device's own entries do not change by themselves
                            if message["event"].endswith("LINK") or message["flags"] & kernel.NTF_SELF:
                                changed()
            except (NetlinkError, OSError) as error:
                log.warning("netlink lost", problem=str(error))
                await asyncio.sleep(1)

    async def plan(self, view: NodeView, *, delete: bool) -> Plan:
        return (await asyncio.to_thread(self._look, view, delete))[1]

    async def wire(self, view: NodeView, *, delete: bool) -> Mapping[str, PortStatus]:
        return await asyncio.to_thread(self._wire, view, delete)

    def _look(self, view: NodeView, delete: bool) -> tuple[Desired, Plan]:
        with IPRoute() as netlink:
            names, there = kernel.read(netlink)
        wanted = desired(view, names, self._tunnel_ip)
        candidates = there.keys() | wanted.items.keys() if delete else wanted.items.keys()
        keys = (key for key in candidates if there.get(key) != wanted.items.get(key))
        return wanted, Plan.of((Step(key[0], key, there.get(key), wanted.items.get(key)) for key in keys), ORDER)

    def _wire(self, view: NodeView, delete: bool) -> Mapping[str, PortStatus]:
        """What fails is the problem of the ports on that network; the others are wired."""
        wanted, plan = self._look(view, delete)
        problems: dict[str, str] = {}
        with IPRoute() as netlink:
            for step in plan.steps:
                try:
                    kernel.remove(netlink, step.was) if step.now is None else kernel.put(netlink, step.was, step.now)
                    log.info("done", step=str(step))
                except (NetlinkError, OSError) as error:
                    problem = f"{step}: {error.args[-1]}"
                    log.error("not done", problem=problem)
                    problems[wanted.bridge_of(step.now or step.was)] = problem
        return {port_id: _with(problems, view, status) for port_id, status in wanted.statuses.items()}


def _with(problems: Mapping[str, str], view: NodeView, status: PortStatus) -> PortStatus:
    problem = problems.get(bridge_name(view.ports[status.port_id].network_id))
    if problem and status.state is PortState.UP:
        return PortStatus(status.port_id, PortState.ERROR, problem)
    return status
