"""Which checks there are.

findings = examine(facts)
"""

from collections.abc import Callable, Iterable
from typing import Any

from netweft.doctor import checks_agent, checks_host, checks_server, checks_underlay
from netweft.doctor.facts import Facts
from netweft.doctor.results import Found

CHECKS: tuple[Callable[[Facts], Iterable[Found]], ...] = (
    checks_host.settings,
    checks_host.python,
    checks_host.packages,
    checks_host.capabilities,
    checks_host.open_files,
    checks_host.clock,
    checks_host.folders,
    checks_host.secrets,
    checks_server.database,
    checks_server.listen,
    checks_server.keystone,
    checks_agent.open_vswitch,
    checks_agent.datapath,
    checks_agent.connections,
    checks_agent.linux_bridges,
    checks_agent.mappings,
    checks_agent.haproxy,
    checks_agent.servers,
    checks_agent.neighbours,
    checks_underlay.address,
    checks_underlay.interface,
    checks_underlay.ports,
    checks_underlay.built,
)


def examine(facts: Facts) -> list[Found]:
    """First what blocks."""
    found = [one for check in CHECKS for one in check(facts)]
    return sorted(found, key=lambda one: not one.code.blocks)


def as_json(found: Iterable[Found]) -> list[dict[str, Any]]:
    return [
        {
            "code": one.code.code,
            "blocks": one.code.blocks,
            "message": one.code.meaning,
            "detail": one.detail,
            "fix": one.fix,
        }
        for one in found
    ]
