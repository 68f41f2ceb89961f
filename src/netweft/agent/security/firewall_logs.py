"""Writes down what flows hand up of ports' firewalls and security groups (services.security.firewall_logs): a line a
packet, with what Neutron's says.

    action=DROP project_id=… log_resource_ids=… port=… src=10.0.0.1 dst=10.0.1.2 protocol=6 sport=1024 dport=80
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets.summary import summary
from netweft.model import EMPTY_VIEW, FirewallLog, NodeView, Port, RouterPort
from netweft.services.fields import Reason, object_bits, owner
from netweft.services.l2.announce import Packet
from netweft.services.values import Asked, LocalPort

log = structlog.get_logger(__name__)

ACTIONS: Final[Mapping[Reason | None, str]] = {
    Reason.PORT_ACCEPTED: "ACCEPT",
    Reason.PORT_REFUSED: "DROP",
    Reason.PORT_GROUPS_ACCEPTED: "ACCEPT",
    Reason.PORT_GROUPS_REFUSED: "DROP",
}
_OF_GROUPS: Final = (Reason.PORT_GROUPS_ACCEPTED, Reason.PORT_GROUPS_REFUSED)
_Key: TypeAlias = tuple[str, bool]  # what cookies say of a port, and whether of its security groups


class _Logged(NamedTuple):
    port_id: str
    project_id: str
    logs: list[FirewallLog]


class FirewallLogs:
    """path: of the file; empty: the agent's own log.  Whoever moves the file away gets a new one."""

    asked = Asked.LOG
    reasons = frozenset(reason for reason in ACTIONS if reason)

    def __init__(self, desired: Desired, path: str = "") -> None:
        self._desired = desired
        self._file = Path(path) if path else None
        self._problem = ""
        self._view = EMPTY_VIEW
        self._logged: Mapping[_Key, _Logged] = {}

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        whose = owner(packet.cookie)
        action = ACTIONS.get(whose.reason) if whose else None
        found = self._ports().get((whose.object, whose.reason in _OF_GROUPS)) if whose else None
        if action and found:
            ids = ",".join(one.id for one in found.logs if one.event in ("ALL", action))
            said = {"action": action, "project_id": found.project_id, "log_resource_ids": ids, "port": found.port_id}
            self._write(said | summary(packet.frame))
        return ()

    def _write(self, said: Mapping[str, object]) -> None:
        if self._file is None:
            log.info("firewall", **said)
            return
        line = " ".join(f"{name}={value}" for name, value in said.items())
        try:
            with self._file.open("a") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {line}\n")
            self._problem = ""
        except OSError as error:
            if self._problem != str(error):
                log.error("firewalls' log not written", path=str(self._file), problem=str(error))
            self._problem = str(error)

    def _ports(self) -> Mapping[_Key, _Logged]:
        """Worked out once a view."""
        view = self._desired.view
        if view is not self._view:
            self._view, self._logged = view, dict(_logged(view))
        return self._logged


def _logged(view: NodeView) -> Iterator[tuple[_Key, _Logged]]:
    logs = sorted(view.firewall_logs.values(), key=lambda one: one.id)
    ports: tuple[Port | RouterPort, ...] = (*view.ports.values(), *view.router_ports.values())
    for port in ports if logs else ():
        group = view.firewall_groups.get(port.firewall_group_id or "")
        its = [one for one in logs if group and one.is_about(group, port.id)]
        if group and its:
            yield (f"{object_bits(port.id):010x}", False), _Logged(port.id, group.project_id, its)
    for port in view.ports.values() if logs else ():
        groups = [view.security_groups[id] for id in port.security_groups if id in view.security_groups]
        projects = {group.id: group.project_id for group in groups}
        its = [one for one in logs if one.is_about_groups(projects, port.id)]
        if its:
            yield (f"{object_bits(port.id):010x}", True), _Logged(port.id, its[0].project_id, its)
