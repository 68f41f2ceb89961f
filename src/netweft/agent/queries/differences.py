"""What is not as the agent wants it, by what it has read: flows, rows, links.  Changes nothing."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from netweft.agent.host.bridge import BridgeSide
from netweft.agent.queries.trace_input import mapped, reason_of
from netweft.dataplane.host.carrier import link_of
from netweft.dataplane.host.mtu import mtu_of
from netweft.dataplane.openflow.text import format_flow
from netweft.services.fields import owner
from netweft.services.pipeline import pipeline_of
from netweft.wire.queries import MOST_DIFFERENCES, Ask, Differs, Exit, Interface, cut

if TYPE_CHECKING:
    from netweft.agent.loop import Agent


_DEVICES: Final = ("", "system")  # others Open vSwitch makes itself, and may be in another namespace


async def differences(agent: "Agent") -> tuple[Differs, ...]:
    """First what is missing."""
    rows = [Differs(what=one.kind, there=_said(one.was), wanted=_said(one.now)) for one in agent.ovs.plan(delete=True)]
    links = [Differs(what=one.kind, there=_said(one.was), wanted=_said(one.now)) for one in agent.links.plan()]
    away = [
        Differs(what="bridge", there="cannot be read", wanted=side.role)
        for side in agent.bridges.values()
        if not side.connected
    ]
    flows = (one for role, side in agent.bridges.items() for one in _flows(role, side))
    return tuple(itertools.islice(itertools.chain(away, rows, links, flows), MOST_DIFFERENCES))


def _flows(role: str, side: BridgeSide) -> Iterator[Differs]:
    plan = side.flow_plan()
    if plan is None:
        return
    tables = {table.id: table.name for table in pipeline_of(role).tables.values()}
    for flow in plan.adds:
        yield _of_flow(flow.cookie, wanted=format_flow(flow, tables))
    for was, now in zip(plan.replaced, plan.updates, strict=True):
        yield _of_flow(now.cookie, format_flow(was, tables), format_flow(now, tables))
    for flow in plan.deletes:
        yield _of_flow(flow.cookie, format_flow(flow, tables))


def _of_flow(cookie: int, there: str = "", wanted: str = "") -> Differs:
    whose = owner(cookie)
    object = whose.object if whose else ""
    return Differs(what="flow", there=cut(there), wanted=cut(wanted), reason=reason_of(cookie), object=object)


def _said(value: object) -> str:
    return "" if value is None else cut(str(value))


def interfaces(agent: "Agent", question: Ask, exits: Iterable[Exit]) -> tuple[Interface, ...]:
    """Of the ports in question, and those that lead out of the node."""
    view = agent.ovs.view
    if view is None:
        return ()
    found = []
    for port_id in dict.fromkeys(filter(None, (question.port_id, *question.also))):
        vif, here = agent.desired.vifs.get(port_id), agent.desired.local_port(port_id)
        if vif is not None:
            found.append((vif.name, port_id))
        elif here is not None:  # a trunk's sub-port, on its parent's
            found.append((here.port_name, port_id))
    uplinks = [nic.name for bridge in mapped(agent).values() for nic in view.nics(bridge)]
    uplinks += [agent.settings.underlay] if agent.settings.underlay else []
    uplinks += [out.nic or out.interface for out in exits if out.kind in ("tunnel", "wire")]
    found += [(name, "") for name in dict.fromkeys(uplinks)]
    return tuple(_interface(agent, name, port_id) for name, port_id in found)


def _interface(agent: "Agent", name: str, port_id: str) -> Interface:
    record = agent.ovs.view.interface(name) if agent.ovs.view else None
    link = (record.link_state or "") if record and record.type in _DEVICES else ""
    if record is None and not port_id:  # a NIC in no bridge
        link = link_of(name)
    return Interface(
        name=name,
        port_id=port_id,
        link=link,
        mtu=mtu_of(name),
        ofport=(record.ofport or 0) if record else 0,
        error=cut((record.error or "") if record else ""),
    )
